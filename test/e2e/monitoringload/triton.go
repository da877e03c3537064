package main

import (
	"fmt"
	"math"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// tritonMetrics is the text that a Triton exports, with two models and two GPUs.
const tritonMetrics = "../conform/testdata/triton-metrics.txt"

// serveTritons exports the metrics of a Triton on all addresses of the pods. Each of two
// models completes ten requests per second. Their mean queue time varies around one
// millisecond, so that the status of each HorizontalPodAutoscaler changes with each sync, as
// it does under real load.
func serveTritons() error {
	text, err := os.ReadFile(tritonMetrics)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", ":8002")
	if err != nil {
		return err
	}
	begin := time.Now()
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		seconds := time.Since(begin).Seconds()
		for _, line := range lines {
			end := strings.LastIndex(line, " ")
			base, err := strconv.ParseFloat(line[end+1:], 64)
			if err == nil && base > 0 && strings.HasPrefix(line, "nv_inference_") && !strings.HasPrefix(line, "nv_inference_pending") {
				base += 10 * seconds
				if strings.HasPrefix(line, "nv_inference_queue_duration_us") {
					base += 10_000 * (seconds - 6*math.Cos(seconds/20))
				}
				line = fmt.Sprintf("%s %g", line[:end], base)
			}
			_, _ = fmt.Fprintln(w, line)
		}
	})
	go func() { _ = http.Serve(listener, handler) }() //nolint:gosec // only Prometheus connects
	return nil
}
