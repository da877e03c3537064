package server

import (
	"context"
	"net"
	"net/http"
	"testing"

	"connectrpc.com/connect"
	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/controller-runtime/pkg/log"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/api/tms/v1/tmsv1connect"
	"github.com/triton-leases/tms/internal/auth"
	"github.com/triton-leases/tms/internal/testing/memnet"
)

// leases is a LeaseService with the functions of a test.
type leases struct {
	tmsv1connect.UnimplementedLeaseServiceHandler
	status  func(context.Context, *tmsv1.StatusRequest) (*tmsv1.StatusResponse, error)
	acquire func(context.Context, *tmsv1.AcquireRequest, func(*tmsv1.AcquireResponse) error) error
}

func (l *leases) Status(ctx context.Context, request *connect.Request[tmsv1.StatusRequest]) (*connect.Response[tmsv1.StatusResponse], error) {
	if l.status == nil {
		return connect.NewResponse(&tmsv1.StatusResponse{Lease: &tmsv1.Lease{Id: request.Msg.GetId()}}), nil
	}
	response, err := l.status(ctx, request.Msg)
	return connect.NewResponse(response), err
}

func (l *leases) Acquire(ctx context.Context, request *connect.Request[tmsv1.AcquireRequest], stream *connect.ServerStream[tmsv1.AcquireResponse]) error {
	return l.acquire(ctx, request.Msg, stream.Send)
}

// testServer is a running server.
type testServer struct {
	*Server
	*memnet.Listener
	registry *prometheus.Registry
	// stop stops the server, and returns the error of Start.
	stop func() error
}

// unlimited returns a Config with limits that no test reaches.
func unlimited() Config {
	return Config{
		Reviewer: auth.AllowAll(), Metrics: prometheus.NewRegistry(), Audit: logr.Discard(), Streams: 100,
		Limits:      auth.Limits{PerSecond: 1e9, Burst: 1e9, Reviews: 1e9, ReviewsPerAddress: 1e9},
		Connections: ConnectionLimits{Maximum: 1e9, PerAddress: 1e9}, OpenCalls: CallLimits{Maximum: 1e9, PerUser: 1e9},
	}
}

// serve starts a server on a network in memory until the test ends. Each change changes
// the server first.
func serve(t *testing.T, served *leases, change ...func(*Server)) *testServer {
	t.Helper()
	config := unlimited()
	registry := prometheus.NewRegistry()
	config.Metrics = registry
	server := New(config)
	server.Register(served, tmsv1connect.UnimplementedAllowlistServiceHandler{}, tmsv1connect.UnimplementedLeaseNameServiceHandler{})
	for _, c := range change {
		c(server)
	}
	r := &testServer{Server: server, Listener: memnet.Listen(), registry: registry}
	r.stop = start(t, server, r.Listener)
	return r
}

// start serves a listener until the test ends or stop is called.
func start(t *testing.T, server *Server, listener net.Listener) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(log.IntoContext(context.Background(), logr.Discard()))
	ended := make(chan error, 1)
	go func() { ended <- server.serve(ctx, listener) }()
	stop = func() error {
		cancel()
		err := <-ended
		ended <- err // for the next call of stop
		return err
	}
	t.Cleanup(func() { _ = stop() })
	return stop
}

// protocol is a protocol of the API over a version of HTTP.
type protocol struct {
	http2   bool
	options []connect.ClientOption
}

var protocols = map[string]protocol{
	"gRPC":                    {true, []connect.ClientOption{connect.WithGRPC()}},
	"gRPC-Web, HTTP/1.1":      {false, []connect.ClientOption{connect.WithGRPCWeb()}},
	"gRPC-Web, HTTP/2":        {true, []connect.ClientOption{connect.WithGRPCWeb()}},
	"Connect, HTTP/1.1":       {false, nil},
	"Connect, HTTP/2":         {true, nil},
	"Connect, JSON, HTTP/1.1": {false, []connect.ClientOption{connect.WithProtoJSON()}},
	"Connect, JSON, HTTP/2":   {true, []connect.ClientOption{connect.WithProtoJSON()}},
}

// client returns a client that uses a protocol.
func (r *testServer) client(t *testing.T, p protocol) (tmsv1connect.LeaseServiceClient, *http.Client) {
	t.Helper()
	httpClient := r.Client(p.http2)
	t.Cleanup(httpClient.CloseIdleConnections)
	return tmsv1connect.NewLeaseServiceClient(httpClient, "http://server", p.options...), httpClient
}

// status calls Status and returns the lease.
func status(client tmsv1connect.LeaseServiceClient, id string) (*tmsv1.Lease, error) {
	response, err := client.Status(context.Background(), connect.NewRequest(&tmsv1.StatusRequest{Id: id}))
	if err != nil {
		return nil, err
	}
	return response.Msg.GetLease(), nil
}

func requireCode(t *testing.T, want connect.Code, err error) {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, want, connect.CodeOf(err), "%v", err)
}
