package main

import (
	"strings"
	"testing"
	"time"

	"github.com/triton-leases/tms/test/e2e/cluster"
)

func logged(second int, verb, resource, name string, code int) cluster.Call {
	c := cluster.Call{Stage: "ResponseComplete", Time: time.Unix(int64(second), 0), Verb: verb}
	c.Object.Resource, c.Object.Namespace, c.Object.Name, c.Status.Code = resource, "team", name, code
	return c
}

func TestMade(t *testing.T) {
	log := []cluster.Call{
		logged(1, "update", "tritonleases", "new-00001", 200),
		logged(2, "create", "deployments", "tms-new-00001", 201),
		logged(3, "create", "services", "tms-new-00001", 500),
		logged(4, "create", "services", "tms-new-00001", 201),
		logged(5, "patch", "deployments", "tms-new-00001", 200), // a change of an object that exists
		logged(6, "create", "services", "tms-new-00002", 201),
		logged(7, "create", "events", "new-00001.abc", 201),
	}
	if got := made(log, leaseName("new", 1)).Unix(); got != 4 {
		t.Errorf("the last object was made at %d, not 4", got)
	}
}

func TestCount(t *testing.T) {
	log := []cluster.Call{
		logged(1, "create", "deployments", "a", 201),
		logged(1, "create", "podmonitors", "tms.leases", 201),
		logged(1, "get", "services", "a", 404),
		logged(1, "create", "tokenreviews", "", 201),
	}
	for _, test := range []struct {
		monitors              string
		reads, writes, shared int
	}{{shared, 2, 1, 1}, {perLease, 2, 2, 0}} {
		e := &environment{options: options{monitors: test.monitors}}
		if c := e.count(log); c.Reads != test.reads || c.Writes != test.writes || c.SharedWrites != test.shared {
			t.Errorf("monitors %s: %+v", test.monitors, c)
		}
	}
}

// TestStarved checks that a new lease that waits until the other work is over is counted.
func TestStarved(t *testing.T) {
	at := func(second int64) time.Time { return time.Unix(second, 0) }
	leases := []newLease{{at(0), at(1)}, {at(2), at(20)}, {at(21), at(22)}}
	if l := times(leases, at(19)); len(l) != 2 || l.worst() != 18*time.Second {
		t.Errorf("the times are %v, not 1 s and 18 s", l)
	}
}

func TestVerdict(t *testing.T) {
	for _, test := range []struct {
		measured, noise float64
		unjudged, want  string
		missed          bool
	}{
		{8, 0, "", "met", false},
		{9, 0.2, "", "within the noise", false},
		{9, 0.1, "", "**missed**", true},
		{9, 0, "too small", "too small", false},
	} {
		r := requirement{limit: 8, measured: test.measured, noise: test.noise, unjudged: test.unjudged}
		if r.verdict() != test.want || r.missed() != test.missed {
			t.Errorf("%+v: %s", test, r.verdict())
		}
	}
}

// TestRequirements checks the verdicts of a fleet that misses each kind of limit.
func TestRequirements(t *testing.T) {
	work := func(leases int, cpu, took float64, writes int) step {
		return step{Leases: leases, CPU: cpu, Took: time.Duration(took * float64(time.Second)), Calls: calls{Writes: writes}}
	}
	batch := func(worst time.Duration) latencies {
		l := make(latencies, newLeases)
		for i := range l {
			l[i] = worst / 2
		}
		l[0] = worst
		return l
	}
	good := func(leases int) *fleet {
		n := float64(leases)
		return &fleet{
			Leases: leases, Memory: 30 * 1024 * n,
			Granted: work(leases, 0.013*n, 0.02*n, 7*leases), Changed: work(leases, 0.003*n, 0.01*n, 2*leases), Unchanged: work(leases, 0.0002*n, 1, 0),
			Quiet: []latencies{batch(time.Second), batch(time.Second)}, Busy: batch(2 * time.Second), Flood: batch(4 * time.Second), FloodAlone: batch(2 * time.Second),
			Restart: takeover{NewLease: time.Second}, Failover: takeover{NewLease: 17 * time.Second},
		}
	}
	missed := func(change func(*fleet)) (missed []string) {
		r := &results{Loops: latencies{limitsLoop, limitsLoop}, Fleets: []*fleet{good(1000), good(5000)}}
		change(r.Fleets[1])
		for _, one := range r.requirements() {
			if one.missed() {
				missed = append(missed, one.what)
			}
		}
		return missed
	}
	if got := missed(func(*fleet) {}); len(got) > 0 {
		t.Errorf("a good fleet misses %v", got)
	}
	if got := missed(func(f *fleet) { f.Leases, f.Granted.Took = 10000, 2*f.Granted.Took }); len(got) > 0 {
		t.Errorf("exponents are judged up to 5,000 leases, but 10,000 miss %v", got)
	}
	for what, change := range map[string]func(*fleet){
		"5,000 leases: writes for a new lease":                                                             func(f *fleet) { f.Granted.Calls.Writes += 5000 },
		"5,000 leases: reads for a new lease":                                                              func(f *fleet) { f.Granted.Calls.Reads = 5000 },
		"5,000 leases: API calls while nothing changes":                                                    func(f *fleet) { f.Idle.Calls.SharedWrites = 1 },
		"5,000 leases: writes when a configuration changes no object":                                      func(f *fleet) { f.Unchanged.Calls.Writes = 1 },
		"5,000 leases: CPU time for a new lease":                                                           func(f *fleet) { f.Granted.CPU = 0.0141 * 5000 },
		"5,000 leases: memory for a lease":                                                                 func(f *fleet) { f.Memory = 41 * 1024 * 5000 },
		"5,000 leases: slowest new lease during a change of the configuration ÷ slowest on an idle server": func(f *fleet) { f.Busy = batch(4 * time.Second) },
		"5,000 leases: slowest new lease during a flood ÷ slowest of the same writes without tms-server":   func(f *fleet) { f.Flood[0] = 7 * time.Second },
		"5,000 leases: median new lease during a flood ÷ median of the same writes without tms-server":     func(f *fleet) { f.Flood = batch(5 * time.Second) },
		// The other work is over before a second lease is created, because the first one waits.
		"5,000 leases: slowest new lease during a change of the configuration ÷ slowest on an idle server ": func(f *fleet) { f.Busy = latencies{4 * time.Second} },
		"5,000 leases: restart: writes":                                     func(f *fleet) { f.Restart.Calls.Writes = 1 },
		"5,000 leases: change of leader: time until a new lease is made":    func(f *fleet) { f.Failover.NewLease = 21 * time.Second },
		"1,000 to 5,000 leases: exponent of the time until all are granted": func(f *fleet) { f.Granted.Took *= 2 },
	} {
		if got := missed(change); len(got) != 1 || got[0] != strings.TrimSpace(what) {
			t.Errorf("missed are %v, not %s", got, what)
		}
	}
}
