package server

import (
	"context"
	"errors"
	"net/http"
	"time"

	"connectrpc.com/connect"
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// recorder counts calls, and writes down those that fail.
type recorder struct {
	calls    *prometheus.CounterVec
	duration *prometheus.HistogramVec
	open     *prometheus.GaugeVec
}

// unread is the code of calls whose request could not be read: it is too large, too
// slow, malformed or of no protocol that is spoken here.
const unread = "unread"

func newRecorder(registry prometheus.Registerer) (*recorder, error) {
	r := &recorder{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tms_api_calls_total", Help: "Calls of the API that ended, by their code: ok, that of the error, or unread where the request could not be read.",
		}, []string{"procedure", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tms_api_call_duration_seconds", Help: "How long calls of the API took. An Acquire takes as long as models load.",
			Buckets: []float64{.005, .02, .1, .5, 2, 10, 60, 300, 1800},
		}, []string{"procedure"}),
		open: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "tms_api_open_calls", Help: "Calls of the API that have not ended.",
		}, []string{"procedure"}),
	}
	return r, errors.Join(registry.Register(r.calls), registry.Register(r.duration), registry.Register(r.open))
}

type codeKey struct{}

// middleware counts the calls of procedures, those among them that end before an
// interceptor sees them. What has another path is nobody's call.
func (r *recorder) middleware(procedures map[string]bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		procedure := request.URL.Path
		if !procedures[procedure] {
			next.ServeHTTP(w, request)
			return
		}
		start, code := time.Now(), unread
		r.open.WithLabelValues(procedure).Inc()
		defer func() {
			r.open.WithLabelValues(procedure).Dec()
			r.calls.WithLabelValues(procedure, code).Inc()
			r.duration.WithLabelValues(procedure).Observe(time.Since(start).Seconds())
		}()
		next.ServeHTTP(w, request.WithContext(context.WithValue(request.Context(), codeKey{}, &code)))
	})
}

// note notes how a call ended. Nothing of the error is written down, because much of
// it is the caller's.
func note(ctx context.Context, procedure string, err error) {
	ended := "ok"
	if err != nil {
		ended = codeOf(err).String()
		log.FromContext(ctx).V(1).Info("call failed", "procedure", procedure, "code", ended)
	}
	if code, ok := ctx.Value(codeKey{}).(*string); ok {
		*code = ended
	}
}

// codeOf is the code that an error reaches its caller with.
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

// gate notes what a gate refuses, which no interceptor sees.
func (r *recorder) gate(admit func(context.Context, string) (context.Context, error)) connect.RequestGateFunc {
	return func(ctx context.Context, call connect.Spec, _ connect.Peer, header http.Header) (context.Context, error) {
		admitted, err := admit(ctx, header.Get("Authorization"))
		if err != nil {
			note(ctx, call.Procedure, err)
		}
		return admitted, err
	}
}

// WrapUnary implements connect.Interceptor.
func (r *recorder) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, request connect.AnyRequest) (connect.AnyResponse, error) {
		response, err := next(ctx, request)
		note(ctx, request.Spec().Procedure, err)
		return response, err
	}
}

// WrapStreamingHandler implements connect.Interceptor.
func (r *recorder) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, stream connect.StreamingHandlerConn) error {
		err := next(ctx, stream)
		note(ctx, stream.Spec().Procedure, err)
		return err
	}
}

// WrapStreamingClient implements connect.Interceptor.
func (r *recorder) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}
