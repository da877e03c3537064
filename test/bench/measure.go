package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// cost is the resources that one process used.
type cost struct {
	cpu, wall time.Duration
	peak      int64 // KiB
}

// costs holds the medians by the name of the tool and the number of leases.
type costs map[string]map[int]cost

// prepare writes a fleet, and the manifests that tms-render renders from it.
func prepare(bin, folder string, leases int) (input, error) {
	in := input{
		leases: leases,
		values: filepath.Join(folder, fmt.Sprintf("%d.yaml", leases)),
		text:   filepath.Join(folder, fmt.Sprintf("%d.txt", leases)),
	}
	if err := create(in.values, func(w io.Writer) error { return fleet(w, leases) }); err != nil {
		return input{}, err
	}
	err := create(in.text, func(w io.Writer) error {
		c := tools[0].cmd(bin, in)
		c.Stdout = w
		if err := c.Run(); err != nil {
			return fmt.Errorf("%s: %w", c, err)
		}
		return nil
	})
	return in, err
}

// create writes a file and syncs it to disk. Otherwise the kernel would write it back
// while the next tool is measured.
func create(path string, write func(io.Writer) error) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(file), file.Sync(), file.Close())
}

// minTurn is the minimum time for which each tool runs in a round. A fast tool runs many
// times in it.
const minTurn = time.Second

// race runs all tools on one fleet and stores the medians. The tools run round robin, so
// that other work on the machine slows down all of them.
func (medians costs) race(bin string, in input, rounds int) error {
	sink, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer func() { _ = sink.Close() }()

	all := map[string][]cost{}
	for range rounds {
		for _, t := range tools {
			if in.leases > t.maxLeases {
				continue
			}
			for start := time.Now(); time.Since(start) < minTurn; {
				c := t.cmd(bin, in)
				// The child writes to a file directly. Any other Writer would add a
				// pipe, which costs time.
				c.Stdout, c.Stderr = sink, sink
				one, err := measure(c)
				if err != nil {
					return fmt.Errorf("%s: %w", c, err)
				}
				all[t.name] = append(all[t.name], one)
			}
		}
	}
	for name, each := range all {
		if medians[name] == nil {
			medians[name] = map[int]cost{}
		}
		medians[name][in.leases] = median(each)
	}
	return nil
}

// measure runs a command and returns its cost. On Linux the peak is at least the memory of
// this process, because the child is forked from it. So this process must stay small.
func measure(c *exec.Cmd) (cost, error) {
	start := time.Now()
	if err := c.Run(); err != nil {
		return cost{}, err
	}
	used := cost{wall: time.Since(start), cpu: c.ProcessState.UserTime() + c.ProcessState.SystemTime()}
	if usage, ok := c.ProcessState.SysUsage().(*syscall.Rusage); ok {
		used.peak = usage.Maxrss
	}
	return used, nil
}

// median returns the median of each figure on its own.
func median(all []cost) cost {
	return cost{
		cpu:  middle(all, func(c cost) time.Duration { return c.cpu }),
		wall: middle(all, func(c cost) time.Duration { return c.wall }),
		peak: middle(all, func(c cost) int64 { return c.peak }),
	}
}

func middle[T cmp.Ordered](all []cost, figure func(cost) T) T {
	figures := make([]T, len(all))
	for i, c := range all {
		figures[i] = figure(c)
	}
	slices.Sort(figures)
	return figures[len(figures)/2]
}
