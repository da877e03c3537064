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

// bearer sends a token with each call.
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

// acquiring is a call of Acquire that runs.
type acquiring struct {
	answers chan *tmsv1.AcquireResponse
	cancel  context.CancelFunc
	ended   chan error
}

// acquire begins a call.
func (c *cluster) acquire(ctx context.Context, user string, request *tmsv1.AcquireRequest) *acquiring {
	ctx, cancel := context.WithCancel(ctx)
	a := &acquiring{answers: make(chan *tmsv1.AcquireResponse, 100), cancel: cancel, ended: make(chan error, 1)}
	c.t.Cleanup(cancel)
	go func() {
		stream, err := c.as(user).Acquire(ctx, connect.NewRequest(request))
		if err != nil {
			a.ended <- err
			return
		}
		for stream.Receive() {
			a.answers <- stream.Msg()
		}
		a.ended <- stream.Err()
		_ = stream.Close()
	}()
	return a
}

// told returns the answers that came.
func (a *acquiring) told() []*tmsv1.AcquireResponse {
	var all []*tmsv1.AcquireResponse
	for {
		select {
		case answer := <-a.answers:
			all = append(all, answer)
		default:
			return all
		}
	}
}

// end waits for the end of the call, and returns the last answer.
func (a *acquiring) end() (*tmsv1.AcquireResponse, error) {
	err := <-a.ended
	all := a.told()
	if len(all) == 0 {
		return nil, err
	}
	return all[len(all)-1], err
}

// one is a request for one model.
func one(change ...func(*tmsv1.AcquireRequest)) *tmsv1.AcquireRequest {
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

// fields returns what an error says of which fields, for programs.
func fields(t *testing.T, err error) map[string]string {
	t.Helper()
	var problem *connect.Error
	require.ErrorAs(t, err, &problem)
	all := map[string]string{}
	for _, detail := range problem.Details() {
		value, err := detail.Value()
		require.NoError(t, err)
		for _, violation := range value.(*errdetails.BadRequest).GetFieldViolations() {
			all[violation.GetField()] += violation.GetDescription()
		}
	}
	return all
}
