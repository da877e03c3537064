package main

import (
	"context"
	"fmt"

	"github.com/triton-leases/tms/test/e2e/promtext"
)

func metricsAddress(server int) string { return fmt.Sprintf("127.0.0.1:%d", 8080+server) }

// samples are the values of a server's metrics.
type samples struct{ promtext.Samples }

// scrape reads the metrics of a server.
func scrape(ctx context.Context, server int) (samples, error) {
	s, err := promtext.Scrape(ctx, "http://"+metricsAddress(server)+"/metrics")
	return samples{s}, err
}

// granted returns the number of granted leases.
func (s samples) granted() int {
	return int(s.Sum("tms_leases", `condition="Granted"`, `status="True"`))
}

func (s samples) memory() float64 { return s.Sum("process_resident_memory_bytes") }

// heap returns the bytes of Go's heap, with what is not collected yet.
func (s samples) heap() float64 { return s.Sum("go_memstats_heap_alloc_bytes") }

// queued returns the number of leases that wait to be reconciled, or are reconciled.
func (s samples) queued() float64 {
	return s.Sum("workqueue_depth") + s.Sum("controller_runtime_active_workers")
}

// leads reports whether the server is the leader.
func (s samples) leads() bool { return s.Sum("leader_election_master_status") == 1 }

// configured returns when the server read the configuration in force, in seconds since 1970.
func (s samples) configured() float64 {
	return s.Sum("tms_configuration_last_reload_success_timestamp_seconds")
}
