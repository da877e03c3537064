package main

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestMemoryReturner checks that memory is released once after each time of work, and not
// during work.
func TestMemoryReturner(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		allocated, releases := uint64(0), 0
		m := &memoryReturner{
			period: time.Minute, allocated: func() uint64 { return allocated }, release: func() { releases++ },
		}
		done := make(chan error)
		go func() { done <- m.Start(ctx) }()
		time.Sleep(time.Second) // the steps are between the checks
		for i, step := range []struct {
			allocates uint64
			releases  int
		}{
			{worthwhile, 0},         // works
			{idleAllocation, 0},     // still works
			{idleAllocation - 1, 1}, // becomes idle
			{0, 1},                  // stays idle
			{worthwhile / 2, 1},     // works a little
			{0, 1},                  // not worthwhile yet
			{worthwhile / 2, 1},
			{0, 2},
		} {
			allocated += step.allocates
			time.Sleep(time.Minute)
			require.Equal(t, step.releases, releases, "step %d", i)
		}
		cancel()
		require.NoError(t, <-done)
	})
}

func TestAllocatedBytes(t *testing.T) {
	t.Parallel()
	require.Positive(t, allocatedBytes())
}
