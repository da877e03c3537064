//go:build e2e

package e2e

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/triton-leases/tms/test/e2e/requests"
	"github.com/triton-leases/tms/test/e2e/triton"
)

// TestLeaseReload checks that the status of a lease says that its models load, and that a reload
// under load replaces all its pods without a failed request.
func TestLeaseReload(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "lease-reload")
	l := s.ownLeases(4, "triton: {terminationGracePeriodSeconds: 35, "+withPreStop+"}")
	workload := l.namespace + "/" + servedObject
	h.Fleet.Change(workload, func(b *triton.Behavior) {
		b.Service, b.Instances, b.QueueSize, b.LoadTime = time.Second, 1000, 0, time.Minute
	})
	l.apply(served, `{`+vision+`, triton: {replicas: 2}}`)
	l.is(served, "Ready", metav1.ConditionFalse, "Starting", "0 of 2 replicas serve; loading resnet50")
	if states := l.mustGet(served).Status.ModelStates; len(states) != 1 || states[0].Name != "resnet50" || states[0].State != "Loading" {
		s.fatal("status.modelStates is %v", states)
	}
	lease := l.serves(served)
	if len(lease.Status.ModelStates) > 0 {
		s.fatal("the lease serves and has status.modelStates: %v", lease.Status.ModelStates)
	}
	h.Fleet.Change(workload, func(b *triton.Behavior) { b.LoadTime = time.Second })
	l.counts(served, 2)
	s.hasPods(l.namespace, 2, "")

	before := map[string]bool{}
	pods, err := l.pods(served)
	s.must(err)
	for _, pod := range pods {
		before[pod.Name] = true
	}
	load := requests.HTTP(s.clusterIP(l.namespace, "8000"), served, 20)
	s.answers(load, 2)
	l.patch(served, fmt.Sprintf(`{"reloadTime":%q}`, time.Now().UTC().Format(time.RFC3339)))
	s.eventually("two new pods have replaced the old ones", func() (bool, string) {
		pods, err := l.pods(served)
		updated := 0
		for _, pod := range pods {
			if !before[pod.Name] && pod.Annotations["tms.triton-leases.dev/reloaded-at"] != "" {
				updated++
			}
		}
		return err == nil && len(pods) == 2 && updated == 2, fmt.Sprintf("%d of %d pods are new, %v", updated, len(pods), err)
	})
	s.hasPods(l.namespace, 2, "") // the old ones have ended
	if r := load.Take(); len(r.Failures) > 0 {
		s.fatal("requests failed: %v", r)
	}
	s.answers(load, 2)
	r := load.Stop()
	s.step("%v", r)
	if len(r.Failures) > 0 {
		s.fatal("requests failed: %v", r)
	}
	s.eventually("the status has the reload", func() (bool, string) {
		st := l.mustGet(served).Status
		return st.ReloadedAt != nil && st.UpdatedReplicas == 2, fmt.Sprintf("%v, %d pods are updated", st.ReloadedAt, st.UpdatedReplicas)
	})
	l.quiet(5 * time.Second)
}
