package server

import (
	"context"
	"errors"
	"net/http"
	"time"

	"connectrpc.com/connect"
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/triton-leases/tms/internal/metric"
)

// callMetrics counts and times the calls, and logs those that fail.
type callMetrics struct {
	calls    *prometheus.CounterVec
	duration *prometheus.HistogramVec
	open     *prometheus.GaugeVec
}

// unread is the code of a call with a request that the server could not read: it was too
// large, too slow, malformed, or of an unknown protocol.
const unread = "unread"

func newCallMetrics(registry prometheus.Registerer) (*callMetrics, error) {
	m := &callMetrics{
		calls:    metric.Calls.CounterVec(nil),
		duration: metric.CallDuration.HistogramVec([]float64{.005, .02, .1, .5, 2, 10, 60, 300, 1800}),
		open:     metric.OpenCalls.GaugeVec(nil),
	}
	return m, errors.Join(registry.Register(m.calls), registry.Register(m.duration), registry.Register(m.open))
}

type codeKey struct{}

// middleware counts the calls of the procedures, including those that end before an
// interceptor runs. It ignores other paths, which callers could invent without end.
func (m *callMetrics) middleware(procedures map[string]bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		procedure := request.URL.Path
		if !procedures[procedure] {
			next.ServeHTTP(w, request)
			return
		}
		start, code := time.Now(), unread
		m.open.WithLabelValues(procedure).Inc()
		defer func() {
			m.open.WithLabelValues(procedure).Dec()
			m.calls.WithLabelValues(code, procedure).Inc()
			m.duration.WithLabelValues(procedure).Observe(time.Since(start).Seconds())
		}()
		next.ServeHTTP(w, request.WithContext(context.WithValue(request.Context(), codeKey{}, &code)))
	})
}

// setCode sets the code that middleware counts. It does not log the error, because much
// of its text comes from the caller.
func setCode(ctx context.Context, procedure string, err error) {
	result := "ok"
	if err != nil {
		result = codeOf(err).String()
		log.FromContext(ctx).V(1).Info("call failed", "procedure", procedure, "code", result)
	}
	if code, ok := ctx.Value(codeKey{}).(*string); ok {
		*code = result
	}
}

// codeOf returns the code that the caller gets for an error.
func codeOf(err error) connect.Code {
	switch {
	case connect.CodeOf(err) != connect.CodeUnknown:
		return connect.CodeOf(err)
	case errors.Is(err, context.Canceled):
		return connect.CodeCanceled
	case errors.Is(err, context.DeadlineExceeded):
		return connect.CodeDeadlineExceeded
	}
	return connect.CodeUnknown
}

// gate returns a RequestGateFunc that calls admit. It counts refused calls, for which no
// interceptor runs, and responds to them without reading the request.
func (m *callMetrics) gate(admit connect.RequestGateFunc) connect.RequestGateFunc {
	return func(ctx context.Context, call connect.Spec, peer connect.Peer, header http.Header) (context.Context, error) {
		admitted, err := admit(ctx, call, peer, header)
		if err != nil {
			setCode(ctx, call.Procedure, err)
			if c, ok := ctx.Value(connectionKey{}).(*connection); ok {
				c.refuse()
			}
		}
		return admitted, err
	}
}

// WrapUnary implements connect.Interceptor.
func (m *callMetrics) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, request connect.AnyRequest) (connect.AnyResponse, error) {
		response, err := next(ctx, request)
		setCode(ctx, request.Spec().Procedure, err)
		return response, err
	}
}

// WrapStreamingHandler implements connect.Interceptor.
func (m *callMetrics) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, stream connect.StreamingHandlerConn) error {
		err := next(ctx, stream)
		setCode(ctx, stream.Spec().Procedure, err)
		return err
	}
}

// WrapStreamingClient implements connect.Interceptor.
func (m *callMetrics) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}
