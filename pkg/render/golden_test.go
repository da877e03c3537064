package render_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/triton-leases/tms/internal/testing/golden"
	"github.com/triton-leases/tms/pkg/policy"
	"github.com/triton-leases/tms/pkg/render"
)

const goldens = "../../testdata/golden/"

var release = render.Release{Name: "tms", Namespace: "inference"}

// TestGolden renders each of the chart's ci values. To add a case, add a file.
func TestGolden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../charts/tms/ci/*-values.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), "-values.yaml")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			result, err := goPolicy.Render(release, read(t, file))
			require.NoError(t, err)
			decodesStrictly(t, result)
			golden.Equal(t, goldens+name+".yaml", printed(t, result))
			golden.Equal(t, goldens+name+".err", lines(result.Warnings))

			byChart, err := chartPolicy.Render(release, read(t, file))
			require.NoError(t, err)
			golden.Same(t, printed(t, byChart), printed(t, result), "the chart's own policy renders something else")
			require.Equal(t, byChart.Warnings, result.Warnings)
		})
	}
}

// TestGoldenRefused renders values that are refused. To add a case, add a file.
func TestGoldenRefused(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../testdata/refused/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := goPolicy.Render(release, read(t, file))
			require.Error(t, err)
			golden.Equal(t, goldens+name+".err", err.Error()+"\n")

			// If the schema accepts the values, the chart's policy has the same message.
			_, byChart := chartPolicy.Render(release, read(t, file))
			require.Error(t, byChart, "the chart accepts it")
			var bySchema policy.Refusal
			if !errors.As(byChart, &bySchema) {
				require.Equal(t, err.Error(), failMessage(byChart))
			}
		})
	}
}

// TestGoldenHasInput finds golden files without an input file.
func TestGoldenHasInput(t *testing.T) {
	t.Parallel()
	files, err := os.ReadDir(goldens)
	require.NoError(t, err)
	for _, file := range files {
		name := strings.TrimSuffix(file.Name(), filepath.Ext(file.Name()))
		_, rendered := os.Stat("../../charts/tms/ci/" + name + "-values.yaml")
		_, refused := os.Stat("../../testdata/refused/" + name + ".yaml")
		require.True(t, rendered == nil || refused == nil, "%s has no input", file.Name())
	}
}

// TestExamples renders the examples, and checks that they have no adjustments or warnings.
func TestExamples(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../examples/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		if filepath.Base(file) == "lease.yaml" {
			continue // a TritonLease: internal/preview tests it
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			result, err := goPolicy.Render(release, read(t, file))
			require.NoError(t, err)
			decodesStrictly(t, result)
			require.Empty(t, result.Warnings)
			require.NotEmpty(t, slices.Collect(result.Documents()), "no document is rendered")
		})
	}
}

func lines(sentences []string) string {
	var text strings.Builder
	for _, sentence := range sentences {
		text.WriteString(sentence + "\n")
	}
	return text.String()
}
