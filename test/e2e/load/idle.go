package main

import (
	"context"
	"errors"
	"time"
)

// waitFor waits until the metrics of a server meet a condition.
func waitFor(ctx context.Context, server int, condition func(samples) bool) (samples, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, 20*time.Minute, errors.New("the metrics of tms-server did not meet the condition within 20 minutes"))
	defer cancel()
	for {
		if s, err := scrape(ctx, server); err == nil && condition(s) {
			return s, nil
		}
		if err := sleep(ctx, 200*time.Millisecond); err != nil {
			return samples{}, err
		}
	}
}

// idleTime is the time after which a server without work is idle. A lease waits for a minute
// after a change of its objects.
const idleTime = 65 * time.Second

// waitIdle waits until a server has been idle for idleTime, and returns its CPU time. It
// does not read the metrics meanwhile, because that costs the server CPU time.
func (e *environment) waitIdle(ctx context.Context, server int) (cpu float64, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, 30*time.Minute, errors.New("tms-server was not idle within 30 minutes"))
	defer cancel()
	const background = 0.25 // seconds of CPU time in idleTime, such as for leader election and the garbage collector
	pid, last, since := e.servers[server].Pid(), 0.0, time.Now()
	for {
		if cpu, err = processTime(pid); err != nil {
			return 0, err
		}
		if cpu > last+background {
			last, since = cpu, time.Now()
		}
		if time.Since(since) > idleTime {
			s, err := scrape(ctx, server)
			if err != nil {
				return 0, err
			}
			if s.queued() == 0 {
				return cpu, nil
			}
			since = time.Now()
		}
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return 0, err
		}
	}
}

// measure measures the work of a server until it is idle. Do starts the work, and waits for
// the part of it that Took and Others of the step are about. Background is the CPU time in a
// second without work.
func (e *environment) measure(ctx context.Context, server, leases int, background float64, do func() error) (s step, err error) {
	s.Leases = leases
	before, err := processTime(e.servers[server].Pid())
	if err != nil {
		return s, err
	}
	mark, begin := e.Now(), time.Now()
	usage, err := readUsage()
	if err != nil {
		return s, err
	}
	if err := do(); err != nil {
		return s, err
	}
	s.Took = time.Since(begin)
	end, err := readUsage()
	if err != nil {
		return s, err
	}
	s.Others = usage.others(end)
	after, err := e.waitIdle(ctx, server)
	if err != nil {
		return s, err
	}
	s.CPU = max(0, after-before-background*time.Since(begin).Seconds())
	log, err := e.log(mark)
	s.Calls = e.count(log)
	return s, err
}
