package main

import (
	"encoding/json"
	"os"
	"time"
)

// results are the results of a run, as -json writes them. Durations are in nanoseconds, CPU
// times in seconds, memory in bytes.
type results struct {
	Monitors string
	// Loops are the CPU times of loop, while the servers were idle.
	Loops  latencies
	Fleets []*fleet
}

// fleet is the result of one number of leases.
type fleet struct {
	Leases int
	// Created is the time until all leases were created.
	Created time.Duration
	// Granted is the step until all were granted and had their objects.
	Granted step
	// BaseMemory and Memory are the resident memory without and with leases, Heap the part
	// of Memory that Go's heap uses. They are read while the server is idle, after a
	// collection of garbage.
	BaseMemory, Memory, Heap float64
	// Peak is the highest resident memory before the restart.
	Peak float64
	// Idle is a step in which nothing changes.
	Idle step
	// Unchanged and Changed are changes of the configuration. Unchanged changes no object.
	Unchanged, Changed step
	// Quiet are the times until a new lease is granted and has its objects, in several
	// batches, while the server has nothing else to do. Busy are those during a change of
	// the configuration, Flood those while another tenant creates FloodLeases leases.
	Quiet       []latencies
	Busy, Flood latencies
	FloodLeases int
	// QuietAlone and FloodAlone are the times of the same writes without tms-server, each
	// after a lease of Quiet or Flood.
	QuietAlone, FloodAlone latencies
	// Restart is after a kill of the only server, Failover after a kill of the leader.
	Restart, Failover takeover
}

// step is the work of a server.
type step struct {
	// Leases is the number of leases that the work is about.
	Leases int
	Took   time.Duration
	CPU    float64
	Calls  calls
	// Others is the share of the machine's CPU time that the processes of others used.
	Others float64
}

// eachCPU returns the CPU time in milliseconds, eachWrite the writes, and eachRead the reads
// for each lease.
func (s step) eachCPU() float64   { return 1000 * s.CPU / float64(s.Leases) }
func (s step) eachWrite() float64 { return float64(s.Calls.Writes) / float64(s.Leases) }
func (s step) eachRead() float64  { return float64(s.Calls.Reads) / float64(s.Leases) }

// eachMemory returns the resident memory above the base in KiB for each lease.
func (f *fleet) eachMemory() float64 { return (f.Memory - f.BaseMemory) / 1024 / float64(f.Leases) }

// takeover is what a server does after another one was killed.
type takeover struct {
	// NewLease is the time from the kill until a new lease is granted and has its objects.
	NewLease time.Duration
	// Calls are those for all other leases.
	Calls  calls
	Others float64
}

func readResults(path string) (*results, error) {
	if path == "" {
		return new(results), nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var r results
	return &r, json.Unmarshal(text, &r)
}

func (r *results) write(path string) error {
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

// fleet returns the result of a number of leases, or nil.
func (r *results) fleet(leases int) *fleet {
	for _, f := range r.Fleets {
		if f.Leases == leases {
			return f
		}
	}
	return nil
}
