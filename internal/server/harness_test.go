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

// leases are leases that a test answers for.
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

// running is a server that serves.
type running struct {
	*Server
	*memnet.Listener
	registry *prometheus.Registry
	// end has the server end, and returns what Start returns.
	end func() error
}

// unlimited lets everybody call as often as they like.
var unlimited = auth.Limits{PerSecond: 1e9, Burst: 1e9, Reviews: 1e9}

// serve serves leases in memory until the test ends. Change may change how.
func serve(t *testing.T, served *leases, change ...func(*Server)) *running {
	t.Helper()
	registry := prometheus.NewRegistry()
	server := New(Config{Access: auth.Open(), Limits: unlimited, Streams: 100, Metrics: registry})
	server.Serve(served, tmsv1connect.UnimplementedAllowlistServiceHandler{})
	for _, c := range change {
		c(server)
	}
	r := &running{Server: server, Listener: memnet.Listen(), registry: registry}
	r.end = start(t, server, r.Listener)
	return r
}

// start serves what a listener accepts until the test ends, or what it returns is called.
func start(t *testing.T, server *Server, listener net.Listener) (end func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(log.IntoContext(context.Background(), logr.Discard()))
	ended := make(chan error, 1)
	go func() { ended <- server.serve(ctx, listener) }()
	end = func() error {
		cancel()
		err := <-ended
		ended <- err // for who asks again
		return err
	}
	t.Cleanup(func() { _ = end() })
	return end
}

// protocol is one of the ways to call.
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

// client calls a server by a protocol.
func (r *running) client(t *testing.T, by protocol) (tmsv1connect.LeaseServiceClient, *http.Client) {
	t.Helper()
	caller := r.Client(by.http2)
	t.Cleanup(caller.CloseIdleConnections)
	return tmsv1connect.NewLeaseServiceClient(caller, "http://server", by.options...), caller
}

// status calls Status.
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
