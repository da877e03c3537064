// Command bench times the whole process of tms-render against that of helm
// template, on the same chart and the same values, in one run. Only the ratios
// mean anything: machines differ, and are shared. make bench runs it.
package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

func main() {
	if err := run(os.Getenv("TOOLS")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// cost is what one process took.
type cost struct {
	wall, cpu time.Duration
	peak      int64 // KiB
}

func run(tools string) error {
	if tools == "" {
		return errors.New("run make bench, which builds the tools and says where they are")
	}
	folder, err := os.MkdirTemp("", "tms-bench-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()

	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(table, "leases\thelm CPU\ttms-render CPU\tratio\thelm wall\ttms-render wall\tratio\thelm MiB\ttms-render MiB\tratio\t")
	for _, size := range []struct{ leases, runs int }{{1, 9}, {100, 9}, {1000, 5}, {10000, 3}} {
		file := filepath.Join(folder, fmt.Sprintf("%d.yaml", size.leases))
		if err := os.WriteFile(file, fleet(size.leases), 0o600); err != nil {
			return err
		}
		var helm, ours []cost
		for range size.runs { // interleaved, so that a busy moment hits both
			h, helmText, err := measure(filepath.Join(tools, "helm3"), "template", "tms", "charts/tms", "-n", "ns", "-f", file)
			if err != nil {
				return err
			}
			o, ourText, err := measure(filepath.Join(tools, "tms-render"), "-n", "ns", "-f", file)
			if err != nil {
				return err
			}
			if !bytes.Equal(helmText, ourText) {
				return errors.New("the two print different texts: the work is not equal")
			}
			helm, ours = append(helm, h), append(ours, o)
		}
		h, o := median(helm), median(ours)
		_, _ = fmt.Fprintf(table, "%d\t%.3fs\t%.3fs\t%.2f\t%.3fs\t%.3fs\t%.2f\t%d\t%d\t%.2f\t\n", size.leases,
			h.cpu.Seconds(), o.cpu.Seconds(), ratio(o.cpu, h.cpu),
			h.wall.Seconds(), o.wall.Seconds(), ratio(o.wall, h.wall),
			h.peak/1024, o.peak/1024, ratio(o.peak, h.peak))
	}
	return table.Flush()
}

// measure runs a command to its end.
func measure(command string, args ...string) (cost, []byte, error) {
	var out, errs bytes.Buffer
	c := exec.Command(command, args...)
	c.Stdout, c.Stderr = &out, &errs
	start := time.Now()
	if err := c.Run(); err != nil {
		return cost{}, nil, fmt.Errorf("%s: %w: %s", filepath.Base(command), err, &errs)
	}
	took := cost{wall: time.Since(start), cpu: c.ProcessState.UserTime() + c.ProcessState.SystemTime()}
	if usage, ok := c.ProcessState.SysUsage().(*syscall.Rusage); ok {
		took.peak = usage.Maxrss
	}
	return took, out.Bytes(), nil
}

// median takes each figure's own.
func median(costs []cost) cost {
	return cost{
		wall: middle(costs, func(c cost) time.Duration { return c.wall }),
		cpu:  middle(costs, func(c cost) time.Duration { return c.cpu }),
		peak: middle(costs, func(c cost) int64 { return c.peak }),
	}
}

func middle[T cmp.Ordered](costs []cost, figure func(cost) T) T {
	all := make([]T, len(costs))
	for i, c := range costs {
		all[i] = figure(c)
	}
	slices.Sort(all)
	return all[len(all)/2]
}

func ratio[T ~int64](a, b T) float64 { return float64(a) / float64(b) }

// fleet returns values with n autoscaled leases, each clamped in one number.
func fleet(n int) []byte {
	var text strings.Builder
	text.WriteString("server: {autoscaling: {enable: true, metrics: {queueTime: {enabled: true, allowed: true}}}}\nleases:\n")
	for i := range n {
		fmt.Fprintf(&text, "  lease-%05d:\n    models: [{name: m, uri: \"s3://models/%d\"}]\n"+
			"    autoscaling: {enable: true, replicas: {maximum: %d}, metrics: {queueTime: {threshold: %d}}}\n",
			i, i%7, 8+i%9, 10000+i)
	}
	return []byte(text.String())
}
