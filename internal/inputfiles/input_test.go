package inputfiles

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/triton-leases/tms/pkg/render"
)

// read returns the input of a command line.
func read(t *testing.T, stdin string, args ...string) (*Input, error) {
	t.Helper()
	var f Flags
	command := &cobra.Command{}
	f.AddFlags(command)
	require.NoError(t, command.ParseFlags(args))
	return f.Read(strings.NewReader(stdin))
}

// TestSet checks that a value is set over the files, and that errors name its source, or
// nothing if the caller names it.
func TestSet(t *testing.T) {
	renderer, err := render.New(render.Options{})
	require.NoError(t, err)
	const values = "leases: {a: {models: [{name: m, uri: /m}]}}"
	for source, want := range map[string]string{
		"--compare": `--compare: leases.a.modles: Forbidden: unknown key, did you mean "models"?`,
		"":          `leases.a.modles: Forbidden: unknown key, did you mean "models"?`,
	} {
		in, err := read(t, values, "-f", "-")
		require.NoError(t, err)
		require.NoError(t, in.Set(source, "leases.a.modles=1"))
		_, err = in.Render(renderer, render.Release{Name: "tms", Namespace: "ns"}, nil)
		require.ErrorContains(t, err, want)
		require.True(t, strings.HasPrefix(err.Error(), want), err.Error())
	}
	in, err := read(t, values, "-f", "-")
	require.NoError(t, err)
	require.NoError(t, in.Set("--compare", "triton.replicas=3"))
	result, err := in.Render(renderer, render.Release{Name: "tms", Namespace: "ns"}, nil)
	require.NoError(t, err)
	deployment, err := result.Deployment(result.Leases[0])
	require.NoError(t, err)
	require.EqualValues(t, 3, *deployment.Spec.Replicas)
	require.Error(t, in.Set("--compare", "a[x]=1"))
}

// TestOnFile checks that the caller learns the size of each file before it is parsed.
func TestOnFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "values.yaml")
	require.NoError(t, os.WriteFile(name, []byte("leases: {"), 0o600))
	var sizes []int
	f := Flags{Files: []string{name, "missing.yaml"}, OnFile: func(size int) { sizes = append(sizes, size) }}
	_, err := f.Read(strings.NewReader(""))
	require.ErrorContains(t, err, name+":2:1: ")
	require.ErrorContains(t, err, "missing.yaml: no such file or directory", "all errors at once")
	require.Equal(t, []int{9, 0}, sizes)
}
