package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"
)

// result is the result of one fleet.
type result struct {
	leases int
	// created is the time until all leases were created, granted the time until all
	// were granted and had their objects.
	created, granted time.Duration
	// settled is the cost from before the first lease until the server was idle.
	settled cost
	// before and after are the resident memory without and with leases.
	before, after float64
	// reconfigured is the cost of a change of the configuration, reconfiguredAfter the
	// time until all leases were reconciled.
	reconfigured      cost
	reconfiguredAfter time.Duration
	// newIdle and newBusy are the times until a new lease was granted: while the server
	// was idle, and while it reconciled all leases. They are sorted.
	newIdle, newBusy []time.Duration
	// idle is the number of API calls in a minute without a change.
	idle float64
}

// cost is the API calls of the server, and its CPU time in seconds.
type cost struct{ calls, reads, cpu float64 }

func costSince(before, now samples) cost {
	return cost{now.calls() - before.calls(), now.reads() - before.reads(), now.cpu() - before.cpu()}
}

// newLeases is the number of new leases for newIdle, and for newBusy.
const newLeases = 10

func (o options) measure(ctx context.Context, leases int) (r result, err error) {
	logf := func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, "%d leases: %s\n", leases, fmt.Sprintf(format, args...))
	}
	r.leases = leases
	e, err := o.start(ctx)
	if e != nil {
		defer func() { err = errors.Join(err, e.stop(err != nil)) }()
	}
	if err != nil {
		return r, err
	}
	empty, err := e.waitIdle(ctx)
	if err != nil {
		return r, err
	}
	r.before = empty.memory()
	logf("the server is ready, with %.0f MiB", r.before/mebi)

	begin := time.Now()
	if err := e.createAll(ctx, leases); err != nil {
		return r, err
	}
	r.created = time.Since(begin)
	if err := waitFor(ctx, func(s samples) bool { return s.granted() >= leases }); err != nil {
		return r, err
	}
	r.granted = time.Since(begin)
	if err := e.checkObjects(ctx, leases); err != nil {
		return r, err
	}
	logf("created after %s, granted after %s", r.created, r.granted)
	full, err := e.waitIdle(ctx)
	if err != nil {
		return r, err
	}
	r.settled, r.after = costSince(empty, full), full.memory()
	logf("settled: %+v, %.0f MiB", r.settled, r.after/mebi)

	if r.newIdle, err = e.createNew(ctx, "idle"); err != nil {
		return r, err
	}
	quiet, err := e.waitIdle(ctx)
	if err != nil {
		return r, err
	}
	logf("a new lease takes %v", r.newIdle)
	if err := sleep(ctx, time.Minute); err != nil {
		return r, err
	}
	later, err := scrape(ctx)
	if err != nil {
		return r, err
	}
	r.idle = later.calls() - quiet.calls()

	begin = time.Now()
	if err := e.configure(200_000); err != nil {
		return r, err
	}
	if err := waitFor(ctx, func(s samples) bool { return s.queued() > float64(leases)/2 }); err != nil {
		return r, err
	}
	if r.newBusy, err = e.createNew(ctx, "busy"); err != nil {
		return r, err
	}
	busy, err := scrape(ctx)
	if err != nil {
		return r, err
	}
	if busy.queued() < newLeases {
		logf("all leases were reconciled before the new ones were granted: the times of the new ones are too short")
	}
	logf("a new lease takes %v; %.0f old ones are still queued", r.newBusy, busy.queued())
	if err := waitFor(ctx, func(s samples) bool { return s.queued() == 0 }); err != nil {
		return r, err
	}
	r.reconfiguredAfter = time.Since(begin)
	done, err := e.waitIdle(ctx)
	if err != nil {
		return r, err
	}
	r.reconfigured = costSince(later, done)
	logf("all leases were reconciled after %s: %+v", r.reconfiguredAfter, r.reconfigured)
	return r, e.checkObjects(ctx, leases+2*newLeases)
}

const mebi = 1 << 20

// waitFor waits until the metrics of the server meet a condition.
func waitFor(ctx context.Context, condition func(samples) bool) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Minute)
	defer cancel()
	for {
		if s, err := scrape(ctx); err == nil && condition(s) {
			return nil
		}
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

// waitIdle waits until the server has been idle for ten seconds, and returns its metrics.
func (e *environment) waitIdle(ctx context.Context) (s samples, err error) {
	calls, since := -1.0, time.Now()
	err = waitFor(ctx, func(now samples) bool {
		if now.calls() != calls || now.queued() > 0 {
			calls, since = now.calls(), time.Now()
		}
		s = now
		return time.Since(since) > 10*time.Second
	})
	return s, err
}

// newLeases makes some new leases, one after the other, and times each.
func (e *environment) createNew(ctx context.Context, prefix string) (latencies []time.Duration, err error) {
	for i := range newLeases {
		name := fmt.Sprintf("%s-%d", prefix, i)
		begin := time.Now()
		if err := e.create(ctx, name, i); err != nil {
			return nil, err
		}
		for granted := false; !granted; {
			if err := sleep(ctx, 5*time.Millisecond); err != nil {
				return nil, err
			}
			var lease struct {
				Status struct {
					Conditions []struct{ Type, Status string }
				}
			}
			text, err := e.api.Get().Namespace(namespace(i)).Resource("tritonleases").Name(name).DoRaw(ctx)
			if err != nil {
				return nil, err
			}
			if err := json.Unmarshal(text, &lease); err != nil {
				return nil, err
			}
			for _, c := range lease.Status.Conditions { // the server writes them after it has applied the objects
				granted = granted || c.Type == "Granted" && c.Status == "True"
			}
		}
		latencies = append(latencies, time.Since(begin))
	}
	slices.Sort(latencies)
	return latencies, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
