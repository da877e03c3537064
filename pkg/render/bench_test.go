package render_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/triton-leases/tms/pkg/render"
)

// fleet returns values with n autoscaled leases, each clamped in one number.
func fleet(n int) []byte {
	var text strings.Builder
	text.WriteString("server: {autoscaling: {enable: true, metrics: {queueTime: {enabled: true, allowed: true}}}}\nleases:\n")
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

// BenchmarkRender renders whole fleets: values in, text out.
func BenchmarkRender(b *testing.B) {
	r, err := render.New(render.Options{})
	require.NoError(b, err)
	for _, n := range []int{1, 1000} {
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

// BenchmarkLease renders one lease as typed objects, as a server does.
func BenchmarkLease(b *testing.B) {
	r, err := render.New(render.Options{})
	require.NoError(b, err)
	text := fleet(1)
	b.ReportAllocs()
	for b.Loop() {
		_, err := r.Lease(release, "lease-00000", text)
		require.NoError(b, err)
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
