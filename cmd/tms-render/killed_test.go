package main

import (
	"bytes"
	"context"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/triton-leases/tms/pkg/render"
)

// filesOf returns the contents of the files below a folder, by their path in it.
func filesOf(t *testing.T, folder string) map[string]string {
	t.Helper()
	files := map[string]string{}
	require.NoError(t, filepath.WalkDir(folder, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(name)
		files[strings.TrimPrefix(name, folder)] = string(text)
		return err
	}))
	return files
}

// TestKilledOutput kills runs with --output-dir at random moments. Each file is that of the
// run before or of a new run. A run that gets SIGTERM leaves no temporary file of its own, and
// the next whole run removes those of runs that got SIGKILL.
func TestKilledOutput(t *testing.T) {
	folder := t.TempDir()
	out := filepath.Join(folder, "out")
	command := func(values, out string) *exec.Cmd {
		return exec.Command("tms-render", "-f", filepath.Join(folder, values), "--output-dir", out)
	}
	variants := []string{"a.yaml", "b.yaml"}
	wanted := map[string]map[string]string{}
	var whole time.Duration // of one run
	for i, name := range variants {
		text := fleet(0, 500, "s3://"+name)
		if i == 1 { // it has an hpa.yaml, which is stale in the other
			text = "server: {autoscaling: {enable: true, metrics: {queueTime: {enabled: true}}}}\n" + text +
				"  scaled: {models: [{name: m, uri: /m}], autoscaling: {enable: true}}\n"
		}
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600))
		begin := time.Now()
		reference := filepath.Join(folder, "reference-"+name)
		printed, err := command(name, reference).CombinedOutput()
		require.NoError(t, err, string(printed))
		whole, wanted[name] = time.Since(begin), filesOf(t, reference)
	}
	require.NotContains(t, wanted["a.yaml"], "/tms/templates/hpa.yaml")
	require.Contains(t, wanted["b.yaml"], "/tms/templates/hpa.yaml")

	left := map[string]string{} // temporary files of the runs before
	for i := range 24 {
		signal := []os.Signal{syscall.SIGKILL, syscall.SIGTERM, syscall.SIGINT}[i%3]
		cmd := command(variants[i%2], out)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		require.NoError(t, cmd.Start())
		time.Sleep(rand.N(whole))
		_ = cmd.Process.Signal(signal) // it may have finished
		_ = cmd.Wait()
		if _, err := os.Stat(out); err != nil {
			continue // killed before it wrote
		}
		leftBefore := left
		left = map[string]string{}
		for name, text := range filesOf(t, out) {
			if isTemporary(name, "") {
				left[name] = text
				if signal != syscall.SIGKILL {
					require.Contains(t, leftBefore, name, errs.String())
				}
				continue
			}
			require.True(t, text == wanted["a.yaml"][name] || text == wanted["b.yaml"][name], "%s is a mixture", name)
		}
	}
	for _, name := range variants {
		printed, err := command(name, out).CombinedOutput()
		require.NoError(t, err, string(printed))
		require.Equal(t, wanted[name], filesOf(t, out))
	}
}

// TestInterruptedOutput checks that a run that is interrupted while it writes changes and
// leaves nothing.
func TestInterruptedOutput(t *testing.T) {
	renderer, err := render.New(render.Options{})
	require.NoError(t, err)
	in := new(render.Input)
	require.NoError(t, in.Add([]byte(fleet(0, 500, "s3://models"))))
	result, err := renderer.RenderInput(render.Release{Name: "tms", Namespace: "default"}, in)
	require.NoError(t, err)
	folder := outputFolder{path: t.TempDir()}
	_, err = folder.write(t.Context(), result, new(bytes.Buffer))
	require.NoError(t, err)
	before := filesOf(t, folder.path)

	for _, at := range []int{0, 600, 1000} { // documents
		ctx, interrupt := context.WithCancel(t.Context())
		result.Progress = func(done, _ int) {
			if done >= at {
				interrupt()
			}
		}
		var out bytes.Buffer
		_, err = folder.write(ctx, result, &out)
		interrupt()
		require.EqualError(t, err, "--output-dir: interrupted: no file changed")
		require.Empty(t, out.String())
		require.Equal(t, before, filesOf(t, folder.path))
	}
}

// TestTwoRuns checks that a run does not remove the temporary files of another one.
func TestTwoRuns(t *testing.T) {
	folder := t.TempDir()
	unlock, err := lock(folder)
	require.NoError(t, err)
	args := []string{"-f", "-", "--output-dir", folder}
	status, _, errs := tms(t, fleet(0, 1, "s3://models"), args...)
	require.Equal(t, exitFailed, status)
	require.Equal(t, "--output-dir: another tms-render writes to "+folder+": run this one again when it has finished\n", errs)
	unlock()
	status, _, errs = tms(t, fleet(0, 1, "s3://models"), args...)
	require.Equal(t, exitDone, status, errs)
}
