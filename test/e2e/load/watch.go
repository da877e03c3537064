package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// grants records when each lease of a batch was granted.
type grants struct {
	lock sync.Mutex
	at   map[string]time.Time
	err  error
	// more has an element after a change.
	more chan struct{}
}

// watchGrants watches the leases of a batch until the context is done.
func (e *environment) watchGrants(ctx context.Context, batch string) *grants {
	g := &grants{at: map[string]time.Time{}, more: make(chan struct{}, 1)}
	go func() {
		for ctx.Err() == nil {
			// A busy API server ends watches. The next one starts with the current state.
			err := e.readGrants(ctx, batch, g)
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				g.change(func() { g.err = fmt.Errorf("watch the leases of batch %s: %w", batch, err) })
				return
			}
			_ = sleep(ctx, 10*time.Millisecond)
		}
	}()
	return g
}

// readGrants reads one watch. The error is io.EOF when the API server ends it.
func (e *environment) readGrants(ctx context.Context, batch string, g *grants) error {
	stream, err := e.api.Get().Resource("tritonleases").Param("watch", "true").Param("labelSelector", batchLabel+"="+batch).Stream(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = stream.Close() }()
	for events := json.NewDecoder(stream); ; {
		var event struct {
			Type   string
			Object struct {
				Metadata struct{ Name string }
				Status   struct {
					Conditions []struct{ Type, Status string }
				}
			}
		}
		if err := events.Decode(&event); err != nil {
			return err
		}
		now := time.Now()
		for _, c := range event.Object.Status.Conditions {
			if name := event.Object.Metadata.Name; c.Type == "Granted" && c.Status == "True" && g.at[name].IsZero() {
				g.change(func() { g.at[name] = now })
			}
		}
	}
}

func (g *grants) change(change func()) {
	g.lock.Lock()
	change()
	g.lock.Unlock()
	select {
	case g.more <- struct{}{}:
	default:
	}
}

// wait waits until a lease was granted, and returns when that was. Only one goroutine may
// wait.
func (g *grants) wait(ctx context.Context, name string) (time.Time, error) {
	for {
		g.lock.Lock()
		at, err := g.at[name], g.err
		g.lock.Unlock()
		if !at.IsZero() {
			return at, nil
		}
		if err != nil {
			return at, err
		}
		select {
		case <-g.more:
		case <-ctx.Done():
			return at, fmt.Errorf("lease %s is not granted: %w", name, context.Cause(ctx))
		}
	}
}

// all waits until all leases of a batch were granted, and returns when the last one was.
func (g *grants) all(ctx context.Context, batch string, leases int) (last time.Time, err error) {
	for i := range leases {
		at, err := g.wait(ctx, leaseName(batch, i))
		if err != nil {
			return last, err
		}
		if at.After(last) {
			last = at
		}
	}
	return last, nil
}
