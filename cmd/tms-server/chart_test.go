package main

import (
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"github.com/triton-leases/tms/pkg/policy"
	"github.com/triton-leases/tms/pkg/render"
)

// TestExtraArgs lists the flags that server.extraArgs of the chart may set. The chart
// refuses the others, which it sets itself or whose default it relies on.
func TestExtraArgs(t *testing.T) {
	t.Parallel()
	renderer, err := render.New(render.Options{})
	require.NoError(t, err)
	var allowed []string
	newRoot().Flags().VisitAll(func(f *pflag.Flag) {
		for _, argument := range []string{"--" + f.Name, "--" + f.Name + "=1"} {
			_, err := renderer.RenderValues(render.Release{Name: "tms", Namespace: "ns"}, map[string]any{
				"server": map[string]any{"extraArgs": []any{argument}},
			})
			if err == nil {
				allowed = append(allowed, argument)
				continue
			}
			reasons := policy.Reasons(err)
			require.Len(t, reasons, 1)
			require.Equal(t, "server.extraArgs[0]", reasons[0].Field)
		}
	})
	require.Equal(t, []string{
		"--calls-burst", "--calls-burst=1",
		"--calls-per-connection", "--calls-per-connection=1",
		"--token-reviews-per-second", "--token-reviews-per-second=1",
		"--token-reviews-per-second-per-address", "--token-reviews-per-second-per-address=1",
	}, allowed)
}
