package main

import (
	"io"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/triton-leases/tms/internal/reference"
	"github.com/triton-leases/tms/internal/testing/golden"
)

// TestReference compares the page of all flags with the command. With UPDATE_SCRIPTS it
// rewrites the page. make generate does not, because this module takes minutes to compile.
func TestReference(t *testing.T) {
	const page = "../../../docs/reference/tms-whatif.md"
	text := reference.Command(newRoot(streams{nil, io.Discard, io.Discard}), "whatif/cmd/tms-whatif")
	if os.Getenv("UPDATE_SCRIPTS") != "" {
		require.NoError(t, os.WriteFile(page, []byte(text), 0o600))
		return
	}
	want, err := os.ReadFile(page)
	require.NoError(t, err)
	golden.Same(t, string(want), text, page+" differs from the command; run: UPDATE_SCRIPTS=1 make whatif-test")
}
