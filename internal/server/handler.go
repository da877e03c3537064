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
)

// handler returns the HTTP handler of the services and of reflection, which need a
// token, and of health, which needs none.
func (s *Server) handler() (http.Handler, error) {
	metrics, err := newCallMetrics(s.config.Metrics)
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	gates := newGates(s.config)
	// A compressed request can be a thousand times larger than what is sent.
	uncompressed := connect.WithCompression("gzip", nil, nil)
	options := connect.WithHandlerOptions(
		uncompressed,
		connect.WithReadMaxBytes(s.limits.requestBytes),
		connect.WithRequestGate(metrics.gate(gates.admit)),
		connect.WithInterceptors(deadlines{s.limits.ioTimeout}, metrics, auditLog{s.config.Audit}),
		connect.WithRecover(recoverPanic),
	)
	mux := http.NewServeMux()
	mux.Handle(tmsv1connect.NewLeaseServiceHandler(s.leases, options))
	mux.Handle(tmsv1connect.NewAllowlistServiceHandler(s.allowlist, options))
	mux.Handle(tmsv1connect.NewLeaseNameServiceHandler(s.names, options))
	services := []string{tmsv1connect.LeaseServiceName, tmsv1connect.AllowlistServiceName, tmsv1connect.LeaseNameServiceName}
	reflector := grpcreflect.NewStaticReflector(append(services, grpchealth.HealthV1ServiceName)...)
	mux.Handle(grpcreflect.NewHandlerV1(reflector, options))
	mux.Handle(grpcreflect.NewHandlerV1Alpha(reflector, options))
	path, check := grpchealth.NewHandler(&health{grpchealth.NewStaticChecker(services...), s.stopping},
		uncompressed, connect.WithReadMaxBytes(healthRequestBytes), connect.WithRequestGate(metrics.gate(gates.admitHealth)))
	mux.Handle(path+"Check", check) // without Watch, which would be a stream without a token
	return deadlines{s.limits.ioTimeout}.middleware(endCalls(metrics.middleware(procedures(), mux))), nil
}

// healthRequestBytes is the size of the largest request to the health service, which
// contains the name of a service.
const healthRequestBytes = 4 << 10

// procedures returns the paths of all methods of the services.
func procedures() map[string]bool {
	all := map[string]bool{}
	for _, file := range []protoreflect.FileDescriptor{tmsv1.File_tms_v1_lease_proto, tmsv1.File_tms_v1_allowlist_proto, tmsv1.File_tms_v1_lease_name_proto} {
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
