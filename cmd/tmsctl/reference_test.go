package main

import (
	"io"
	"testing"

	"github.com/triton-leases/tms/internal/reference"
	"github.com/triton-leases/tms/internal/testing/golden"
)

// TestReference checks the page of all commands and flags.
func TestReference(t *testing.T) {
	t.Parallel()
	root := newRoot(new(options), streams{io.Discard, io.Discard})
	golden.Equal(t, "../../docs/reference/tmsctl.md", reference.Command(root, "cmd/tmsctl"))
}
