package lease

import (
	"context"
	"testing"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
)

var (
	resource = schema.GroupResource{Group: "tms.triton-leases.dev", Resource: "tritonleases"}
	notFound = apierrors.NewNotFound(resource, "a")
)

// bearer is a client interceptor that sends a token.
type bearer string

func (b bearer) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, request connect.AnyRequest) (connect.AnyResponse, error) {
		request.Header().Set("Authorization", "Bearer "+string(b))
		return next(ctx, request)
	}
}

func (b bearer) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return func(ctx context.Context, spec connect.Spec) connect.StreamingClientConn {
		conn := next(ctx, spec)
		conn.RequestHeader().Set("Authorization", "Bearer "+string(b))
		return conn
	}
}

func (b bearer) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return next
}

// acquireCall is a running call of Acquire.
type acquireCall struct {
	received chan *tmsv1.AcquireResponse
	cancel   context.CancelFunc
	ended    chan error
}

// acquire starts a call.
func (c *cluster) acquire(ctx context.Context, user string, request *tmsv1.AcquireRequest) *acquireCall {
	ctx, cancel := context.WithCancel(ctx)
	a := &acquireCall{received: make(chan *tmsv1.AcquireResponse, 100), cancel: cancel, ended: make(chan error, 1)}
	c.t.Cleanup(cancel)
	go func() {
		stream, err := c.as(user).Acquire(ctx, connect.NewRequest(request))
		if err != nil {
			a.ended <- err
			return
		}
		for stream.Receive() {
			a.received <- stream.Msg()
		}
		a.ended <- stream.Err()
		_ = stream.Close()
	}()
	return a
}

// responses returns the responses received since the last call of responses.
func (a *acquireCall) responses() []*tmsv1.AcquireResponse {
	var all []*tmsv1.AcquireResponse
	for {
		select {
		case response := <-a.received:
			all = append(all, response)
		default:
			return all
		}
	}
}

// result waits for the end of the call, and returns its last response and its error.
func (a *acquireCall) result() (*tmsv1.AcquireResponse, error) {
	err := <-a.ended
	all := a.responses()
	if len(all) == 0 {
		return nil, err
	}
	return all[len(all)-1], err
}

// request returns a request with one model.
func request(change ...func(*tmsv1.AcquireRequest)) *tmsv1.AcquireRequest {
	request := &tmsv1.AcquireRequest{Name: "a", RequestId: "id", Spec: &tmsv1.LeaseSpec{
		Models: []*tmsv1.Model{{Name: "m", Uri: "s3://models/m"}}, Resources: &tmsv1.Resources{Gpus: new(int64(1)), Cpus: "500m", Memory: "2Gi"},
	}}
	for _, c := range change {
		c(request)
	}
	return request
}

func requireCode(t *testing.T, want connect.Code, err error, text ...string) {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, want, connect.CodeOf(err), "%v", err)
	for _, part := range text {
		require.ErrorContains(t, err, part)
	}
}

// fields returns the field violations of an error by field.
func fields(t *testing.T, err error) map[string]string {
	t.Helper()
	var coded *connect.Error
	require.ErrorAs(t, err, &coded)
	all := map[string]string{}
	for _, detail := range coded.Details() {
		value, err := detail.Value()
		require.NoError(t, err)
		for _, violation := range value.(*errdetails.BadRequest).GetFieldViolations() {
			all[violation.GetField()] += violation.GetDescription()
		}
	}
	return all
}
