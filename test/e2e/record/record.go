// Package record records the state of a lease over time, and writes it as a table and a
// plot.
package record

import (
	"context"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// Point is the state at one time.
type Point struct {
	// Seconds is the time since the start of the recording.
	Seconds float64
	// Load is the offered load in requests per second.
	Load float64
	// Replicas is the number of wanted replicas, Ready that of ready ones.
	Replicas, Ready int
	// Value is the value of the metric. It is negative if the metric has no value.
	Value float64
}

// Recording is a time series of a scenario.
type Recording struct {
	// Name is the name of the files, Title the title of the plot.
	Name, Title string
	// Metric and Threshold describe Point.Value.
	Metric    string
	Threshold float64

	mu     sync.Mutex
	points []Point
}

// Run records a point every second until the context is done. It skips errors of observe.
func (r *Recording) Run(ctx context.Context, observe func(context.Context) (Point, error)) {
	start := time.Now()
	for ctx.Err() == nil {
		if p, err := observe(ctx); err == nil {
			p.Seconds = time.Since(start).Seconds()
			r.mu.Lock()
			r.points = append(r.points, p)
			r.mu.Unlock()
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// Points returns the points so far.
func (r *Recording) Points() []Point {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Point(nil), r.points...)
}

// Write writes <name>.csv and <name>.svg into a folder.
func (r *Recording) Write(folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("folder of results: %w", err)
	}
	points := r.Points()
	if err := r.writeCSV(filepath.Join(folder, r.Name+".csv"), points); err != nil {
		return err
	}
	path := filepath.Join(folder, r.Name+".svg")
	if err := os.WriteFile(path, []byte(r.plot(points)), 0o644); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

func (r *Recording) writeCSV(path string, points []Point) error {
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	defer func() { _ = file.Close() }()
	w := csv.NewWriter(file)
	rows := [][]string{{"seconds", "load_per_second", "replicas", "ready", r.Metric, "threshold"}}
	number := func(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }
	for _, p := range points {
		value := ""
		if p.Value >= 0 {
			value = number(p.Value)
		}
		rows = append(rows, []string{fmt.Sprintf("%.1f", p.Seconds), number(p.Load), strconv.Itoa(p.Replicas), strconv.Itoa(p.Ready), value, number(r.Threshold)})
	}
	if err := w.WriteAll(rows); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
