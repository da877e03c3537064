package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"connectrpc.com/connect"
)

// deadlines sets the read and write deadlines of connections, so that slow clients cost
// little: a request must arrive within the limit, and the client must read each response
// within the limit. There is no deadline in between, because an Acquire takes as long as
// models load.
type deadlines struct{ limit time.Duration }

type connectionKey struct{}

// connection is the connection of one call.
type connection struct {
	controller *http.ResponseController
	limit      time.Duration
	http1      bool
	header     http.Header // of the response
	refused    bool
}

// body is the body of an HTTP/1.1 request. Close reads the rest of a body, so that it must
// wait until the response to a refused call is written: the server closes it then.
type body struct {
	io.ReadCloser
	connection *connection
}

// Close implements io.Closer.
func (b body) Close() error {
	if b.connection.refused {
		return nil
	}
	return b.ReadCloser.Close()
}

// middleware sets the deadlines before any of the request is read.
func (d deadlines) middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &connection{http.NewResponseController(w), d.limit, r.ProtoMajor == 1, w.Header(), false}
		// Setting a deadline fails only if the connection is closed, which the next read
		// reports.
		_ = c.controller.SetReadDeadline(time.Now().Add(d.limit))
		// The write deadline is later, to leave time for the error of a late request.
		_ = c.controller.SetWriteDeadline(time.Now().Add(2 * d.limit))
		r = r.WithContext(context.WithValue(r.Context(), connectionKey{}, c))
		if c.http1 {
			r.Body = body{r.Body, c}
		}
		next.ServeHTTP(w, r)
	})
}

// requestRead clears the deadlines: the request has arrived, and a response may take
// long.
func (c *connection) requestRead() {
	_ = c.controller.SetReadDeadline(time.Time{})
	c.clearWrite()
}

// refuse prepares a response to a call without reading its request. HTTP/2 then resets the
// stream. HTTP/1.1 would read the request before it responds: refuse makes it respond at
// once, then drop what arrives within a second, so that the client can read the response,
// and close the connection.
func (c *connection) refuse() {
	c.refused = true
	if c.http1 {
		_ = c.controller.EnableFullDuplex()
		c.header.Set("Connection", "close")
		_ = c.controller.SetReadDeadline(time.Now().Add(time.Second))
	}
}

// setWrite starts the time in which the client must read a response, and clearWrite ends
// it.
func (c *connection) setWrite()   { _ = c.controller.SetWriteDeadline(time.Now().Add(c.limit)) }
func (c *connection) clearWrite() { _ = c.controller.SetWriteDeadline(time.Time{}) }

// WrapUnary implements connect.Interceptor. A unary request is read before interceptors
// run.
func (d deadlines) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, request connect.AnyRequest) (connect.AnyResponse, error) {
		if c, ok := ctx.Value(connectionKey{}).(*connection); ok {
			c.requestRead()
			defer c.setWrite()
		}
		return next(ctx, request)
	}
}

// WrapStreamingHandler implements connect.Interceptor.
func (d deadlines) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, stream connect.StreamingHandlerConn) error {
		c, ok := ctx.Value(connectionKey{}).(*connection)
		if !ok {
			return next(ctx, stream)
		}
		defer c.setWrite()
		return next(ctx, &deadlineStream{stream, c})
	}
}

// WrapStreamingClient implements connect.Interceptor.
func (d deadlines) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

// deadlineStream is a server-streaming call: one request, many responses.
type deadlineStream struct {
	connect.StreamingHandlerConn
	connection *connection
}

// Receive implements connect.StreamingHandlerConn. The request is complete at io.EOF,
// after its only message: without a deadline, a client that never ends the request would
// hold the call for ever.
func (s *deadlineStream) Receive(message any) error {
	err := s.StreamingHandlerConn.Receive(message)
	if errors.Is(err, io.EOF) {
		s.connection.requestRead()
	}
	return err
}

// Send implements connect.StreamingHandlerConn.
func (s *deadlineStream) Send(message any) error {
	s.connection.setWrite()
	defer s.connection.clearWrite()
	return s.StreamingHandlerConn.Send(message)
}
