package main

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// memoryReturner returns memory to the operating system when the server becomes idle. Go keeps
// up to as much free memory as the server uses, for the next allocations.
type memoryReturner struct {
	// period is the time between two checks.
	period time.Duration
	// allocated returns the bytes that the process has allocated since its start.
	allocated func() uint64
	release   func()
}

func newMemoryReturner() *memoryReturner {
	return &memoryReturner{period: 30 * time.Second, allocated: allocatedBytes, release: debug.FreeOSMemory}
}

const (
	// idleAllocation is more than an idle server allocates within a period, in bytes.
	idleAllocation = 8 << 20
	// worthwhile is how much the server allocates, in bytes, before it releases memory again.
	worthwhile = 64 << 20
)

// Start implements manager.Runnable.
func (m *memoryReturner) Start(ctx context.Context) error {
	ticks := time.NewTicker(m.period)
	defer ticks.Stop()
	var before, released uint64
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticks.C:
		}
		now := m.allocated()
		if now-before < idleAllocation && now-released >= worthwhile {
			m.release()
			released = now
		}
		before = now
	}
}

// NeedLeaderElection is false: all replicas hold the leases in memory.
func (m *memoryReturner) NeedLeaderElection() bool { return false }

func allocatedBytes() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
