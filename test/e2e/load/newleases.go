package main

import (
	"context"
	"time"
)

// newLeases is the number of new leases in a batch.
const newLeases = 50

// newLease is when a lease was created, and when it was granted and had its objects.
type newLease struct{ begin, end time.Time }

// createNew creates a batch of leases, one after the other.
func (e *environment) createNew(ctx context.Context, batch string, leases int) ([]newLease, error) {
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
	}
	log, err := e.log(mark)
	for i := range all {
		if at := made(log, leaseName(batch, i)); at.After(all[i].end) {
			all[i].end = at
		}
	}
	return all, err
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
