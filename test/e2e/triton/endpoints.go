package triton

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/triton-leases/tms/test/e2e/node"
)

// endpoints are the HTTP, gRPC and metrics endpoints of a Triton.
type endpoints struct {
	http   []*http.Server
	grpc   *grpc.Server
	served sync.WaitGroup
}

// serve serves the endpoints of a Triton until it exits.
func (f *Fleet) serve(ctx context.Context, c *node.Container, s *server) error {
	e, err := f.listen(ctx, c, s)
	defer e.close()
	if err != nil {
		return err
	}
	f.join(s)
	_, _ = fmt.Fprintf(c.Log, "%s Started HTTPService at %[2]s:%[3]s, GRPCInferenceService at %[2]s:%[4]s, Metrics Service at %[2]s:%[5]s\n",
		time.Now().Format(time.TimeOnly), c.IP, s.options.http, s.options.grpc, s.options.metrics)
	deleted := c.Deleted()
	for {
		select {
		case <-ctx.Done():
			return f.exit(c, s, e)
		case <-deleted: // Services send no more requests
			f.leave(s)
			deleted = nil
		case <-time.After(250 * time.Millisecond): // advance regularly, so that a later call has few events to process
			f.mu.Lock()
			f.advance(s.workload)
			f.mu.Unlock()
		}
	}
}

// exit ends a Triton as Triton does after SIGTERM: it closes its endpoints at once, and
// finishes the requests in flight. After --exit-timeout-secs it exits, and the remaining
// requests fail.
func (f *Fleet) exit(c *node.Container, s *server, e *endpoints) error {
	f.leave(s)
	ctx, cancel := context.WithTimeout(context.Background(), s.options.exitTimeout)
	defer cancel()
	answered := make(chan struct{})
	go func() {
		e.shutdown(ctx)
		close(answered)
	}()
	for idle := false; !idle || answered != nil; {
		select {
		case <-c.Killed():
			return errKilled
		case <-ctx.Done():
			return errExpired
		case <-answered:
			answered = nil
		case <-time.After(50 * time.Millisecond):
		}
		f.mu.Lock()
		s.advance(f.now(), f.behavior(s.workload))
		idle = s.idle()
		f.mu.Unlock()
	}
	return nil
}

// listen opens the endpoints. The caller must close them even if listen returns an error.
func (f *Fleet) listen(ctx context.Context, c *node.Container, s *server) (*endpoints, error) {
	e := &endpoints{grpc: f.grpcServer(s)}
	metrics := http.NewServeMux()
	metrics.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, f.metrics(s))
	})
	open := func(port string, serve func(net.Listener) error) error {
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(c.IP, port))
		if err != nil {
			return fmt.Errorf("listen: %w", err)
		}
		e.served.Go(func() { _ = serve(listener) })
		return nil
	}
	for port, handler := range map[string]http.Handler{s.options.http: f.httpHandler(s), s.options.metrics: metrics} {
		server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
		e.http = append(e.http, server)
		if err := open(port, server.Serve); err != nil {
			return e, err
		}
	}
	return e, open(s.options.grpc, e.grpc.Serve)
}

// shutdown closes the listeners, and waits until all requests in flight are answered or
// the context is done.
func (e *endpoints) shutdown(ctx context.Context) {
	var all sync.WaitGroup
	for _, server := range e.http {
		all.Go(func() { _ = server.Shutdown(ctx) })
	}
	all.Go(e.grpc.GracefulStop)
	all.Wait()
}

// close closes the endpoints and all connections.
func (e *endpoints) close() {
	for _, server := range e.http {
		_ = server.Close()
	}
	e.grpc.Stop()
	e.served.Wait()
}

var errUnknownModel = errors.New("request for unknown model")

// infer queues a real request, and waits for its answer.
func (f *Fleet) infer(ctx context.Context, s *server, model string) error {
	answer := make(chan error, 1)
	f.mu.Lock()
	b := f.behavior(s.workload)
	s.advance(f.now(), b)
	q := s.queues[model]
	if q != nil {
		q.submit(answer, b)
	}
	f.mu.Unlock()
	if q == nil {
		return fmt.Errorf("%w: '%s' is not found", errUnknownModel, model)
	}
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
