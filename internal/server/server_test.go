package server

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"
	"connectrpc.com/grpchealth"
	"connectrpc.com/grpcreflect"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/api/tms/v1/tmsv1connect"
	"github.com/triton-leases/tms/internal/auth"
)

// TestShutdown checks that waiting calls end with a retriable code, that running calls
// may finish, and that the server reports NOT_SERVING meanwhile.
func TestShutdown(t *testing.T) {
	t.Parallel()
	for name, p := range protocols {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				finish := make(chan struct{})
				var r *testServer
				r = serve(t, &leases{
					status: func(context.Context, *tmsv1.StatusRequest) (*tmsv1.StatusResponse, error) {
						<-finish
						return new(tmsv1.StatusResponse), nil
					},
					acquire: func(ctx context.Context, _ *tmsv1.AcquireRequest, send func(*tmsv1.AcquireResponse) error) error {
						if err := send(new(tmsv1.AcquireResponse)); err != nil {
							return err
						}
						select {
						case <-r.Stopping():
							return connect.NewError(connect.CodeUnavailable, errors.New("shutting down"))
						case <-ctx.Done():
							return ctx.Err()
						}
					},
				})
				client, _ := r.client(t, p)
				stream, err := client.Acquire(context.Background(), connect.NewRequest(new(tmsv1.AcquireRequest)))
				require.NoError(t, err)
				require.True(t, stream.Receive())
				statusErr := make(chan error, 1)
				go func() {
					_, err := status(client, "a")
					statusErr <- err
				}()
				synctest.Wait()
				ended := make(chan error, 1)
				go func() { ended <- r.stop() }()
				require.False(t, stream.Receive())
				requireCode(t, connect.CodeUnavailable, stream.Err())
				require.NoError(t, stream.Close())

				checker := &health{grpchealth.NewStaticChecker("a"), r.Stopping()}
				response, err := checker.Check(context.Background(), &grpchealth.CheckRequest{Service: "a"})
				require.NoError(t, err)
				require.Equal(t, grpchealth.StatusNotServing, response.Status)

				close(finish)
				require.NoError(t, <-statusErr)
				require.NoError(t, <-ended)
			})
		})
	}
}

// TestShutdownTimeout checks that a call that does not end cannot keep the server.
func TestShutdownTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gone := make(chan struct{})
		r := serve(t, &leases{status: func(ctx context.Context, _ *tmsv1.StatusRequest) (*tmsv1.StatusResponse, error) {
			<-ctx.Done()
			close(gone)
			return nil, ctx.Err()
		}})
		client, _ := r.client(t, protocols["gRPC"])
		go func() { _, _ = status(client, "a") }()
		synctest.Wait()
		require.ErrorIs(t, r.stop(), context.DeadlineExceeded)
		<-gone
	})
}

// TestHealthAndReflection checks the services that probes and grpcurl use.
func TestHealthAndReflection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := serve(t, &leases{})
		_, httpClient := r.client(t, protocols["gRPC"])
		checker := &health{grpchealth.NewStaticChecker(tmsv1connect.LeaseServiceName), r.Stopping()}
		for _, service := range []string{"", tmsv1connect.LeaseServiceName} {
			response, err := checker.Check(context.Background(), &grpchealth.CheckRequest{Service: service})
			require.NoError(t, err)
			require.Equal(t, grpchealth.StatusServing, response.Status)
		}
		_, err := checker.Check(context.Background(), &grpchealth.CheckRequest{Service: "unknown"})
		requireCode(t, connect.CodeNotFound, err)

		stream := grpcreflect.NewClient(httpClient, "http://server", connect.WithGRPC()).NewStream(context.Background())
		names, err := stream.ListServices()
		require.NoError(t, err)
		services := make([]string, len(names))
		for i, name := range names {
			services[i] = string(name)
		}
		require.ElementsMatch(t, []string{tmsv1connect.LeaseServiceName, tmsv1connect.AllowlistServiceName, tmsv1connect.LeaseNameServiceName, grpchealth.HealthV1ServiceName}, services)
		files, err := stream.FileContainingSymbol(tmsv1connect.LeaseServiceName)
		require.NoError(t, err)
		require.NotEmpty(t, files)
		require.IsType(t, new(descriptorpb.FileDescriptorProto), proto.Message(files[0]))
		_, err = stream.Close()
		require.NoError(t, err)
	})
}

// TestTwoServers checks that metrics are registered in the configured registry only, and
// that a conflict is an error.
func TestTwoServers(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	config := Config{Reviewer: auth.AllowAll(), Metrics: registry, Address: "127.0.0.1:0"}
	first, second := New(config), New(config)
	first.Register(&leases{}, tmsv1connect.UnimplementedAllowlistServiceHandler{}, tmsv1connect.UnimplementedLeaseNameServiceHandler{})
	second.Register(&leases{}, tmsv1connect.UnimplementedAllowlistServiceHandler{}, tmsv1connect.UnimplementedLeaseNameServiceHandler{})
	_, err := first.handler()
	require.NoError(t, err)
	require.ErrorContains(t, second.Start(t.Context()), "metrics: ", "an error, not a panic")
	second.config.Metrics = prometheus.NewRegistry()
	_, err = second.handler()
	require.NoError(t, err)
}

// TestStartFails checks the errors of the address and of the certificate.
func TestStartFails(t *testing.T) {
	t.Parallel()
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, taken.Close()) }()
	config := Config{Reviewer: auth.AllowAll(), Metrics: prometheus.NewRegistry(), Address: taken.Addr().String()}
	require.ErrorContains(t, New(config).Start(t.Context()), "listen: ")

	config.Address, config.CertFile, config.KeyFile = "127.0.0.1:0", filepath.Join(t.TempDir(), "none"), "none"
	server := New(config)
	server.Register(&leases{}, tmsv1connect.UnimplementedAllowlistServiceHandler{}, tmsv1connect.UnimplementedLeaseNameServiceHandler{})
	require.ErrorContains(t, server.Start(t.Context()), "certificate: ")
	require.False(t, server.NeedLeaderElection())
}

// TestTLS checks HTTP/1.1 and HTTP/2 over TLS, and that a new certificate is used.
func TestTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	writeCertificate(t, cert, key, 1)
	config := unlimited()
	config.CertFile, config.KeyFile = cert, key
	server := New(config)
	server.Register(&leases{}, tmsv1connect.UnimplementedAllowlistServiceHandler{}, tmsv1connect.UnimplementedLeaseNameServiceHandler{})
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	start(t, server, listener)

	for _, p := range protocols {
		transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, Protocols: new(http.Protocols)}
		transport.Protocols.SetHTTP1(!p.http2)
		transport.Protocols.SetHTTP2(p.http2)
		client := tmsv1connect.NewLeaseServiceClient(&http.Client{Transport: transport}, "https://"+listener.Addr().String(), p.options...)
		lease, err := status(client, "a")
		require.NoError(t, err)
		require.Equal(t, "a", lease.GetId())
		transport.CloseIdleConnections()
	}
	_, err = tls.Dial("tcp", listener.Addr().String(), &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	require.Error(t, err)

	require.EqualValues(t, 1, serial(t, listener))
	writeCertificate(t, cert, key, 2)
	for serial(t, listener) != 2 { // the loop ends with the test's deadline
		require.NoError(t, t.Context().Err())
	}
}

// serial returns the serial number of the current certificate of a server.
func serial(t *testing.T, listener net.Listener) int64 {
	t.Helper()
	connection, err := tls.Dial("tcp", listener.Addr().String(), &tls.Config{InsecureSkipVerify: true})
	require.NoError(t, err)
	defer func() { _ = connection.Close() }()
	return connection.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

// writeCertificate writes a self-signed certificate and its key.
func writeCertificate(t *testing.T, certFile, keyFile string, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	text, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text}), 0o600))
	require.NoError(t, os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), 0o600))
}
