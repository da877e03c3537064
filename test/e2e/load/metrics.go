package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

func metricsAddress(server int) string { return fmt.Sprintf("127.0.0.1:%d", 8080+server) }

// samples has the values of the server's metrics, by name and labels.
type samples map[string]float64

// scrape reads the metrics of a server.
func scrape(ctx context.Context, server int) (samples, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+metricsAddress(server)+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	s := samples{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		end := strings.LastIndex(line, " ")
		if end < 0 || line[0] == '#' {
			continue
		}
		value, err := strconv.ParseFloat(line[end+1:], 64)
		if err != nil {
			return nil, fmt.Errorf("metric %q: %w", line, err)
		}
		s[line[:end]] = value
	}
	return s, nil
}

// sum returns the sum of a metric's samples that contain all of the labels as text.
func (s samples) sum(name string, labels ...string) float64 {
	sum := 0.0
next:
	for key, value := range s {
		if key != name && !strings.HasPrefix(key, name+"{") {
			continue
		}
		for _, label := range labels {
			if !strings.Contains(key, label) {
				continue next
			}
		}
		sum += value
	}
	return sum
}

// granted returns the number of granted leases.
func (s samples) granted() int {
	return int(s.sum("tms_leases", `condition="Granted"`, `status="True"`))
}

func (s samples) memory() float64 { return s.sum("process_resident_memory_bytes") }

// heap returns the bytes of Go's heap, with what is not collected yet.
func (s samples) heap() float64 { return s.sum("go_memstats_heap_alloc_bytes") }

// queued returns the number of leases that wait to be reconciled, or are reconciled.
func (s samples) queued() float64 {
	return s.sum("workqueue_depth") + s.sum("controller_runtime_active_workers")
}

// leads reports whether the server is the leader.
func (s samples) leads() bool { return s.sum("leader_election_master_status") == 1 }

// configured returns when the server read the configuration in force, in seconds since 1970.
func (s samples) configured() float64 {
	return s.sum("tms_configuration_last_reload_success_timestamp_seconds")
}
