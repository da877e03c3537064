package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// session measures one number of leases on a new control plane.
type session struct {
	*environment
	*fleet
	loops *latencies
	// created is the number of all leases until now, background the CPU time of the idle
	// server in a second.
	created    int
	background float64
}

const mebi = 1 << 20

func (s *session) logf(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s %d leases: %s\n", time.Now().Format(time.TimeOnly), s.Leases, fmt.Sprintf(format, args...))
}

// measureFleet measures a number of leases, and adds the times of loop to loops.
func (o options) measureFleet(ctx context.Context, leases int, loops *latencies) (f *fleet, err error) {
	e, err := o.start(ctx)
	if e != nil {
		defer func() { err = errors.Join(err, e.stop(err != nil)) }()
	}
	if err != nil {
		return nil, err
	}
	pods, stop := context.WithCancel(ctx)
	var kubelet sync.WaitGroup
	kubelet.Go(func() { e.runPods(pods) })
	defer kubelet.Wait()
	defer stop()
	s := &session{environment: e, fleet: &fleet{Leases: leases}, loops: loops}
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"start", s.measureStart},
		{"create all", s.measureAll},
		{"idle", s.measureIdle},
		{"new leases", s.measureQuiet},
		{"a configuration that changes no object", s.measureUnchanged},
		{"a configuration that changes the objects", s.measureChanged},
		{"new leases during a change of the configuration", s.measureBusy},
		{"new leases during a flood", s.measureFlood},
		{"new leases again", s.measureQuiet},
		{"restart", s.measureRestart},
		{"change of leader", s.measureFailover},
	} {
		if err := step.do(ctx); err != nil {
			return nil, fmt.Errorf("%s: %w", step.name, err)
		}
		if err := s.checkObjects(ctx, s.created); err != nil {
			return nil, fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return s.fleet, nil
}

// settle is the time after which Go has collected the garbage of an idle server, and has
// returned the memory: it collects at least every two minutes.
func (s *session) settle(ctx context.Context) (samples, error) {
	d := 150 * time.Second
	if s.Leases < smallFleet { // the memory is not judged
		d = 15 * time.Second
	}
	if err := s.loops.rest(ctx, d); err != nil {
		return samples{}, err
	}
	return scrape(ctx, 0)
}

func (s *session) measureStart(ctx context.Context) error {
	if _, err := waitFor(ctx, 0, func(samples) bool { return true }); err != nil {
		return err
	}
	if _, err := s.waitIdle(ctx, 0); err != nil {
		return err
	}
	empty, err := s.settle(ctx)
	s.BaseMemory = empty.memory()
	s.logf("the server is ready, with %.0f MiB", s.BaseMemory/mebi)
	return err
}

func (s *session) measureAll(ctx context.Context) (err error) {
	const batch = "fleet"
	watching, cancel := context.WithTimeout(ctx, 30*time.Minute)
	defer cancel()
	granted := s.watchGrants(watching, batch)
	mark, begin := s.Now(), time.Now()
	var last time.Time
	s.Granted, err = s.measure(ctx, 0, s.Leases, 0, func() error {
		if err := s.createAll(ctx, batch, s.Leases, namespace); err != nil {
			return err
		}
		s.created, s.Created = s.Leases, time.Since(begin)
		last, err = granted.all(watching, batch, s.Leases)
		return err
	})
	if err != nil {
		return err
	}
	log, err := s.log(mark)
	if at := made(log, batch+"-"); at.After(last) {
		last = at
	}
	s.Granted.Took = last.Sub(begin)
	s.logf("created after %s, granted after %s; %.1f ms CPU a lease; %s", s.Created, s.Granted.Took, s.Granted.eachCPU(), s.Granted.Calls)
	return err
}

func (s *session) measureIdle(ctx context.Context) (err error) {
	s.Idle, err = s.measure(ctx, 0, s.created, 0, func() error {
		full, err := s.settle(ctx)
		s.Memory, s.Heap = full.memory(), full.heap()
		return err
	})
	s.background = s.Idle.CPU / (s.Idle.Took + idleTime).Seconds()
	s.logf("idle for %s: %.0f MiB, %.1f MiB of heap, %.2f s CPU; %s", s.Idle.Took, s.Memory/mebi, s.Heap/mebi, s.Idle.CPU, s.Idle.Calls)
	return err
}

// measureQuiet measures two batches of new leases.
func (s *session) measureQuiet(ctx context.Context) error {
	for range 2 {
		leases, err := s.createNew(ctx, fmt.Sprintf("quiet%d", len(s.Quiet)), newLeases, s.alone(ctx, &s.QuietAlone))
		if err != nil {
			return err
		}
		s.created += newLeases
		l := times(leases, time.Now())
		s.Quiet = append(s.Quiet, l)
		s.logf("a new lease takes %s, at most %s", l.median(), l.worst())
		if _, err := s.waitIdle(ctx, 0); err != nil {
			return err
		}
	}
	return nil
}

// reconfigure changes the configuration and measures the work until the server is idle. It
// does not read the metrics meanwhile, because that costs the server CPU time.
func (s *session) reconfigure(ctx context.Context, threshold int) (work step, err error) {
	before, err := scrape(ctx, 0)
	if err != nil {
		return work, err
	}
	work, err = s.measure(ctx, 0, s.created, s.background, func() error {
		if err := s.configure(threshold, newMaximum); err != nil {
			return err
		}
		_, err := s.waitIdle(ctx, 0) // the server reads the file sooner than after idleTime
		return err
	})
	if err != nil {
		return work, err
	}
	after, err := scrape(ctx, 0)
	if err == nil && after.configured() <= before.configured() {
		err = errors.New("tms-server did not take the new configuration")
	}
	return work, err
}

// newMaximum is the highest threshold that leases may choose, after the first change of the
// configuration.
const newMaximum = 10 * firstThreshold

func (s *session) measureUnchanged(ctx context.Context) (err error) {
	s.Unchanged, err = s.reconfigure(ctx, firstThreshold)
	s.logf("a configuration that changes no object: %.2f ms CPU a lease; %s", s.Unchanged.eachCPU(), s.Unchanged.Calls)
	return err
}

func (s *session) measureChanged(ctx context.Context) (err error) {
	mark := s.Now()
	if s.Changed, err = s.reconfigure(ctx, 2*firstThreshold); err != nil {
		return err
	}
	log, err := s.log(mark)
	first, last := rescaling(log, busyBatch) // which has no leases yet
	s.Changed.Took = last.Sub(first)
	s.logf("a configuration that changes the objects: %s, %.2f ms CPU a lease; %s", s.Changed.Took, s.Changed.eachCPU(), s.Changed.Calls)
	return err
}

// busyBatch is the batch of leases that are created during a change of the configuration.
const busyBatch = "busy"

func (s *session) measureBusy(ctx context.Context) error {
	mark := s.Now()
	before, err := scrape(ctx, 0)
	if err != nil {
		return err
	}
	if err := s.configure(firstThreshold, newMaximum); err != nil {
		return err
	}
	if _, err := waitFor(ctx, 0, func(now samples) bool { return now.configured() > before.configured() }); err != nil {
		return err
	}
	leases, err := s.createNew(ctx, busyBatch, newLeases, nothing)
	if err != nil {
		return err
	}
	s.created += newLeases
	if _, err := s.waitIdle(ctx, 0); err != nil {
		return err
	}
	log, err := s.log(mark)
	_, end := rescaling(log, busyBatch)
	s.Busy = times(leases, end)
	s.logf("meanwhile %d new leases take %s, at most %s", len(s.Busy), s.Busy.median(), s.Busy.worst())
	return err
}

func (s *session) measureFlood(ctx context.Context) error {
	const flood, batch = "flood", "other"
	s.FloodLeases = min(1000, s.Leases)
	watching, cancel := context.WithTimeout(ctx, 20*time.Minute)
	defer cancel()
	granted := s.watchGrants(watching, flood)
	flooded := make(chan error, 1)
	go func() {
		flooded <- s.createAll(ctx, flood, s.FloodLeases, func(int) string { return floodNamespace })
	}()
	if _, err := granted.wait(watching, leaseName(flood, 0)); err != nil {
		return err
	}
	leases, err := s.createNew(ctx, batch, newLeases, s.alone(ctx, &s.FloodAlone))
	if err := errors.Join(err, <-flooded); err != nil {
		return err
	}
	s.created += s.FloodLeases + newLeases
	end, err := granted.all(watching, flood, s.FloodLeases)
	if err != nil {
		return err
	}
	s.Flood = times(leases, end)
	s.FloodAlone = s.FloodAlone[:min(len(s.Flood), len(s.FloodAlone))]
	s.logf("while another tenant creates %d, %d new leases take %s, at most %s; the same writes alone %s, at most %s, and %s without the flood",
		s.FloodLeases, len(s.Flood), s.Flood.median(), s.Flood.worst(), s.FloodAlone.median(), s.FloodAlone.worst(), s.QuietAlone.median())
	_, err = s.waitIdle(ctx, 0)
	return err
}
