package main

import (
	"testing"

	"github.com/triton-leases/tms/internal/reference"
	"github.com/triton-leases/tms/internal/testing/golden"
)

// TestReference checks the page of all commands and flags.
func TestReference(t *testing.T) {
	golden.Equal(t, "../../docs/reference/tms-render.md", reference.Command(newRoot(streams{}), "cmd/tms-render"))
}
