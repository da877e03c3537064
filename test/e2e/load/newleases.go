package main

import (
	"context"
	"time"
)

// newLeases is the number of new leases in a batch.
const newLeases = 50

// newLease is when a lease was created, and when it was granted and had its objects.
type newLease struct{ begin, end time.Time }

// createNew creates a batch of leases, one after the other. It calls each after each of them.
func (e *environment) createNew(ctx context.Context, batch string, leases int, each func(lease string) error) ([]newLease, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Minute)
	defer cancel()
	mark, granted := e.Now(), e.watchGrants(ctx, batch)
	all := make([]newLease, leases)
	for i := range all {
		all[i].begin = time.Now()
		if err := e.create(ctx, namespace(i), batch, i); err != nil {
			return nil, err
		}
		var err error
		if all[i].end, err = granted.wait(ctx, leaseName(batch, i)); err != nil {
			return nil, err
		}
		if err := sleep(ctx, 50*time.Millisecond); err != nil { // the server's work for this lease must not delay the next one
			return nil, err
		}
		if err := each(leaseName(batch, i)); err != nil {
			return nil, err
		}
	}
	log, err := e.log(mark)
	for i := range all {
		if at := made(log, leaseName(batch, i)); at.After(all[i].end) {
			all[i].end = at
		}
	}
	return all, err
}

// nothing is for createNew.
func nothing(string) error { return nil }

// alone returns a function for createNew that writes the same objects without tms-server, and
// adds the time to l.
func (e *environment) alone(ctx context.Context, l *latencies) func(lease string) error {
	return func(lease string) error {
		took, err := e.writeAlone(ctx, lease)
		*l = append(*l, took)
		return err
	}
}

// times returns the times of the leases that were created before an end. Some may have waited
// until it.
func times(leases []newLease, end time.Time) (l latencies) {
	for _, lease := range leases {
		if lease.begin.Before(end) {
			l = append(l, lease.end.Sub(lease.begin))
		}
	}
	return l
}
