//go:build e2e

package e2e

import (
	"testing"
	"time"

	"github.com/triton-leases/tms/test/e2e/requests"
)

// The hooks of a lease: the default of the chart, and none.
const withPreStop, withoutPreStop = "lifecycle: {preStop: {sleep: {seconds: 10}}}", "lifecycle: {}"

// TestDrain checks that no request fails when nine of ten replicas are removed under load.
// The Service sends requests to a deleted pod until it learns of the deletion: without the
// preStop hook, some of them fail.
func TestDrain(t *testing.T) {
	t.Parallel()
	for name, hook := range map[string]string{"prestop": withPreStop, "no-prestop": withoutPreStop} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, "drain-"+name)
			namespace := s.namespace("", nil)
			release := s.install(4, namespace, "tms", servedLease(10, hook))
			// Requests take longer than the hook, so Triton gets SIGTERM while it serves some.
			s.serve(namespace, 12*time.Second)
			load := requests.HTTP(s.clusterIP(namespace, "8000"), served, 20)
			s.answers(load, 10)
			s.upgrade(release, servedLease(1, hook))
			s.hasPods(namespace, 1, "")
			r := load.Stop()
			s.step("%v", r)
			if lost := len(r.Failures) > 0; lost != (hook == withoutPreStop) {
				s.fatal("with %s: %v", hook, r)
			}
		})
	}
}

// TestImageChange checks that no request fails when an upgrade replaces all pods under load.
func TestImageChange(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "image-change")
	namespace := s.namespace("", nil)
	release := s.install(4, namespace, "tms", servedLease(3, withPreStop))
	s.serve(namespace, time.Second)
	load := requests.HTTP(s.clusterIP(namespace, "8000"), served, 20)
	s.answers(load, 3)
	const image = "nvcr.io/nvidia/tritonserver:26.07-py3"
	s.upgrade(release, servedLease(3, withPreStop), "images: {triton: "+image+"}")
	s.hasPods(namespace, 3, image)
	r := load.Stop()
	s.step("%v", r)
	if len(r.Failures) > 0 {
		s.fatal("requests failed: %v", r)
	}
}
