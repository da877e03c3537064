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

// tritonLease is a TritonLease as people read it.
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
		RenewedAt, ExpiresAt     *metav1.Time
		Granted                  *struct {
			Autoscaled, AutoRenew    bool
			MinReplicas, MaxReplicas int64
			Duration                 string
			Adjustments              []struct {
				Field, Limit, Unit string
				Asked, Granted     int64
			}
			Warnings []struct{ Field, Message string }
		}
	}
}

// condition returns a condition of the lease, and an empty one where it has none.
func (l *tritonLease) condition(kind string) metav1.Condition {
	for _, c := range l.Status.Conditions {
		if c.Type == kind {
			return c
		}
	}
	return metav1.Condition{Type: kind}
}

// leases are the TritonLeases of a namespace that a server looks after.
type leases struct {
	*scenario
	*server
	namespace string
	since     cluster.Mark // the server was refused nothing before
}

// vision are the models of a lease that a scenario does not care about.
const vision = `models: [{name: resnet50, uri: "s3://models/vision"}]`

// scaled is a lease that scales by the time that requests wait.
func scaled(maximum int) string {
	return fmt.Sprintf(`{%s, autoscaling: {enable: true, replicas: {maximum: %d}}}`, vision, maximum)
}

// name is that of what a lease consists of: all servers here are of a release tms.
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

// see returns a lease that must be there.
func (l *leases) mustGet(name string) *tritonLease {
	l.Helper()
	lease, err := l.get(name)
	l.must(err)
	return lease
}

// is waits until a lease has a condition, about its present spec, whose sentence
// has these parts.
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

// gone waits until a lease and everything that it consisted of is gone.
func (l *leases) gone(name string) {
	l.Helper()
	l.eventually(name+" is gone, with everything", func() (bool, string) {
		_, err := l.get(name)
		objects, failed := l.objectsOf(name)
		pods, podsFailed := l.pods(name)
		return apierrors.IsNotFound(err) && failed == nil && podsFailed == nil && len(objects) == 0 && len(pods) == 0,
			fmt.Sprintf("%v, %v, %d pods", err, kindsOf(objects), len(pods))
	})
}

// events returns what is told of a lease: the notes of its events, by reason.
func (l *leases) events(name string) (map[string]string, error) {
	lists, err := l.cluster.Client.CoreV1().Events(l.namespace).List(l.Context(), metav1.ListOptions{
		FieldSelector: "involvedObject.kind=TritonLease,involvedObject.name=" + name,
	})
	if err != nil {
		return nil, err
	}
	told := map[string]string{}
	for _, e := range lists.Items {
		told[e.Reason] += e.Message + "\n"
	}
	return told, nil
}

// told waits until an event of a lease has a reason, and a sentence with these parts.
func (l *leases) hasEvent(name, reason string, parts ...string) {
	l.Helper()
	l.eventually(fmt.Sprintf("an event of %s says %s", name, reason), func() (bool, string) {
		told, err := l.events(name)
		so := err == nil && told[reason] != ""
		for _, part := range parts {
			so = so && strings.Contains(told[reason], part)
		}
		if so {
			return true, told[reason]
		}
		return false, fmt.Sprint(told, err)
	})
}

// pods returns the pods of a lease that are not on their way out.
func (l *leases) pods(name string) ([]corev1.Pod, error) {
	pods, err := l.cluster.Client.CoreV1().Pods(l.namespace).List(l.Context(), metav1.ListOptions{LabelSelector: "tms.triton-leases.dev/lease=" + name})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(pods.Items, func(p corev1.Pod) bool { return p.DeletionTimestamp != nil }), nil
}

// lives notes the pods of leases. The function that it returns checks that each
// of them has lived on, and was not restarted.
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
			l.fatal("these pods were restarted, or did not live on: %v", slices.Collect(maps.Values(left)))
		}
		l.step("the %d pods that there were live on", len(before))
	}
}

// quiet waits until the server has nothing left to do in the namespace: for so
// long it writes nothing. What it does again and again would never end.
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
		return len(writes) == 0, fmt.Sprintf("%d calls since it was asked, and now the writes %v", len(l.calls(since)), writes)
	})
}
