package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

const metricsAddress = "127.0.0.1:8080"

// samples has the values of the server's metrics, by name and labels.
type samples map[string]float64

// scrape reads the metrics of the server.
func scrape(ctx context.Context) (samples, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+metricsAddress+"/metrics", nil)
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

func (s samples) calls() float64 { return s.sum("rest_client_requests_total") }

// reads returns the number of GET requests. All other calls are writes.
func (s samples) reads() float64 { return s.sum("rest_client_requests_total", `method="GET"`) }

func (s samples) memory() float64 { return s.sum("process_resident_memory_bytes") }

func (s samples) cpu() float64 { return s.sum("process_cpu_seconds_total") }

func (s samples) queued() float64 {
	return s.sum("workqueue_depth", `name="tritonlease"`) + s.sum("controller_runtime_active_workers", `controller="tritonlease"`)
}
