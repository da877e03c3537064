package triton

import (
	"context"
	"errors"
	"math"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// inferMethod is Triton's method. Its messages are one text: the request names the model
// (the first field of Triton's request), the response the pod that served it.
const (
	inferService = "inference.GRPCInferenceService"
	inferMethod  = "ModelInfer"
)

// grpcServer returns the gRPC server of a Triton.
func (f *Fleet) grpcServer(s *server) *grpc.Server {
	age := func(d time.Duration) time.Duration {
		if d == 0 {
			return math.MaxInt64
		}
		return d
	}
	server := grpc.NewServer(grpc.KeepaliveParams(keepalive.ServerParameters{
		MaxConnectionAge: age(s.options.connectionAge), MaxConnectionAgeGrace: age(s.options.connectionAgeGrace),
	}))
	healthpb.RegisterHealthServer(server, health.NewServer())
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: inferService,
		HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{
			MethodName: inferMethod,
			Handler: func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
				model := new(wrapperspb.StringValue)
				if err := decode(model); err != nil {
					return nil, err
				}
				err := f.infer(ctx, s, model.Value)
				switch {
				case err == nil:
					return wrapperspb.String(s.pod), nil
				case errors.Is(err, errUnknownModel):
					return nil, status.Error(codes.NotFound, err.Error())
				}
				return nil, status.Error(codes.Unavailable, err.Error())
			},
		}},
	}, f)
	return server
}

// Infer sends an inference request over gRPC, and returns the name of the pod that served
// it.
func Infer(ctx context.Context, conn grpc.ClientConnInterface, model string) (pod string, err error) {
	answer := new(wrapperspb.StringValue)
	err = conn.Invoke(ctx, "/"+inferService+"/"+inferMethod, wrapperspb.String(model), answer)
	return answer.Value, err
}
