package main

import (
	"context"
	"time"
)

// measureRestart kills the server and starts another one.
func (s *session) measureRestart(ctx context.Context) (err error) {
	s.Peak = peakMemory(s.servers[0].Pid())
	s.Restart, err = s.takeOver(ctx, "restart", func() (int, error) {
		if err := s.killServers(); err != nil {
			return 0, err
		}
		return len(s.servers), s.startServer(false)
	})
	s.logf("restart: a new lease after %s; %s", s.Restart.NewLease, s.Restart.Calls)
	return err
}

// measureFailover replaces the server by two that elect a leader, and kills the leader.
func (s *session) measureFailover(ctx context.Context) (err error) {
	if err := s.killServers(); err != nil {
		return err
	}
	first := len(s.servers)
	for range 2 {
		if err := s.startServer(true); err != nil {
			return err
		}
	}
	waiting, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	leader := -1
	for leader < 0 {
		for i := first; i < first+2; i++ {
			now, err := waitFor(waiting, i, func(now samples) bool { return now.granted() == s.created })
			if err != nil {
				return err
			}
			if now.leads() {
				leader = i
			}
		}
		if err := sleep(waiting, time.Second); err != nil {
			return err
		}
	}
	if _, err := s.waitIdle(ctx, leader); err != nil {
		return err
	}
	s.Failover, err = s.takeOver(ctx, "leader", func() (int, error) {
		if err := s.servers[leader].Crash(); err != nil {
			return 0, err
		}
		<-s.servers[leader].Done()
		return 2*first + 1 - leader, nil
	})
	s.logf("change of leader: a new lease after %s; %s", s.Failover.NewLease, s.Failover.Calls)
	return err
}

// takeOver kills a server, creates a lease at once, and measures the server that takes over.
func (s *session) takeOver(ctx context.Context, batch string, kill func() (server int, err error)) (t takeover, err error) {
	mark, begin := s.Now(), time.Now()
	usage, err := readUsage()
	if err != nil {
		return t, err
	}
	server, err := kill()
	if err != nil {
		return t, err
	}
	leases, err := s.createNew(ctx, batch, 1, nothing)
	if err != nil {
		return t, err
	}
	s.created++
	t.NewLease = leases[0].end.Sub(begin)
	end, err := readUsage()
	if err != nil {
		return t, err
	}
	t.Others = usage.others(end)
	if _, err := s.waitIdle(ctx, server); err != nil {
		return t, err
	}
	log, err := s.log(mark)
	t.Calls = s.count(without(log, leaseName(batch, 0)))
	return t, err
}
