//go:build conform

// Package conform checks the rendered manifests with the real tools: Helm 3 and 4,
// chart-testing, kubeconform and promtool. make conform builds the tools and runs
// these tests.
package conform

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/triton-leases/tms/internal/preview"
	"github.com/triton-leases/tms/pkg/render"
)

// project is the root of the project; chart is the folder of its chart.
const (
	project = "../.."
	chart   = project + "/charts/tms"
)

var release = render.Release{Name: "tms", Namespace: "inference"}

// tool returns the path of a tool that make conform built.
func tool(t testing.TB, name string) string {
	t.Helper()
	folder := os.Getenv("TOOLS")
	require.NotEmpty(t, folder, "TOOLS is not set: run make conform, which builds the tools and sets it")
	path := filepath.Join(folder, name)
	require.FileExists(t, path)
	return path
}

// run runs a command and returns what it printed.
func run(stdin []byte, command string, args ...string) (stdout, stderr string, err error) {
	var out, errs bytes.Buffer
	c := exec.Command(command, args...)
	c.Stdin, c.Stdout, c.Stderr = bytes.NewReader(stdin), &out, &errs
	err = c.Run()
	return out.String(), errs.String(), err
}

// accepted returns the valid values files: the chart's ci values and the examples. It
// leaves out the example of a TritonLease.
func accepted(t testing.TB) []string {
	t.Helper()
	examples := slices.DeleteFunc(glob(t, project+"/examples/*.yaml"), func(file string) bool { return filepath.Base(file) == "lease.yaml" })
	return append(glob(t, chart+"/ci/*-values.yaml"), examples...)
}

func glob(t testing.TB, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	require.NoError(t, err)
	require.NotEmpty(t, files, pattern)
	return files
}

func read(t testing.TB, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return text
}

func renderer(t testing.TB) *render.Renderer {
	t.Helper()
	r, err := render.New(render.Options{})
	require.NoError(t, err)
	return r
}

// ours renders values with the library.
func ours(t testing.TB, r render.Release, values ...[]byte) string {
	t.Helper()
	result, err := renderer(t).Render(r, values...)
	require.NoError(t, err)
	return text(t, result)
}

// previewed renders TritonLeases as the tms-server of a release with these values would.
func previewed(t testing.TB, values, leases []byte) *render.Result {
	t.Helper()
	input := new(render.Input)
	require.NoError(t, input.Add(values))
	manifests, err := preview.Read(1, leases)
	require.NoError(t, err)
	result, err := preview.Render(renderer(t), release, input, manifests, nil)
	require.NoError(t, err)
	return result
}

func text(t testing.TB, result *render.Result) string {
	t.Helper()
	var all strings.Builder
	_, err := result.WriteTo(&all)
	require.NoError(t, err)
	return all.String()
}
