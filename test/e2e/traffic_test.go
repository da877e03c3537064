//go:build e2e

package e2e

import (
	"fmt"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/triton-leases/tms/test/e2e/requests"
)

// TestTraffic checks that gRPC clients with long-lived connections reach new replicas, each
// of them evenly: because Triton closes connections of a certain age, or because the clients
// balance over the pods of the headless Service. Without either, the old replica keeps all
// of the load.
func TestTraffic(t *testing.T) {
	t.Parallel()
	roundRobin := grpc.WithDefaultServiceConfig(`{"loadBalancingConfig": [{"round_robin": {}}]}`)
	for name, c := range map[string]struct {
		age         int // in seconds; 0: connections have no maximum age
		headless    bool
		connections int
		perSecond   float64 // of each connection
		even        bool
	}{
		// The Service chooses a pod for each connection at random. 200 connections choose
		// 1600 times in 40 s, so the shares differ by 4 % on average.
		"age":      {age: 5, connections: 200, perSecond: 1, even: true},
		"headless": {age: 5, headless: true, connections: 10, perSecond: 20, even: true},
		"no-age":   {connections: 200, perSecond: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, "traffic-"+name)
			namespace := s.namespace("", nil)
			keys := withPreStop + ", " + connectionAge(c.age)
			release := s.install(4, namespace, "tms", servedLease(1, keys))
			s.serve(namespace, 20*time.Millisecond)
			target, options := "passthrough:///"+s.clusterIP(namespace, "8001"), []grpc.DialOption(nil)
			if c.headless {
				target, options = "dns:///"+servedObject+"-headless."+namespace+".svc:8001", append(options, roundRobin)
			}
			load, err := requests.GRPC(target, served, c.connections, c.perSecond, options...)
			s.must(err)
			defer load.Stop()
			s.answers(load, 1)
			s.upgrade(release, servedLease(4, keys))
			s.hasPods(namespace, 4, "")
			if c.even {
				s.answers(load, 4)
			}
			s.pause(15 * time.Second) // several ages
			load.Take()
			s.pause(40 * time.Second)
			r := load.Stop()
			s.step("%v", r)
			switch {
			case len(r.Failures) > 0:
				s.fatal("requests failed: %v", r)
			case c.even && !even(r, 4):
				s.fatal("the shares of the pods are not within 20 %% of even: %v", r)
			case !c.even && len(r.Pods) != 1:
				s.fatal("connections without a maximum age moved to new pods: %v", r)
			}
		})
	}
}

// connectionAge returns the key of triton that sets the age of gRPC connections.
func connectionAge(seconds int) string { return fmt.Sprintf("connectionAgeSeconds: %d", seconds) }

// even reports whether the share of each pod is within 20 % of even.
func even(r requests.Result, pods int) bool {
	mean := float64(r.Requests) / float64(pods)
	for _, n := range r.Pods {
		if float64(n) < 0.8*mean || float64(n) > 1.2*mean {
			return false
		}
	}
	return len(r.Pods) == pods
}
