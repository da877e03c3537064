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

// cost is what one process took.
type cost struct {
	cpu, wall time.Duration
	peak      int64 // KiB
}

// costs are the medians, by the name of the tool and the number of leases.
type costs map[string]map[int]cost

// prepare writes a fleet, and what tms-render makes of it.
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

// create writes a file, and waits until it lies on the disk: what the system
// has yet to write would be counted against whoever runs next.
func create(path string, write func(io.Writer) error) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(file), file.Sync(), file.Close())
}

// visit is how long each tool runs in one round at least, so that the fast ones
// run often enough beside the slow ones.
const visit = time.Second

// race runs all tools on one fleet, round robin so that a busy moment hits
// all of them, and keeps the medians.
func (took costs) race(bin string, in input, rounds int) error {
	sink, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer func() { _ = sink.Close() }()

	all := map[string][]cost{}
	for range rounds {
		for _, t := range tools {
			if in.leases > t.most {
				continue
			}
			for start := time.Now(); time.Since(start) < visit; {
				c := t.cmd(bin, in)
				// A file is handed on as it is. A writer of ours would be a pipe, which costs time.
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
		if took[name] == nil {
			took[name] = map[int]cost{}
		}
		took[name][in.leases] = median(each)
	}
	return nil
}

// measure runs a command to its end. The peak is never less than that of this
// process, from which the system starts it: what is held stays small for that.
func measure(c *exec.Cmd) (cost, error) {
	start := time.Now()
	if err := c.Run(); err != nil {
		return cost{}, err
	}
	took := cost{wall: time.Since(start), cpu: c.ProcessState.UserTime() + c.ProcessState.SystemTime()}
	if usage, ok := c.ProcessState.SysUsage().(*syscall.Rusage); ok {
		took.peak = usage.Maxrss
	}
	return took, nil
}

// median takes each figure's own.
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
