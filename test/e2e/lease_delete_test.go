//go:build e2e

package e2e

import (
	"fmt"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestLeaseDelete: what a lease consists of goes with it, however it is deleted, or
// stays where somebody asks for that, and belongs to the next lease of its name.
func TestLeaseDelete(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "lease-delete")
	l := s.leases()
	const name = "resnet50"
	remove := func(cascade string) {
		s.Helper()
		_, err := h.Cluster.Kubectl(s.Context(), "", "delete", "tl", name, "-n", l.namespace, "--cascade="+cascade)
		s.must(err)
		s.step("deleted with --cascade=%s", cascade)
	}
	for _, cascade := range []string{"background", "foreground"} {
		l.apply(name, scaled(3))
		l.has(name, scaledKinds)
		remove(cascade)
		l.gone(name)
	}

	l.apply(name, scaled(3))
	l.serves(name)
	l.has(name, scaledKinds)
	podsUnchanged := l.snapshotPods(name)
	remove("orphan")
	if objects, err := l.objectsOf(name); err != nil || kindsOf(objects) != scaledKinds {
		s.fatal("what it consisted of is gone: %s (%v)", kindsOf(objects), err)
	}
	l.apply(name, scaled(2))
	l.has(name, scaledKinds)
	l.maximum(name, 2)
	l.serves(name)
	podsUnchanged()

	s.step("a lease that is made again at once is no conflict with what is left of its former self")
	for maximum := range 3 {
		l.delete(name)
		l.apply(name, scaled(maximum+1))
		l.maximum(name, int32(maximum+1))
		l.has(name, scaledKinds)
		l.is(name, "Granted", metav1.ConditionTrue, "Granted")
		l.serves(name)
	}
	told, err := l.events(name)
	s.must(err)
	if told["Conflict"] != "" {
		s.fatal("the user was told to delete what is going anyway: %s", told["Conflict"])
	}
	s.step("a finalizer of somebody else keeps the lease, and not what it consists of")
	_, err = h.Cluster.Kubectl(s.Context(), "", "patch", "tl", name, "-n", l.namespace, "--type=merge", "-p", `{"metadata":{"finalizers":["example.com/keep"]}}`)
	s.must(err)
	l.delete(name)
	s.eventually("what it consisted of is gone", func() (bool, string) {
		objects, err := l.objectsOf(name)
		return err == nil && len(objects) == 0, fmt.Sprint(kindsOf(objects), err)
	})
	if l.mustGet(name).DeletionTimestamp == nil {
		s.fatal("the lease is not on its way out")
	}
	_, err = h.Cluster.Kubectl(s.Context(), "", "patch", "tl", name, "-n", l.namespace, "--type=merge", "-p", `{"metadata":{"finalizers":null}}`)
	s.must(err)
	l.gone(name)
}
