//go:build e2e

package e2e

import (
	"fmt"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestLeaseDelete checks that the objects of a lease are deleted with it. With
// --cascade=orphan they stay, and the next lease of that name adopts them.
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
		s.fatal("orphaned objects were deleted: %s (%v)", kindsOf(objects), err)
	}
	l.apply(name, scaled(2))
	l.has(name, scaledKinds)
	l.maximum(name, 2)
	l.serves(name)
	podsUnchanged()

	s.step("a lease that is recreated at once does not conflict with the objects of the deleted one")
	for maximum := range 3 {
		l.delete(name)
		l.apply(name, scaled(maximum+1))
		l.maximum(name, int32(maximum+1))
		l.has(name, scaledKinds)
		l.is(name, "Granted", metav1.ConditionTrue, "Granted")
		l.serves(name)
	}
	events, err := l.events(name)
	s.must(err)
	if events["Conflict"] != "" {
		s.fatal("an event reports a conflict with objects that are being deleted: %s", events["Conflict"])
	}
	s.step("the finalizer of another controller keeps the lease, but not its objects")
	_, err = h.Cluster.Kubectl(s.Context(), "", "patch", "tl", name, "-n", l.namespace, "--type=merge", "-p", `{"metadata":{"finalizers":["example.com/keep"]}}`)
	s.must(err)
	l.delete(name)
	s.eventually("its objects are deleted", func() (bool, string) {
		objects, err := l.objectsOf(name)
		return err == nil && len(objects) == 0, fmt.Sprint(kindsOf(objects), err)
	})
	if l.mustGet(name).DeletionTimestamp == nil {
		s.fatal("the lease has no deletion timestamp")
	}
	_, err = h.Cluster.Kubectl(s.Context(), "", "patch", "tl", name, "-n", l.namespace, "--type=merge", "-p", `{"metadata":{"finalizers":null}}`)
	s.must(err)
	l.gone(name)
}
