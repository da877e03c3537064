package server

import (
	"context"

	"connectrpc.com/connect"
	"github.com/go-logr/logr"

	"github.com/triton-leases/tms/api/tms/v1/tmsv1connect"
	"github.com/triton-leases/tms/internal/auth"
	"github.com/triton-leases/tms/internal/server/audit"
)

// auditedCalls are the names in the audit log of the calls that change something, by procedure.
var auditedCalls = map[string]string{
	tmsv1connect.LeaseServiceAcquireProcedure:    "acquire",
	tmsv1connect.LeaseServiceReleaseProcedure:    "release",
	tmsv1connect.LeaseServiceRenewProcedure:      "renew",
	tmsv1connect.LeaseServiceReloadProcedure:     "reload",
	tmsv1connect.LeaseNameServiceCreateProcedure: "name create",
	tmsv1connect.LeaseNameServiceDeleteProcedure: "name delete",
	tmsv1connect.AllowlistServiceAppendProcedure: "allowlist append",
	tmsv1connect.AllowlistServiceRemoveProcedure: "allowlist remove",
}

// auditLog is a connect.Interceptor that logs each of auditedCalls with its user and result.
type auditLog struct{ logger logr.Logger }

func (a auditLog) write(ctx context.Context, name string, entry *audit.Entry, peer connect.Peer, err error) {
	result := "ok"
	if err != nil {
		result = codeOf(err).String()
	}
	user := auth.UserFrom(ctx)
	fields := []any{"user", user.Username, "uid", user.UID, "source", auth.IP(peer.Addr).String(), "code", result}
	if entry.Namespace != "" {
		fields = append(fields, "namespace", entry.Namespace)
	}
	if entry.Name != "" {
		fields = append(fields, "name", entry.Name)
	}
	if entry.Lease != "" {
		fields = append(fields, "lease", entry.Lease)
	}
	if len(entry.Images) > 0 {
		fields = append(fields, "images", entry.Images)
	}
	a.logger.Info(name, fields...)
}

// WrapUnary implements connect.Interceptor.
func (a auditLog) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, request connect.AnyRequest) (connect.AnyResponse, error) {
		name, ok := auditedCalls[request.Spec().Procedure]
		if !ok {
			return next(ctx, request)
		}
		ctx, entry := audit.With(ctx)
		response, err := next(ctx, request)
		a.write(ctx, name, entry, request.Peer(), err)
		return response, err
	}
}

// WrapStreamingHandler implements connect.Interceptor.
func (a auditLog) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, stream connect.StreamingHandlerConn) error {
		name, ok := auditedCalls[stream.Spec().Procedure]
		if !ok {
			return next(ctx, stream)
		}
		ctx, entry := audit.With(ctx)
		err := next(ctx, stream)
		a.write(ctx, name, entry, stream.Peer(), err)
		return err
	}
}

// WrapStreamingClient implements connect.Interceptor.
func (a auditLog) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}
