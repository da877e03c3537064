//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/triton-leases/tms/test/e2e/cluster"
)

// tritonLease has the fields of a TritonLease that the scenarios read.
type tritonLease struct {
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		RenewTime, AcquireBy *metav1.Time
	}
	Status struct {
		Installation             string
		Models, Address          string
		ObservedGeneration       int64
		Conditions               []metav1.Condition
		Replicas, WantedReplicas int32
		UpdatedReplicas          int32
		RenewedAt, ExpiresAt     *metav1.Time
		ReloadedAt               *metav1.Time
		ModelStates              []struct{ Name, State, Message string }
		Budget                   *struct{ GPUs, Charged, Used int64 }
		Granted                  *struct {
			Autoscaled, AutoRenew    bool
			MinReplicas, MaxReplicas int64
			Replicas, GPUs           int64
			Duration                 string
			Adjustments              []struct {
				Field, Limit, Unit string
				Asked, Granted     int64
			}
			Warnings []struct{ Field, Message string }
		}
	}
}

// condition returns a condition of the lease, or an empty one if the lease has none.
func (l *tritonLease) condition(kind string) metav1.Condition {
	for _, c := range l.Status.Conditions {
		if c.Type == kind {
			return c
		}
	}
	return metav1.Condition{Type: kind}
}

// leases are the TritonLeases in a namespace that a server manages.
type leases struct {
	*scenario
	*server
	namespace string
	since     cluster.Mark // permitted has checked the requests before it
}

// vision is the models of a lease, in scenarios that do not depend on them.
const vision = `models: [{name: resnet50, uri: "s3://models/vision"}]`

// scaled returns the spec of a lease that scales on queueTime.
func scaled(maximum int) string {
	return fmt.Sprintf(`{%s, autoscaling: {enable: true, replicas: {maximum: %d}}}`, vision, maximum)
}

// objectName returns the name of the objects of a lease: the releases are called tms.
func objectName(lease string) string { return "tms-" + lease }

// try applies a lease as a user would.
func (l *leases) try(name, spec string) error {
	_, err := l.cluster.Kubectl(l.Context(), fmt.Sprintf(
		"{apiVersion: tms.triton-leases.dev/v1alpha1, kind: TritonLease, metadata: {name: %s, namespace: %s}, spec: %s}", name, l.namespace, spec),
		"apply", "-f", "-")
	return err
}

func (l *leases) apply(name, spec string) {
	l.Helper()
	l.must(l.try(name, spec))
	l.step("applied the lease %s: %s", name, spec)
}

// patch changes keys of the spec of a lease.
func (l *leases) patch(name, spec string) {
	l.Helper()
	_, err := l.cluster.Kubectl(l.Context(), "", "patch", "tl", name, "-n", l.namespace, "--type", "merge", "-p", fmt.Sprintf(`{"spec":%s}`, spec))
	l.must(err)
	l.step("patched the lease %s: %s", name, spec)
}

func (l *leases) delete(name string) {
	l.Helper()
	_, err := l.cluster.Kubectl(l.Context(), "", "delete", "tl", name, "-n", l.namespace, "--wait=false")
	l.must(err)
	l.step("deleted the lease %s", name)
}

func (l *leases) read(ctx context.Context, path string, into any) error {
	text, err := l.cluster.Client.Discovery().RESTClient().(*rest.RESTClient).Get().AbsPath(path).DoRaw(ctx)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

func (l *leases) get(name string) (*tritonLease, error) {
	lease := new(tritonLease)
	err := l.read(l.Context(), "/apis/tms.triton-leases.dev/v1alpha1/namespaces/"+l.namespace+"/tritonleases/"+name, lease)
	return lease, err
}

// mustGet returns a lease, which must exist.
func (l *leases) mustGet(name string) *tritonLease {
	l.Helper()
	lease, err := l.get(name)
	l.must(err)
	return lease
}

// is waits until a lease has a condition for its current generation, with a message that
// contains the parts.
func (l *leases) is(name, condition string, status metav1.ConditionStatus, reason string, parts ...string) *tritonLease {
	l.Helper()
	var lease *tritonLease
	l.eventually(fmt.Sprintf("%s is %s=%s, %s", name, condition, status, reason), func() (bool, string) {
		var err error
		if lease, err = l.get(name); err != nil {
			return false, err.Error()
		}
		c := lease.condition(condition)
		so := c.Status == status && c.Reason == reason && c.ObservedGeneration == lease.Generation && lease.Status.ObservedGeneration == lease.Generation
		for _, part := range parts {
			so = so && strings.Contains(c.Message, part)
		}
		return so, fmt.Sprintf("%s=%s %s: %s (generation %d of %d)", condition, c.Status, c.Reason, c.Message, c.ObservedGeneration, lease.Generation)
	})
	return lease
}

// serves waits until a lease is ready.
func (l *leases) serves(name string) *tritonLease {
	l.Helper()
	return l.is(name, "Ready", metav1.ConditionTrue, "Serving")
}

// gone waits until a lease, its objects and its pods are deleted.
func (l *leases) gone(name string) {
	l.Helper()
	l.eventually(name+" is deleted, with its objects and pods", func() (bool, string) {
		_, err := l.get(name)
		objects, failed := l.objectsOf(name)
		pods, podsFailed := l.pods(name)
		return apierrors.IsNotFound(err) && failed == nil && podsFailed == nil && len(objects) == 0 && len(pods) == 0,
			fmt.Sprintf("%v, %v, %d pods", err, kindsOf(objects), len(pods))
	})
}

// events returns the messages of a lease's events, by reason.
func (l *leases) events(name string) (map[string]string, error) {
	lists, err := l.cluster.Client.CoreV1().Events(l.namespace).List(l.Context(), metav1.ListOptions{
		FieldSelector: "involvedObject.kind=TritonLease,involvedObject.name=" + name,
	})
	if err != nil {
		return nil, err
	}
	messages := map[string]string{}
	for _, e := range lists.Items {
		messages[e.Reason] += e.Message + "\n"
	}
	return messages, nil
}

// hasEvent waits until a lease has an event with a reason, and a message that contains the
// parts.
func (l *leases) hasEvent(name, reason string, parts ...string) {
	l.Helper()
	l.eventually(fmt.Sprintf("%s has an event %s", name, reason), func() (bool, string) {
		events, err := l.events(name)
		so := err == nil && events[reason] != ""
		for _, part := range parts {
			so = so && strings.Contains(events[reason], part)
		}
		if so {
			return true, events[reason]
		}
		return false, fmt.Sprint(events, err)
	})
}

// pods returns the pods of a lease that are not being deleted.
func (l *leases) pods(name string) ([]corev1.Pod, error) {
	pods, err := l.cluster.Client.CoreV1().Pods(l.namespace).List(l.Context(), metav1.ListOptions{LabelSelector: "tms.triton-leases.dev/lease=" + name})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(pods.Items, func(p corev1.Pod) bool { return p.DeletionTimestamp != nil }), nil
}

// snapshotPods records the pods of leases. The returned function checks that all of them
// still exist, and were not restarted.
func (l *leases) snapshotPods(names ...string) func() {
	l.Helper()
	before := map[types.UID]string{}
	for _, name := range names {
		pods, err := l.pods(name)
		l.must(err)
		if len(pods) == 0 {
			l.fatal("the lease %s has no pods", name)
		}
		for _, pod := range pods {
			before[pod.UID] = pod.Name
		}
	}
	return func() {
		l.Helper()
		left := maps.Clone(before)
		for _, name := range names {
			pods, err := l.pods(name)
			l.must(err)
			for _, pod := range pods {
				if pod.Status.ContainerStatuses[0].RestartCount == 0 {
					delete(left, pod.UID)
				}
			}
		}
		if len(left) > 0 {
			l.fatal("these pods were restarted or deleted: %v", slices.Collect(maps.Values(left)))
		}
		l.step("the %d pods still run, without a restart", len(before))
	}
}

// quiet waits until the server writes nothing in the namespace for a duration. It fails if
// the server writes in a loop.
func (l *leases) quiet(d time.Duration) {
	l.Helper()
	since := l.cluster.Now()
	l.eventually(fmt.Sprintf("the server writes nothing for %s", d), func() (bool, string) {
		before := l.cluster.Now()
		l.pause(d)
		var writes []cluster.Call
		for _, call := range l.calls(before) {
			if call.Writes() {
				writes = append(writes, call)
			}
		}
		return len(writes) == 0, fmt.Sprintf("%d calls since the start of the wait, the last writes %v", len(l.calls(since)), writes)
	})
}
