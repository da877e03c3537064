// Package server serves the API of leases with gRPC, gRPC-Web, and HTTP with JSON, all
// on one port.
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/triton-leases/tms/api/tms/v1/tmsv1connect"
	"github.com/triton-leases/tms/internal/auth"
)

// Config configures a Server.
type Config struct {
	// Address is the address to listen on, such as :30345.
	Address string
	// CertFile and KeyFile are PEM files. They are read again when they change. If they
	// are empty, the server does not use TLS.
	CertFile, KeyFile string
	// Reviewer authenticates and authorizes the calls.
	Reviewer *auth.Reviewer
	Limits   auth.Limits
	// Connections, OpenCalls and Streams limit what is open at once. Streams is the number
	// of calls of one connection.
	Connections ConnectionLimits
	OpenCalls   CallLimits
	Streams     int
	// Metrics registers the metrics of the calls and connections.
	Metrics prometheus.Registerer
	// Audit gets a line for each call that changes something.
	Audit logr.Logger
}

// limits bound what one client can cost.
type limits struct {
	// requestBytes and headerBytes bound one request. A lease takes a few hundred bytes.
	requestBytes, headerBytes int
	// ioTimeout is how long a client may take to send its headers, to send its request,
	// and to read each response.
	ioTimeout time.Duration
	// idleTimeout is how long a connection may be idle.
	idleTimeout time.Duration
	// shutdownTimeout is how long running calls may take to end when the server stops.
	shutdownTimeout time.Duration
}

var defaultLimits = limits{
	requestBytes: 256 << 10, headerBytes: 24 << 10, // a token may take 16 KiB
	ioTimeout: 10 * time.Second, idleTimeout: 2 * time.Minute, shutdownTimeout: 8 * time.Second,
}

// Server serves the API. It is a manager.Runnable that each replica runs.
type Server struct {
	config    Config
	limits    limits
	leases    tmsv1connect.LeaseServiceHandler
	allowlist tmsv1connect.AllowlistServiceHandler
	names     tmsv1connect.LeaseNameServiceHandler
	stopping  chan struct{}
	stop      func()
}

// New returns a Server without services.
func New(config Config) *Server {
	stopping := make(chan struct{})
	return &Server{config: config, limits: defaultLimits, stopping: stopping, stop: sync.OnceFunc(func() { close(stopping) })}
}

// Stopping returns a channel that is closed when the server begins to shut down. Calls
// that wait must end then.
func (s *Server) Stopping() <-chan struct{} { return s.stopping }

// Register sets the services. It is not a part of New, because the services need
// Stopping.
func (s *Server) Register(leases tmsv1connect.LeaseServiceHandler, allowlist tmsv1connect.AllowlistServiceHandler, names tmsv1connect.LeaseNameServiceHandler) {
	s.leases, s.allowlist, s.names = leases, allowlist, names
}

// NeedLeaderElection implements manager.LeaderElectionRunnable: every replica serves.
func (s *Server) NeedLeaderElection() bool { return false }

// Start serves until the context ends. Calls that wait then end with a code that makes
// clients retry, and reach another replica.
func (s *Server) Start(ctx context.Context) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", s.config.Address)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	return s.serve(ctx, listener)
}

// serve serves the connections of a listener until the context ends, and closes it.
func (s *Server) serve(ctx context.Context, listener net.Listener) error {
	logger := log.FromContext(ctx).WithName("api")
	handler, err := s.handler()
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	secure, err := s.secure(ctx, listener, logger)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(s.config.CertFile == "")
	server := &http.Server{
		Handler: handler, Protocols: protocols, HTTP2: s.http2(),
		// ReadHeaderTimeout is also that of the TLS handshake.
		ReadHeaderTimeout: s.limits.ioTimeout, IdleTimeout: s.limits.idleTimeout, MaxHeaderBytes: s.limits.headerBytes,
		ConnContext: connContext,
		BaseContext: func(net.Listener) context.Context { return log.IntoContext(context.WithoutCancel(ctx), logger) },
		ErrorLog:    slog.NewLogLogger(logr.ToSlogHandler(logger), slog.LevelDebug), // clients cause these errors
	}
	logger.Info("serving", "address", listener.Addr().String(), "tls", s.config.CertFile != "")
	serveErr := make(chan error, 1)
	go func() { serveErr <- server.Serve(secure) }()
	select {
	case err := <-serveErr:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	s.stop()
	shutdownCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.limits.shutdownTimeout)
	defer cancel()
	if err := server.Shutdown(shutdownCtx); err != nil {
		return errors.Join(err, server.Close())
	}
	return nil
}

// http2 returns limits for HTTP/2. The buffers are as small as HTTP/2 allows, because
// requests are small. Pings find connections whose clients are gone while a call waits.
func (s *Server) http2() *http.HTTP2Config {
	const smallestBuffer, smallestFrame = 64 << 10, 16 << 10
	return &http.HTTP2Config{
		MaxConcurrentStreams: s.config.Streams, MaxReadFrameSize: smallestFrame,
		MaxReceiveBufferPerConnection: smallestBuffer, MaxReceiveBufferPerStream: smallestBuffer,
		SendPingTimeout: s.limits.idleTimeout, PingTimeout: s.limits.ioTimeout, WriteByteTimeout: 2 * s.limits.ioTimeout,
	}
}

// secure returns a listener with limits that uses TLS if there is a certificate.
func (s *Server) secure(ctx context.Context, listener net.Listener, logger logr.Logger) (net.Listener, error) {
	limited, err := limitConnections(listener, "api", s.config.Connections, s.config.Metrics, logger)
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	if s.config.CertFile == "" {
		return limited, nil
	}
	certificates, err := certwatcher.New(s.config.CertFile, s.config.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	go func() {
		if err := certificates.Start(ctx); err != nil {
			log.FromContext(ctx).Error(err, "watch the certificate")
		}
	}()
	return tls.NewListener(limited, &tls.Config{
		GetCertificate: certificates.GetCertificate, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
	}), nil
}
