package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"

	"connectrpc.com/connect"
	"connectrpc.com/grpchealth"
	"connectrpc.com/grpcreflect"
	"google.golang.org/protobuf/reflect/protoreflect"
	"sigs.k8s.io/controller-runtime/pkg/log"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/api/tms/v1/tmsv1connect"
	"github.com/triton-leases/tms/internal/auth"
)

// handler returns the HTTP handler of both services, and of health and reflection,
// which need no token.
func (s *Server) handler() (http.Handler, error) {
	metrics, err := newCallMetrics(s.config.Metrics)
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	bounded := connect.WithHandlerOptions(
		connect.WithReadMaxBytes(s.limits.requestBytes),
		// A compressed request can be a thousand times larger than what is sent.
		connect.WithCompression("gzip", nil, nil),
	)
	options := connect.WithHandlerOptions(
		bounded,
		connect.WithRequestGate(metrics.gate(auth.NewGate(s.config.Reviewer, s.config.Limits).Admit)),
		connect.WithInterceptors(deadlines{s.limits.ioTimeout}, metrics),
		connect.WithRecover(recoverPanic),
	)
	mux := http.NewServeMux()
	mux.Handle(tmsv1connect.NewLeaseServiceHandler(s.leases, options))
	mux.Handle(tmsv1connect.NewAllowlistServiceHandler(s.allowlist, options))
	services := []string{tmsv1connect.LeaseServiceName, tmsv1connect.AllowlistServiceName}
	mux.Handle(grpchealth.NewHandler(&health{grpchealth.NewStaticChecker(services...), s.stopping}, bounded))
	reflector := grpcreflect.NewStaticReflector(append(services, grpchealth.HealthV1ServiceName)...)
	mux.Handle(grpcreflect.NewHandlerV1(reflector, bounded))
	mux.Handle(grpcreflect.NewHandlerV1Alpha(reflector, bounded))
	return deadlines{s.limits.ioTimeout}.middleware(metrics.middleware(procedures(), mux)), nil
}

// procedures returns the paths of all methods of both services.
func procedures() map[string]bool {
	all := map[string]bool{}
	for _, file := range []protoreflect.FileDescriptor{tmsv1.File_tms_v1_lease_proto, tmsv1.File_tms_v1_allowlist_proto} {
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			for j := range service.Methods().Len() {
				all[fmt.Sprintf("/%s/%s", service.FullName(), service.Methods().Get(j).Name())] = true
			}
		}
	}
	return all
}

// recoverPanic logs a panic of a handler. The caller gets an error without its details.
func recoverPanic(ctx context.Context, call connect.Spec, _ http.Header, reason any) error {
	log.FromContext(ctx).Error(fmt.Errorf("%v", reason), "panic", "procedure", call.Procedure, "stack", string(debug.Stack()))
	return connect.NewError(connect.CodeInternal, errors.New("internal error of the server; see its log"))
}

// health is a Checker that reports NOT_SERVING once the server shuts down.
type health struct {
	grpchealth.Checker
	stopping <-chan struct{}
}

// Check implements grpchealth.Checker.
func (h *health) Check(ctx context.Context, request *grpchealth.CheckRequest) (*grpchealth.CheckResponse, error) {
	select {
	case <-h.stopping:
		return &grpchealth.CheckResponse{Status: grpchealth.StatusNotServing}, nil
	default:
		return h.Checker.Check(ctx, request)
	}
}
