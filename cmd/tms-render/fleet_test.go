package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// fleet returns values with the leases from first up to, but not including, end.
func fleet(first, end int, uri string) string {
	var text strings.Builder
	text.WriteString("leases:\n")
	for i := first; i < end; i++ {
		fmt.Fprintf(&text, "  lease-%05d:\n    models:\n      - name: model-%d\n        uri: %s\n", i, i, uri)
	}
	return text.String()
}

// tms runs tms-render in this process.
func tms(t *testing.T, stdin string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = run(args, streams{in: strings.NewReader(stdin), out: &out, err: &errs})
	return status, out.String(), errs.String()
}

// TestTenThousandErrors checks that every error of a large file is reported with its
// line. Quadratic work would time out.
func TestTenThousandErrors(t *testing.T) {
	status, out, errs := tms(t, fleet(0, 10_000, "ftp://models"), "-f", "-")
	require.Equal(t, exitFailed, status)
	require.Empty(t, out)
	require.Equal(t, 10_000, strings.Count(errs, "\n"))
	require.Contains(t, errs, "\n-:40001:9: leases.lease-09999.models[0].uri: Invalid value: \"ftp://models\": must be s3://")
}

// TestFleetInManyFiles checks that the output, on standard output and in files, does
// not depend on how a fleet is split into values files.
func TestFleetInManyFiles(t *testing.T) {
	folder := t.TempDir()
	whole := filepath.Join(folder, "whole.yaml")
	require.NoError(t, os.WriteFile(whole, []byte(fleet(0, 500, "s3://models")), 0o600))
	var many []string
	for i := 0; i < 500; i += 5 {
		name := filepath.Join(folder, fmt.Sprintf("%d.yaml", i))
		require.NoError(t, os.WriteFile(name, []byte(fleet(i, i+5, "s3://models")), 0o600))
		many = append(many, "-f", name)
	}
	status, wanted, _ := tms(t, "", "-f", whole)
	require.Equal(t, exitDone, status)
	require.Equal(t, 500, strings.Count(wanted, "\nkind: Deployment\n"))
	status, got, _ := tms(t, "", many...)
	require.Equal(t, exitDone, status)
	require.Equal(t, wanted, got)

	out := filepath.Join(folder, "out")
	status, _, errs := tms(t, "", append(many, "--output-dir", out)...)
	require.Equal(t, exitDone, status, errs)
	var files strings.Builder
	for _, name := range []string{"service.yaml", "service_headless.yaml", "deployment.yaml", "tests/ready.yaml"} {
		text, err := os.ReadFile(filepath.Join(out, "tms", "templates", name))
		require.NoError(t, err)
		files.Write(text)
	}
	require.Equal(t, wanted, files.String())

	// An error names its file and line among many files.
	broken := many[len(many)-1]
	require.NoError(t, os.WriteFile(broken, []byte(fleet(495, 500, "ftp://models")), 0o600))
	status, out, errs = tms(t, "", many...)
	require.Equal(t, exitFailed, status)
	require.Empty(t, out)
	require.Contains(t, errs, broken+":5:9: leases.lease-00495.models[0].uri: Invalid value")
	require.Equal(t, 5, strings.Count(errs, "\n"))
}

func TestWriteError(t *testing.T) {
	var errs bytes.Buffer
	status := run([]string{"-f", "-"}, streams{in: strings.NewReader(fleet(0, 500, "s3://models")), out: &full{left: 100_000}, err: &errs})
	require.Equal(t, exitFailed, status)
	require.Equal(t, "standard output: no space left on device\n", errs.String())
}

type full struct{ left int }

func (f *full) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, fmt.Errorf("no space left on device")
	}
	return len(p), nil
}

var _ io.Writer = (*full)(nil)

func TestBar(t *testing.T) {
	require.Equal(t, "\rrendering [                                        ]  0 %", bar(0))
	require.Equal(t, "\rrendering [====================                    ] 50 %", bar(50))
	require.Equal(t, "\rrendering [========================================] 100 %", bar(100))
}
