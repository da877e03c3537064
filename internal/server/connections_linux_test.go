package server

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/api/tms/v1/tmsv1connect"
)

// addressedConn is a connection from an address.
type addressedConn struct {
	net.Conn
	address string
	closed  bool
}

func (c *addressedConn) RemoteAddr() net.Addr {
	address, _ := net.ResolveTCPAddr("tcp", c.address)
	return address
}

func (c *addressedConn) Close() error {
	c.closed = true
	return nil
}

// newLimitedListener returns a listener without connections.
func newLimitedListener(t *testing.T, limits ConnectionLimits) *limitedListener {
	t.Helper()
	l, err := limitConnections(nil, "api", limits, prometheus.NewRegistry(), logr.Discard())
	require.NoError(t, err)
	return l
}

// connect accepts a connection from an address. It returns nil if a limit refuses it.
func (l *limitedListener) connect(address string) *limitedConn {
	var accepted *limitedConn
	l.Listener = listenerFunc(func() (net.Conn, error) {
		if accepted != nil {
			return nil, net.ErrClosed // the connection was closed, and Accept waits for another
		}
		accepted = new(limitedConn)
		return &addressedConn{address: address}, nil
	})
	conn, err := l.Accept()
	if err != nil {
		return nil
	}
	return conn.(*limitedConn)
}

type listenerFunc func() (net.Conn, error)

func (f listenerFunc) Accept() (net.Conn, error) { return f() }
func (listenerFunc) Close() error                { return nil }
func (listenerFunc) Addr() net.Addr              { return nil }

func (c *limitedConn) isClosed() bool { return c.Conn.(*addressedConn).closed }

// TestConnectionsPerAddress checks the limit of one source.
func TestConnectionsPerAddress(t *testing.T) {
	t.Parallel()
	l := newLimitedListener(t, ConnectionLimits{Maximum: 100, PerAddress: 2})
	first := l.connect("10.0.0.1:1")
	require.NotNil(t, l.connect("10.0.0.1:2"))
	require.Nil(t, l.connect("10.0.0.1:3"))
	require.NotNil(t, l.connect("10.0.0.2:1"))
	require.NoError(t, first.Close())
	require.NoError(t, first.Close(), "closed twice, counted once")
	require.NotNil(t, l.connect("10.0.0.1:4"))
	require.Nil(t, l.connect("10.0.0.1:5"))
	for i := range 2 {
		require.NotNil(t, l.connect(fmt.Sprintf("[2001:db8::%d]:1", i)))
	}
	require.Nil(t, l.connect("[2001:db8::ffff]:1"), "the same /64 network")
	require.NotNil(t, l.connect("[2001:db8:0:1::1]:1"))
}

// TestConnectionsMaximum checks that a full server makes room for a new source, at the cost
// of the source with the most connections without a call.
func TestConnectionsMaximum(t *testing.T) {
	t.Parallel()
	l := newLimitedListener(t, ConnectionLimits{Maximum: 4, PerAddress: 3})
	var many []*limitedConn
	for i := range 3 {
		many = append(many, l.connect(fmt.Sprintf("10.0.0.1:%d", i)))
	}
	one := l.connect("10.0.0.2:1")
	many[0].beginCall()
	another := l.connect("10.0.0.3:1")
	require.NotNil(t, another)
	require.Equal(t, []bool{false, true, false}, []bool{many[0].isClosed(), many[1].isClosed(), many[2].isClosed()}, "the oldest without a call")
	require.Nil(t, l.connect("10.0.0.1:4"), "no source has more than this one")

	for _, conn := range []*limitedConn{many[2], one, another} {
		conn.beginCall()
	}
	require.Nil(t, l.connect("10.0.0.4:1"), "all connections have calls")
	another.endCall()
	require.NotNil(t, l.connect("10.0.0.4:1"))
	require.True(t, another.isClosed())
	require.Equal(t, 4, l.count)
}

// number returns the value of a metric with a label value.
func number(t *testing.T, registry prometheus.Gatherer, name, label string) float64 {
	t.Helper()
	families, err := registry.Gather()
	require.NoError(t, err)
	total := 0.0
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			if family.GetName() == name && hasLabel(metric, label) {
				total += metric.GetGauge().GetValue() + metric.GetCounter().GetValue()
			}
		}
	}
	return total
}

func hasLabel(metric *dto.Metric, value string) bool {
	for _, label := range metric.GetLabel() {
		if label.GetValue() == value {
			return true
		}
	}
	return false
}

// from returns a dialer with a source address of the loopback network. Only Linux accepts
// all addresses of 127.0.0.0/8.
func from(address string) *net.Dialer {
	return &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
}

// silent opens connections from an address that send nothing, and counts those that the
// server closes.
func silent(t *testing.T, address string, to net.Addr, n int, closed *atomic.Int64) {
	t.Helper()
	for range n {
		conn, err := from(address).DialContext(t.Context(), "tcp", to.String())
		if err != nil { // the server was faster
			closed.Add(1)
			continue
		}
		t.Cleanup(func() { _ = conn.Close() })
		go func() {
			_, _ = conn.Read(make([]byte, 1))
			closed.Add(1)
		}()
	}
}

// memory returns the bytes that the process uses.
func memory() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc + stats.StackInuse
}

// TestSilentConnections opens many silent connections from many addresses. A caller from
// another address gets in, connections beyond the limits are closed, and each of the others
// costs at most 64 KiB.
//
//nolint:paralleltest // It measures the memory of the process.
func TestSilentConnections(t *testing.T) {
	const addresses, each, bytesEach = 30, 30, 64 << 10
	config := unlimited()
	registry := prometheus.NewRegistry()
	config.Metrics, config.Connections = registry, ConnectionLimits{Maximum: 300, PerAddress: 20}
	server := New(config)
	server.limits.ioTimeout = time.Hour // so that no connection ends for another reason
	server.Register(&leases{}, tmsv1connect.UnimplementedAllowlistServiceHandler{}, tmsv1connect.UnimplementedLeaseNameServiceHandler{})
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	start(t, server, listener)
	before := memory()
	var closed atomic.Int64
	for i := range addresses {
		silent(t, fmt.Sprintf("127.0.0.%d", 2+i), listener.Addr(), each, &closed)
	}
	for closed.Load() < addresses*each-int64(config.Connections.Maximum) { // ends with the test's deadline
		time.Sleep(time.Millisecond)
	}
	require.EqualValues(t, config.Connections.Maximum, number(t, registry, "tms_connections", "api"))
	require.EqualValues(t, addresses*each-config.Connections.Maximum, number(t, registry, "tms_limited_connections_total", "api"))
	for _, reason := range []string{overAddress, overMaximum, preempted} {
		require.Positive(t, number(t, registry, "tms_limited_connections_total", reason), reason)
	}
	perConnection := (int64(memory()) - int64(before)) / int64(config.Connections.Maximum)
	require.Less(t, perConnection, int64(bytesEach))

	transport := &http.Transport{DialContext: from("127.0.0.200").DialContext, DisableKeepAlives: true}
	client := tmsv1connect.NewLeaseServiceClient(&http.Client{Transport: transport}, "http://"+listener.Addr().String())
	for range 20 {
		lease, err := status(client, "a")
		require.NoError(t, err)
		require.Equal(t, "a", lease.GetId())
	}
	require.LessOrEqual(t, number(t, registry, "tms_connections", "api"), float64(config.Connections.Maximum))
}

// TestPort checks that silent connections to the port of probes do not lock out the
// kubelet.
func TestPort(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })
	port, err := NewPort(t.Context(), "health", "127.0.0.1:0", handler, registry, logr.Discard())
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- port.Start(ctx) }()
	var closed atomic.Int64
	for i := range 10 {
		silent(t, fmt.Sprintf("127.0.1.%d", 1+i), port.Listener.Addr(), 20, &closed)
	}
	client := &http.Client{Transport: &http.Transport{DialContext: from("127.0.0.200").DialContext, DisableKeepAlives: true}}
	for range 10 {
		request := httptest.NewRequestWithContext(ctx, http.MethodGet, "http://"+port.Listener.Addr().String(), nil)
		request.RequestURI = ""
		response, err := client.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, http.StatusOK, response.StatusCode)
	}
	for closed.Load() < 200-int64(portConnections.Maximum) {
		time.Sleep(time.Millisecond)
	}
	require.LessOrEqual(t, number(t, registry, "tms_connections", "health"), float64(portConnections.Maximum))
	stop()
	require.NoError(t, <-ended)
	require.False(t, manager.LeaderElectionRunnable(port).NeedLeaderElection())

	_, err = NewPort(t.Context(), "health", "256.0.0.1:0", handler, registry, logr.Discard())
	require.ErrorContains(t, err, "listen on the port of health: ")
	_, err = NewPort(t.Context(), "health", "127.0.0.1:0", handler, registry, logr.Discard())
	require.ErrorContains(t, err, "metrics: ")
}

// TestBusyConnection checks that a connection with an open call is not closed for a new one,
// with and without TLS, and that it is once the call ends.
func TestBusyConnection(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("TLS %t", secure), func(t *testing.T) {
			t.Parallel()
			config, scheme := unlimited(), "http"
			config.Connections = ConnectionLimits{Maximum: 1, PerAddress: 1}
			if secure {
				scheme, config.CertFile, config.KeyFile = "https", filepath.Join(t.TempDir(), "tls.crt"), filepath.Join(t.TempDir(), "tls.key")
				writeCertificate(t, config.CertFile, config.KeyFile, 1)
			}
			server := New(config)
			end := make(chan struct{})
			server.Register(&leases{acquire: func(_ context.Context, _ *tmsv1.AcquireRequest, send func(*tmsv1.AcquireResponse) error) error {
				err := send(new(tmsv1.AcquireResponse))
				<-end
				return err
			}}, tmsv1connect.UnimplementedAllowlistServiceHandler{}, tmsv1connect.UnimplementedLeaseNameServiceHandler{})
			listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
			require.NoError(t, err)
			start(t, server, listener)
			client := func(address string) tmsv1connect.LeaseServiceClient {
				transport := &http.Transport{DialContext: from(address).DialContext, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
				t.Cleanup(transport.CloseIdleConnections)
				return tmsv1connect.NewLeaseServiceClient(&http.Client{Transport: transport}, scheme+"://"+listener.Addr().String())
			}
			stream, err := client("127.0.0.2").Acquire(t.Context(), connect.NewRequest(new(tmsv1.AcquireRequest)))
			require.NoError(t, err)
			require.True(t, stream.Receive())
			_, err = status(client("127.0.0.3"), "a")
			require.Error(t, err)
			close(end)
			require.False(t, stream.Receive())
			require.NoError(t, stream.Err())
			for err != nil { // the call ends after its last response
				require.NoError(t, t.Context().Err())
				_, err = status(client("127.0.0.3"), "a")
			}
		})
	}
}
