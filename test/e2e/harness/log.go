package harness

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Log prints a line per step, with the time since the start of the run. It writes
// details only to a file in the folder of the logs.
type Log struct {
	mu      sync.Mutex
	out     io.Writer
	file    *os.File
	start   time.Time
	results []result
}

type result struct {
	scenario, outcome string
	duration          time.Duration
}

// NewLog returns a Log that prints to out, and writes everything to harness.log in a folder.
func NewLog(out io.Writer, folder string) (*Log, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, fmt.Errorf("folder of logs: %w", err)
	}
	file, err := os.Create(filepath.Join(folder, "harness.log"))
	if err != nil {
		return nil, fmt.Errorf("log of the harness: %w", err)
	}
	return &Log{out: out, file: file, start: time.Now()}, nil
}

// Step prints a line, and writes it to the file.
func (l *Log) Step(source, format string, args ...any) { l.write(true, source, format, args...) }

// Detail writes a line only to the file.
func (l *Log) Detail(source, format string, args ...any) { l.write(false, source, format, args...) }

func (l *Log) write(print bool, source, format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	line := fmt.Sprintf("%7.1fs  %-14s %s\n", time.Since(l.start).Seconds(), source, strings.TrimSpace(fmt.Sprintf(format, args...)))
	_, _ = io.WriteString(l.file, line)
	if print {
		_, _ = io.WriteString(l.out, line)
	}
}

// Result records the result of a scenario for the table.
func (l *Log) Result(scenario, outcome string, duration time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.results = append(l.results, result{scenario, outcome, duration})
}

// Table prints the results of all scenarios.
func (l *Log) Table() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.results) == 0 {
		return
	}
	_, _ = fmt.Fprintf(l.out, "\n%-44s %-7s %8s\n", "SCENARIO", "RESULT", "SECONDS")
	for _, r := range l.results {
		_, _ = fmt.Fprintf(l.out, "%-44s %-7s %8.1f\n", r.scenario, r.outcome, r.duration.Seconds())
	}
	_, _ = fmt.Fprintf(l.out, "%-44s %-7s %8.1f\n\n", "total", "", time.Since(l.start).Seconds())
}
