package render_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/pkg/render"
)

// fleet returns values with n autoscaled leases, most of them with one clamped number.
func fleet(n int) []byte {
	var text strings.Builder
	text.WriteString("server: {autoscaling: {enable: true, metrics: {queueTime: {enabled: true, allowed: true}}}}\n")
	if n > 0 {
		text.WriteString("leases:\n")
	}
	for i := range n {
		fmt.Fprintf(&text, `  lease-%05d:
    models:
      - {name: model-%d, uri: "s3://models/%d"}
    triton: {resources: {limits: {nvidia.com/gpu: %d}}}
    autoscaling:
      enable: true
      replicas: {maximum: %d}
      metrics: {queueTime: {threshold: %d}}
`, i, i, i%7, 1+i%4, 8+i%9, 10000+i)
	}
	return []byte(text.String())
}

// BenchmarkRender renders fleets, from values files to text.
func BenchmarkRender(b *testing.B) {
	r, err := render.New(render.Options{})
	require.NoError(b, err)
	for _, n := range []int{1, 1000, 10_000} {
		text := fleet(n)
		b.Run(fmt.Sprintf("leases=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				result, err := r.Render(release, text)
				require.NoError(b, err)
				_, err = result.WriteTo(io.Discard)
				require.NoError(b, err)
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*n), "µs/lease")
		})
	}
}

// BenchmarkLease renders single leases as typed objects, as tms-server does. Each lease
// has other numbers, and a shape that is already rendered.
func BenchmarkLease(b *testing.B) {
	r, err := render.New(render.Options{})
	require.NoError(b, err)
	var input render.Input
	require.NoError(b, input.Add(fleet(0)))
	lr, err := r.LeaseRenderer(release, &input)
	require.NoError(b, err)
	lease := func(i int) *v1alpha1.LeaseSpec {
		maximum, threshold := int64(8+i%9), int64(10000+i)
		return &v1alpha1.LeaseSpec{
			Models: []v1alpha1.Model{{Name: fmt.Sprintf("model-%d", i), URI: fmt.Sprintf("s3://models/%d", i%7)}},
			Autoscaling: v1alpha1.Autoscaling{
				Enable:   true,
				Replicas: v1alpha1.ReplicaRange{Maximum: &maximum},
				Metrics:  map[v1alpha1.MetricName]v1alpha1.MetricRequest{v1alpha1.QueueTime: {Threshold: &threshold}},
			},
		}
	}
	for i := range 9 { // adjusted leases have another shape
		_, err := objectsOf(lr, "first", lease(i))
		require.NoError(b, err)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		objects, err := objectsOf(lr, fmt.Sprintf("lease-%d", i), lease(i))
		require.NoError(b, err)
		require.NotNil(b, objects.HorizontalPodAutoscaler)
	}
}

// BenchmarkNew loads the embedded chart and compiles its schema.
func BenchmarkNew(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_, err := render.New(render.Options{})
		require.NoError(b, err)
	}
}
