//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestAPIStory acquires a lease with tmsctl, scales it under load, renews and releases it.
// It compares the answers of the API with the objects in Kubernetes.
func TestAPIStory(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "api-story")
	a := s.api()
	scientist := a.user("scientist", allVerbs...)
	a.waitAuthorized(scientist, "List", fields{"namespace": a.namespace})
	out := scientist.tmsctl("lease", "create", "-m", "name=resnet50,uri=s3://models/vision", "--duration", "8h",
		"--enable-autoscaling", "--autoscaling-max-replicas", "4", "--autoscaling-metric", "queueTime=100000")
	id, ok := strings.CutPrefix(strings.TrimSpace(out), "Lease ")
	if !ok || strings.ContainsAny(id, " \n") {
		s.fatal("tmsctl lease create prints %q", out)
	}
	lease := a.mustGet(id)
	if lease.Annotations["tms.triton-leases.dev/requested-by"] != "system:serviceaccount:"+a.namespace+":scientist" {
		s.fatal("the lease does not name the user that requested it: %v", lease.Annotations)
	}
	if lease.Spec.AcquireBy != nil {
		s.fatal("spec.acquireBy is still set: %v", lease.Spec.AcquireBy)
	}
	a.serves(id)
	a.has(id, scaledKinds)

	object := objectName(id)
	s.record("A lease of the API: one replica, four under load, one again", a.namespace, object, queueMetric, 100000)
	s.reads(a.namespace, object, queueMetric)
	s.load(a.namespace+"/"+object, 300)
	s.becomes(a.namespace, object, 4)
	s.eventually("tmsctl lease status shows four replicas", func() (bool, string) {
		out, err := scientist.run(s.Context(), "tmsctl", "lease", "status", id, "-n", a.namespace)
		if err != nil {
			return false, err.Error()
		}
		return strings.Contains(out, "4 of 4 serve, 4 wanted") && strings.Contains(out, "1 to 4 replicas") && strings.Contains(out, "serving"), out
	})
	if list := scientist.tmsctl("lease", "list", "-z"); !strings.Contains(list, id) || strings.Count(list, "\n") != 1 {
		s.fatal("tmsctl lease list prints %q", list)
	}
	s.load(a.namespace+"/"+object, 1)
	s.becomes(a.namespace, object, 1)

	before := scientist.status(id).ExpiresAt
	if before == nil {
		s.fatal("the lease does not expire")
	}
	s.pause(1100 * time.Millisecond) // timestamps are in whole seconds
	renewed, err := time.Parse(time.RFC3339, strings.TrimSpace(scientist.tmsctl("lease", "renew", id, "-z")))
	s.must(err)
	if !renewed.After(*before) {
		s.fatal("it expires at %s after the renewal, and at %s before", renewed, before)
	}
	s.eventually("the status has the new expiry", func() (bool, string) {
		now := scientist.status(id).ExpiresAt
		return now != nil && now.Equal(renewed), fmt.Sprintf("%v, want %v", now, renewed)
	})
	scientist.tmsctl("lease", "release", id)
	a.gone(id)
	a.noLeases()
	a.quiet(5 * time.Second)
}
