package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"

	"connectrpc.com/connect"
	"github.com/go-logr/logr"
	"github.com/stretchr/testify/require"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/api/tms/v1/tmsv1connect"
	"github.com/triton-leases/tms/internal/server/audit"
)

// changing and changingList are services whose calls fill the entry of the audit log.
type changing struct{ leases }

type changingList struct {
	tmsv1connect.UnimplementedAllowlistServiceHandler
}

func (*changing) Release(ctx context.Context, request *connect.Request[tmsv1.ReleaseRequest]) (*connect.Response[tmsv1.ReleaseResponse], error) {
	audit.SetLease(ctx, "inference", request.Msg.GetId())
	return connect.NewResponse(new(tmsv1.ReleaseResponse)), nil
}

func (changingList) Append(ctx context.Context, request *connect.Request[tmsv1.AppendRequest]) (*connect.Response[tmsv1.AppendResponse], error) {
	audit.SetImages(ctx, request.Msg.GetImages())
	return nil, connect.NewError(connect.CodePermissionDenied, errors.New("no"))
}

// changingNames is a service whose Create fills the entry of the audit log.
type changingNames struct {
	tmsv1connect.UnimplementedLeaseNameServiceHandler
}

func (changingNames) Create(ctx context.Context, request *connect.Request[tmsv1.LeaseNameServiceCreateRequest]) (*connect.Response[tmsv1.LeaseNameServiceCreateResponse], error) {
	audit.SetName(ctx, "inference", request.Msg.GetName(), request.Msg.GetLeaseId())
	return connect.NewResponse(new(tmsv1.LeaseNameServiceCreateResponse)), nil
}

// lines is a log.
type lines struct {
	sync.Mutex
	bytes.Buffer
}

func (l *lines) Write(line []byte) (int, error) {
	l.Lock()
	defer l.Unlock()
	return l.Buffer.Write(line)
}

// TestAudit checks that each call that changes something is one line of JSON, whatever its
// text, and that other calls are none.
func TestAudit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log lines
		service := &changing{leases: leases{acquire: func(ctx context.Context, _ *tmsv1.AcquireRequest, _ func(*tmsv1.AcquireResponse) error) error {
			audit.SetLease(ctx, "inference", "resnet50")
			return context.DeadlineExceeded
		}}}
		r := serve(t, &service.leases, func(s *Server) {
			s.config.Reviewer, s.config.Audit = reviewer(func() {}), logr.FromSlogHandler(slog.NewJSONHandler(&log, nil)).WithName("audit")
			s.Register(service, changingList{}, changingNames{})
		})
		client, httpClient := r.client(t, protocols["gRPC"])
		ctx, call := connect.NewClientContext(t.Context())
		call.RequestHeader().Set("Authorization", `Bearer ann"{\u202e}`)
		_, err := client.Release(ctx, connect.NewRequest(&tmsv1.ReleaseRequest{Id: "a\"\n{}\u2028"}))
		require.NoError(t, err)
		_, err = client.Status(ctx, connect.NewRequest(new(tmsv1.StatusRequest)))
		require.NoError(t, err)
		_, err = client.Status(t.Context(), connect.NewRequest(new(tmsv1.StatusRequest)))
		requireCode(t, connect.CodeUnauthenticated, err)
		stream, err := client.Acquire(ctx, connect.NewRequest(new(tmsv1.AcquireRequest)))
		require.NoError(t, err)
		require.False(t, stream.Receive())
		_, err = tmsv1connect.NewAllowlistServiceClient(httpClient, "http://server").Append(ctx, connect.NewRequest(&tmsv1.AppendRequest{Images: []string{"a", "b"}}))
		requireCode(t, connect.CodePermissionDenied, err)
		names := tmsv1connect.NewLeaseNameServiceClient(httpClient, "http://server")
		_, err = names.Create(ctx, connect.NewRequest(&tmsv1.LeaseNameServiceCreateRequest{Name: "vision", LeaseId: "green"}))
		require.NoError(t, err)

		var got []map[string]any
		for line := range bytes.Lines(log.Bytes()) {
			entry := map[string]any{}
			require.NoError(t, json.Unmarshal(line, &entry), "%s", line)
			require.Equal(t, []any{"audit", "INFO", "invalid IP", ""}, []any{entry["logger"], entry["level"], entry["source"], entry["uid"]})
			for _, key := range []string{"logger", "level", "source", "uid", "time"} {
				delete(entry, key)
			}
			got = append(got, entry)
		}
		const user = `ann"{\u202e}`
		require.Equal(t, []map[string]any{
			{"msg": "release", "user": user, "code": "ok", "namespace": "inference", "lease": "a\"\n{}\u2028"},
			{"msg": "acquire", "user": user, "code": "deadline_exceeded", "namespace": "inference", "lease": "resnet50"},
			{"msg": "allowlist append", "user": user, "code": "permission_denied", "images": []any{"a", "b"}},
			{"msg": "name create", "user": user, "code": "ok", "namespace": "inference", "name": "vision", "lease": "green"},
		}, got)
	})
}

// TestActs checks that the names of the audited procedures exist.
func TestActs(t *testing.T) {
	t.Parallel()
	for procedure := range auditedCalls {
		require.Contains(t, procedures(), procedure)
	}
	require.Len(t, procedures(), len(auditedCalls)+5, "all but Status, Quota and the three Lists; decide whether a new one changes something")
}
