// Package api serves the API of leases: gRPC, gRPC-Web, and HTTP with JSON, all on one
// port (connectrpc.com).
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"connectrpc.com/connect"
	"connectrpc.com/grpchealth"
	"connectrpc.com/grpcreflect"
	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/reflect/protoreflect"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"
	"sigs.k8s.io/controller-runtime/pkg/log"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/api/tms/v1/tmsv1connect"
	"github.com/triton-leases/tms/internal/auth"
)

// Config is how the API is served.
type Config struct {
	// Address is where to listen, such as :30345.
	Address string
	// CertFile and KeyFile are PEM files, which are read again when they change. Without
	// them there is no TLS.
	CertFile, KeyFile string
	Access            *auth.Control
	Limits            auth.Limits
	// Streams is how many calls one connection may have open at once.
	Streams int
	// Metrics is where what is counted is registered.
	Metrics   prometheus.Registerer
	Leases    tmsv1connect.LeaseServiceHandler
	Allowlist tmsv1connect.AllowlistServiceHandler
}

// bounds are what one client may cost, whoever it is.
type bounds struct {
	// request and headers are the largest ones, in bytes: a lease takes a few hundred.
	request, headers int
	// slowest is how long a client may take to send its headers, then its request, and
	// to read each answer.
	slowest time.Duration
	// idle is how long a connection may do nothing.
	idle time.Duration
	// farewell is how long calls have to finish once the server ends.
	farewell time.Duration
}

var usual = bounds{request: 256 << 10, headers: 64 << 10, slowest: 10 * time.Second, idle: 2 * time.Minute, farewell: 8 * time.Second}

// Server serves the API. It is a manager.Runnable, of which every replica runs its own.
type Server struct {
	config   Config
	bounds   bounds
	stopping chan struct{}
	stop     func()
}

// New returns a server.
func New(config Config) *Server {
	stopping := make(chan struct{})
	return &Server{config: config, bounds: usual, stopping: stopping, stop: sync.OnceFunc(func() { close(stopping) })}
}

// Stopping is closed when calls that wait shall end.
func (s *Server) Stopping() <-chan struct{} { return s.stopping }

// Serve sets what is served, which is made after the server, because it has to know
// when that ends.
func (s *Server) Serve(leases tmsv1connect.LeaseServiceHandler, allowlist tmsv1connect.AllowlistServiceHandler) {
	s.config.Leases, s.config.Allowlist = leases, allowlist
}

// NeedLeaderElection is false: what is asked of the API any replica can do.
func (s *Server) NeedLeaderElection() bool { return false }

// Start serves until the context ends. Calls that wait end then with a code that has
// clients try again, elsewhere.
func (s *Server) Start(ctx context.Context) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", s.config.Address)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	return s.serve(ctx, listener)
}

// serve serves what a listener accepts, and closes it.
func (s *Server) serve(ctx context.Context, listener net.Listener) error {
	logger := log.FromContext(ctx).WithName("api")
	handler, err := s.handler()
	if err == nil {
		listener, err = s.secure(ctx, listener)
	}
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(s.config.CertFile == "")
	server := &http.Server{
		Handler: handler, Protocols: protocols, HTTP2: &http.HTTP2Config{MaxConcurrentStreams: s.config.Streams},
		ReadHeaderTimeout: s.bounds.slowest, IdleTimeout: s.bounds.idle, MaxHeaderBytes: s.bounds.headers,
		BaseContext: func(net.Listener) context.Context { return log.IntoContext(context.WithoutCancel(ctx), logger) },
		ErrorLog:    slog.NewLogLogger(logr.ToSlogHandler(logger), slog.LevelDebug), // clients that speak no HTTP
	}
	logger.Info("serving", "address", listener.Addr().String(), "tls", s.config.CertFile != "")
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	s.stop()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.bounds.farewell)
	defer cancel()
	if err := server.Shutdown(last); err != nil {
		return errors.Join(err, server.Close())
	}
	return nil
}

// secure has a listener speak TLS, where there is a certificate. It returns the
// listener even where that fails.
func (s *Server) secure(ctx context.Context, listener net.Listener) (net.Listener, error) {
	if s.config.CertFile == "" {
		return listener, nil
	}
	certificates, err := certwatcher.New(s.config.CertFile, s.config.KeyFile)
	if err != nil {
		return listener, fmt.Errorf("certificate: %w", err)
	}
	go func() {
		if err := certificates.Start(ctx); err != nil {
			log.FromContext(ctx).Error(err, "watch the certificate")
		}
	}()
	return tls.NewListener(listener, &tls.Config{
		GetCertificate: certificates.GetCertificate, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
	}), nil
}

// handler serves both services, and what tells of them, which everybody may know.
func (s *Server) handler() (http.Handler, error) {
	calls, err := newRecorder(s.config.Metrics)
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	frugal := connect.WithHandlerOptions(
		connect.WithReadMaxBytes(s.bounds.request),
		// A compressed request may be a thousand times as large as what was sent.
		connect.WithCompression("gzip", nil, nil),
	)
	options := connect.WithHandlerOptions(
		frugal,
		connect.WithRequestGate(calls.gate(auth.NewGate(s.config.Access, s.config.Limits).Admit)),
		connect.WithInterceptors(patience{s.bounds.slowest}, calls),
		connect.WithRecover(recovered),
	)
	mux := http.NewServeMux()
	mux.Handle(tmsv1connect.NewLeaseServiceHandler(s.config.Leases, options))
	mux.Handle(tmsv1connect.NewAllowlistServiceHandler(s.config.Allowlist, options))
	services := []string{tmsv1connect.LeaseServiceName, tmsv1connect.AllowlistServiceName}
	mux.Handle(grpchealth.NewHandler(&health{grpchealth.NewStaticChecker(services...), s.stopping}, frugal))
	reflector := grpcreflect.NewStaticReflector(append(services, grpchealth.HealthV1ServiceName)...)
	mux.Handle(grpcreflect.NewHandlerV1(reflector, frugal))
	mux.Handle(grpcreflect.NewHandlerV1Alpha(reflector, frugal))
	return patience{s.bounds.slowest}.middleware(calls.middleware(procedures(), mux)), nil
}

// procedures are the paths of all calls.
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

// recovered tells the caller that something is wrong, and the log what it is.
func recovered(ctx context.Context, call connect.Spec, _ http.Header, reason any) error {
	log.FromContext(ctx).Error(fmt.Errorf("%v", reason), "panic", "procedure", call.Procedure, "stack", string(debug.Stack()))
	return connect.NewError(connect.CodeInternal, errors.New("something is wrong with the server"))
}

// health says that the services are up until the server ends.
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
