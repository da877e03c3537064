package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"connectrpc.com/connect"
)

// patience has a request arrive within a time, and each answer leave within it, so
// that slow clients cost little. In between, an Acquire may take as long as models load.
type patience struct{ limit time.Duration }

type connectionKey struct{}

// connection is what one call comes by.
type connection struct {
	controller *http.ResponseController
	limit      time.Duration
}

// middleware sets the deadline before anything of a request is read.
func (p patience) middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &connection{http.NewResponseController(w), p.limit}
		// Where deadlines cannot be set, the connection is gone.
		_ = c.controller.SetReadDeadline(time.Now().Add(p.limit))
		// There is time left to say that the request did not arrive.
		_ = c.controller.SetWriteDeadline(time.Now().Add(2 * p.limit))
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), connectionKey{}, c)))
	})
}

// arrived says that the request is there, and that nothing has to be sent before long.
func (c *connection) arrived() {
	_ = c.controller.SetReadDeadline(time.Time{})
	c.rest()
}

// hurry says that what is sent now has to be read, rest that nothing is sent.
func (c *connection) hurry() { _ = c.controller.SetWriteDeadline(time.Now().Add(c.limit)) }
func (c *connection) rest()  { _ = c.controller.SetWriteDeadline(time.Time{}) }

// WrapUnary implements connect.Interceptor: the request is there.
func (p patience) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, request connect.AnyRequest) (connect.AnyResponse, error) {
		if c, ok := ctx.Value(connectionKey{}).(*connection); ok {
			c.arrived()
			defer c.hurry()
		}
		return next(ctx, request)
	}
}

// WrapStreamingHandler implements connect.Interceptor.
func (p patience) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, stream connect.StreamingHandlerConn) error {
		c, ok := ctx.Value(connectionKey{}).(*connection)
		if !ok {
			return next(ctx, stream)
		}
		defer c.hurry()
		return next(ctx, &patientStream{stream, c})
	}
}

// WrapStreamingClient implements connect.Interceptor.
func (p patience) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

// patientStream is a stream of one request and many answers.
type patientStream struct {
	connect.StreamingHandlerConn
	connection *connection
}

// Receive implements connect.StreamingHandlerConn. A request is there when its end is,
// which comes after its only message: who never sends that would wait for ever.
func (s *patientStream) Receive(message any) error {
	err := s.StreamingHandlerConn.Receive(message)
	if errors.Is(err, io.EOF) {
		s.connection.arrived()
	}
	return err
}

// Send implements connect.StreamingHandlerConn.
func (s *patientStream) Send(message any) error {
	s.connection.hurry()
	defer s.connection.rest()
	return s.StreamingHandlerConn.Send(message)
}
