package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/internal/metric"
	"github.com/triton-leases/tms/internal/testing/exported"
)

// metrics returns the values of a metric by its labels.
func (r *testServer) metrics(t *testing.T, name string, value func(*dto.Metric) float64) map[string]float64 {
	t.Helper()
	families, err := r.registry.Gather()
	require.NoError(t, err)
	all := map[string]float64{}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, metric := range family.GetMetric() {
			labels := map[string]string{}
			for _, label := range metric.GetLabel() {
				labels[label.GetName()] = label.GetValue()
			}
			all[strings.TrimSpace(labels["procedure"]+" "+labels["code"])] = value(metric)
		}
	}
	return all
}

// calls returns the number of calls that ended, by procedure and code.
func (r *testServer) calls(t *testing.T) map[string]float64 {
	t.Helper()
	return r.metrics(t, "tms_api_calls_total", func(m *dto.Metric) float64 { return m.GetCounter().GetValue() })
}

// TestCallMetrics checks the metrics of calls of all kinds.
func TestCallMetrics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		errs := map[string]error{
			"found": nil, "missing": connect.NewError(connect.CodeNotFound, errors.New("no such lease")),
			"late": context.DeadlineExceeded, "odd": errors.New("odd"),
		}
		loaded := make(chan struct{})
		r := serve(t, &leases{
			status: func(_ context.Context, request *tmsv1.StatusRequest) (*tmsv1.StatusResponse, error) {
				return new(tmsv1.StatusResponse), errs[request.GetId()]
			},
			acquire: func(ctx context.Context, _ *tmsv1.AcquireRequest, send func(*tmsv1.AcquireResponse) error) error {
				select {
				case <-loaded:
					return send(new(tmsv1.AcquireResponse))
				case <-ctx.Done():
					return ctx.Err()
				}
			},
		})
		client, httpClient := r.client(t, protocols["gRPC"])
		for id := range errs {
			_, _ = status(client, id)
		}
		_, err := client.Renew(context.Background(), connect.NewRequest(new(tmsv1.RenewRequest)))
		requireCode(t, connect.CodeUnimplemented, err)
		_, err = status(client, strings.Repeat("a", r.limits.requestBytes+1))
		requireCode(t, connect.CodeResourceExhausted, err)
		for _, path := range []string{"/", "/tms.v1.LeaseService/", "/tms.v1.LeaseService/Status/x", "/tms.v1.LeaseService/Made-up"} {
			response, err := httpClient.Post("http://server"+path, "application/json", http.NoBody)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
		}
		want := map[string]float64{"/tms.v1.LeaseService/Renew unimplemented": 1}
		for _, code := range []string{"ok", "not_found", "deadline_exceeded", "unknown", "unread"} {
			want["/tms.v1.LeaseService/Status "+code] = 1
		}
		require.Equal(t, want, r.calls(t), "other paths are not counted")

		ctx, cancel := context.WithCancel(context.Background())
		for _, ctx := range []context.Context{ctx, context.Background()} {
			go func() { // it returns at the first response
				if stream, err := client.Acquire(ctx, connect.NewRequest(new(tmsv1.AcquireRequest))); err == nil {
					_ = stream.Close()
				}
			}()
		}
		synctest.Wait()
		open := func() float64 {
			return r.metrics(t, "tms_api_open_calls", func(m *dto.Metric) float64 { return m.GetGauge().GetValue() })["/tms.v1.LeaseService/Acquire"]
		}
		require.InDelta(t, 2, open(), 0)
		time.Sleep(time.Minute) // synctest time
		cancel()
		synctest.Wait()
		require.InDelta(t, 1, open(), 0)
		close(loaded)
		synctest.Wait()
		require.InDelta(t, 0, open(), 0)
		require.InDelta(t, 1, r.calls(t)["/tms.v1.LeaseService/Acquire ok"], 0)
		require.InDelta(t, 1, r.calls(t)["/tms.v1.LeaseService/Acquire canceled"], 0)
		took := r.metrics(t, "tms_api_call_duration_seconds", func(m *dto.Metric) float64 { return m.GetHistogram().GetSampleSum() })
		require.InDelta(t, 120, took["/tms.v1.LeaseService/Acquire"], 0)
	})
}

// TestExportedMetrics checks that a running server exports the metrics of the API, and no
// others.
func TestExportedMetrics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := serve(t, &leases{}, func(s *Server) { s.config.Connections = ConnectionLimits{Maximum: 1, PerAddress: 1} })
		client, _ := r.client(t, protocols["gRPC"])
		_, err := status(client, "a")
		require.NoError(t, err)
		excess, err := r.Dial(t.Context())
		require.NoError(t, err)
		_, err = excess.Read(make([]byte, 1))
		require.Error(t, err, "the connection is beyond the limit")
		require.NoError(t, excess.Close())
		require.ElementsMatch(t, metric.API(), exported.Metrics(t, r.registry))
	})
}

// TestProcedures checks that all methods are counted.
func TestProcedures(t *testing.T) {
	t.Parallel()
	want := map[string]bool{}
	for service, methods := range map[string][]string{
		"LeaseService": {"Acquire", "Release", "Renew", "Reload", "Status", "List", "Quota"}, "AllowlistService": {"Append", "List", "Remove"},
		"LeaseNameService": {"Create", "Delete", "List"},
	} {
		for _, method := range methods {
			want[fmt.Sprintf("/tms.v1.%s/%s", service, method)] = true
		}
	}
	require.Equal(t, want, procedures())
}
