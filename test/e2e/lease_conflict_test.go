//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestLeaseConflict checks that a lease reports a conflict if a foreign object has the
// name of one of its objects. The server does not change the foreign object and
// creates no others. When the foreign object is deleted, the lease becomes ready.
func TestLeaseConflict(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "lease-conflict")
	l := s.leases()
	const name = "resnet50"
	object := objectName(name)
	s.must(h.Cluster.Apply(s.Context(), fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: %s, namespace: %s, labels: {app: mine}}
spec:
  replicas: 0
  selector: {matchLabels: {app: mine}}
  template:
    metadata: {labels: {app: mine}}
    spec: {containers: [{name: mine, image: example.com/mine}]}
---
{apiVersion: v1, kind: Service, metadata: {name: %[1]s, namespace: %[2]s}, spec: {selector: {app: mine}, ports: [{port: 80}]}}
`, object, l.namespace)))
	foreign := func() map[string]any {
		out, err := h.Cluster.Kubectl(s.Context(), "", "get", "deployment,service", object, "-n", l.namespace, "-o", "json", "--show-managed-fields")
		s.must(err)
		var objects map[string]any
		s.must(json.Unmarshal([]byte(out.Stdout), &objects))
		return objects
	}
	s.eventually("the Deployment has settled", func() (bool, string) {
		d, err := h.Cluster.Client.AppsV1().Deployments(l.namespace).Get(s.Context(), object, metav1.GetOptions{})
		s.must(err)
		return d.Status.ObservedGeneration == d.Generation && len(d.Status.Conditions) > 1, fmt.Sprint(d.Status.Conditions)
	})
	before := foreign()

	l.apply(name, scaled(3))
	l.is(name, "Granted", metav1.ConditionTrue, "Granted")
	l.is(name, "Ready", metav1.ConditionFalse, "Conflict", "Deployment "+object, "Service "+object)
	l.hasEvent(name, "Conflict", "Deployment "+object)
	s.pause(10 * time.Second)
	if after := foreign(); !reflect.DeepEqual(before, after) {
		s.fatal("the foreign objects were changed:\n%v\n%v", before, after)
	}
	s.step("the foreign objects are unchanged, including their managed fields")
	l.has(name, "")

	s.step("one foreign object is deleted, then the other")
	_, err := h.Cluster.Kubectl(s.Context(), "", "delete", "deployment", object, "-n", l.namespace)
	s.must(err)
	l.is(name, "Ready", metav1.ConditionFalse, "Conflict", "Service "+object)
	_, err = h.Cluster.Kubectl(s.Context(), "", "delete", "service", object, "-n", l.namespace)
	s.must(err)
	l.serves(name)
	l.has(name, scaledKinds)
}
