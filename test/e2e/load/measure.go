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

// result is what one fleet took.
type result struct {
	leases int
	// created is how long it took to create all leases; made until all of them had
	// all that they consist of.
	created, made time.Duration
	// settled is what the server did until nothing changed any more, since before the
	// first lease.
	settled cost
	// before and after are the resident memory without leases, and with them.
	before, after float64
	// again is what it did after a change of the configuration.
	again     cost
	againTook time.Duration
	// alone and among are how long it took to make a new lease, while there was
	// nothing else to do, and while all leases were judged again.
	alone, among []time.Duration
	// idle is how many calls the server made in a minute without a change.
	idle float64
}

// cost is what the server did in a while.
type cost struct{ calls, reads, cpu float64 }

func since(before, now samples) cost {
	return cost{now.calls() - before.calls(), now.reads() - before.reads(), now.cpu() - before.cpu()}
}

// newcomers are how many new leases are timed in each situation.
const newcomers = 10

func (p places) measure(ctx context.Context, leases int) (r result, err error) {
	say := func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, "%d leases: %s\n", leases, fmt.Sprintf(format, args...))
	}
	r.leases = leases
	a, err := p.start(ctx)
	if a != nil {
		defer func() { err = errors.Join(err, a.stop(err != nil)) }()
	}
	if err != nil {
		return r, err
	}
	empty, err := a.rest(ctx)
	if err != nil {
		return r, err
	}
	r.before = empty.memory()
	say("the server is ready, with %.0f MiB", r.before/mebi)

	begin := time.Now()
	if err := a.createAll(ctx, leases); err != nil {
		return r, err
	}
	r.created = time.Since(begin)
	if err := await(ctx, func(s samples) bool { return s.granted() >= leases }); err != nil {
		return r, err
	}
	r.made = time.Since(begin)
	if err := a.complete(ctx, leases); err != nil {
		return r, err
	}
	say("created after %s, made after %s", r.created, r.made)
	full, err := a.rest(ctx)
	if err != nil {
		return r, err
	}
	r.settled, r.after = since(empty, full), full.memory()
	say("settled: %+v, %.0f MiB", r.settled, r.after/mebi)

	if r.alone, err = a.newcomers(ctx, "alone"); err != nil {
		return r, err
	}
	quiet, err := a.rest(ctx)
	if err != nil {
		return r, err
	}
	say("a new lease takes %v", r.alone)
	if err := sleep(ctx, time.Minute); err != nil {
		return r, err
	}
	later, err := look(ctx)
	if err != nil {
		return r, err
	}
	r.idle = later.calls() - quiet.calls()

	begin = time.Now()
	if err := a.configure(200_000); err != nil {
		return r, err
	}
	if err := await(ctx, func(s samples) bool { return s.queued() > float64(leases)/2 }); err != nil {
		return r, err
	}
	if r.among, err = a.newcomers(ctx, "among"); err != nil {
		return r, err
	}
	busy, err := look(ctx)
	if err != nil {
		return r, err
	}
	if busy.queued() < newcomers {
		say("all leases were judged again before the new ones were made: their times mean less")
	}
	say("a new lease takes %v, and %.0f old ones still wait", r.among, busy.queued())
	if err := await(ctx, func(s samples) bool { return s.queued() == 0 }); err != nil {
		return r, err
	}
	r.againTook = time.Since(begin)
	done, err := a.rest(ctx)
	if err != nil {
		return r, err
	}
	r.again = since(later, done)
	say("all were judged again after %s: %+v", r.againTook, r.again)
	return r, a.complete(ctx, leases+2*newcomers)
}

const mebi = 1 << 20

// await waits until the metrics of the server say that something is so.
func await(ctx context.Context, so func(samples) bool) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Minute)
	defer cancel()
	for {
		if s, err := look(ctx); err == nil && so(s) {
			return nil
		}
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

// rest waits until the server has done nothing for ten seconds.
func (a *place) rest(ctx context.Context) (s samples, err error) {
	calls, since := -1.0, time.Now()
	err = await(ctx, func(now samples) bool {
		if now.calls() != calls || now.queued() > 0 {
			calls, since = now.calls(), time.Now()
		}
		s = now
		return time.Since(since) > 10*time.Second
	})
	return s, err
}

// newcomers makes some new leases, one after the other, and times each.
func (a *place) newcomers(ctx context.Context, prefix string) (took []time.Duration, err error) {
	for i := range newcomers {
		name := fmt.Sprintf("%s-%d", prefix, i)
		begin := time.Now()
		if err := a.create(ctx, name, i); err != nil {
			return nil, err
		}
		for made := false; !made; {
			if err := sleep(ctx, 5*time.Millisecond); err != nil {
				return nil, err
			}
			var lease struct {
				Status struct {
					Conditions []struct{ Type, Status string }
				}
			}
			text, err := a.api.Get().Namespace(namespace(i)).Resource("tritonleases").Name(name).DoRaw(ctx)
			if err != nil {
				return nil, err
			}
			if err := json.Unmarshal(text, &lease); err != nil {
				return nil, err
			}
			for _, c := range lease.Status.Conditions { // which are written after everything is made
				made = made || c.Type == "Granted" && c.Status == "True"
			}
		}
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	return took, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
