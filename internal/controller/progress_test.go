package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/progress"
)

// probing sets what the probes of an environment find. The returned numbers count the probes
// and the changes that they found.
func (e *environment) probing(states func() ([]v1alpha1.ModelState, error)) (probed, changed *int) {
	probed, changed = new(int), new(int)
	e.probes = newProbes(func(_ context.Context, lease progress.Lease) ([]v1alpha1.ModelState, error) {
		*probed++
		require.Equal(e.t, e.lease("a").Namespace, lease.Namespace)
		require.Equal(e.t, map[string]string{managedByLabel: managedBy, v1alpha1.LeaseLabel: "a"}, lease.Selector)
		return states()
	}, func(lease client.ObjectKey) {
		*changed++
		require.Equal(e.t, key("a"), lease)
	})
	return probed, changed
}

// probed reconciles the lease a, and waits for its probe.
func (e *environment) probed() time.Duration {
	e.t.Helper()
	wait := e.reconcile("a").RequeueAfter
	e.probes.running.Wait()
	return wait
}

func (e *environment) setDeploymentStatus(status appsv1.DeploymentStatus) {
	e.t.Helper()
	deployment := e.deploymentOf("a")
	deployment.Status = status
	require.NoError(e.t, e.cluster.Status().Update(e.t.Context(), deployment))
}

// TestQuickStart: a lease that starts quickly is not probed.
func TestQuickStart(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, scales, newLease(t, "a", fixed))
	probes, _ := e.probing(func() ([]v1alpha1.ModelState, error) { return nil, nil })
	require.Equal(t, quickStart, e.probed())
	e.clock = epoch.Add(quickStart - time.Second)
	require.Equal(t, time.Second, e.probed())
	e.setDeploymentStatus(appsv1.DeploymentStatus{Replicas: 1, AvailableReplicas: 1})
	e.clock = epoch.Add(quickStart)
	require.Greater(t, e.probed(), time.Hour, "it waits for its expiry")
	require.Zero(t, *probes)
	require.Empty(t, e.probes.leases)
}

// TestProgress: while a lease starts, its status says what its models do. The status is
// written only if that changes, and no longer says it once the lease serves.
func TestProgress(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, scales, newLease(t, "a", fixed))
	var err error
	downloading := v1alpha1.ModelState{Name: "resnet50", State: v1alpha1.ModelDownloading, Message: "3.1 of 12 GiB"}
	states := []v1alpha1.ModelState{downloading}
	probes, changes := e.probing(func() ([]v1alpha1.ModelState, error) { return states, err })
	e.probed()
	e.written()

	e.clock = e.clock.Add(quickStart)
	require.Equal(t, probePeriod+periodPerLease, e.probed())
	require.Equal(t, 1, *probes)
	require.Equal(t, 1, *changes, "the lease is reconciled again")
	require.Empty(t, e.written())
	e.probed()
	require.Equal(t, []string{"update status TritonLease a"}, e.written())
	require.Equal(t, states, e.lease("a").Status.ModelStates)
	require.Equal(t, "False Starting: 0 of 1 replicas serve; downloading resnet50: 3.1 of 12 GiB", e.condition("a", v1alpha1.ConditionReady))

	e.clock = e.clock.Add(time.Minute)
	e.probed()
	e.probed()
	require.Equal(t, 2, *probes)
	require.Equal(t, 1, *changes)
	require.Empty(t, e.written(), "nothing changed")

	err = errors.New("forbidden")
	e.clock = e.clock.Add(time.Minute)
	e.probed()
	e.probed()
	require.Equal(t, 3, *probes)
	require.Empty(t, e.written(), "a probe that fails changes nothing")

	// Another process takes over: it keeps the states until it knows more.
	e.probing(func() ([]v1alpha1.ModelState, error) { return nil, err })
	e.probed()
	require.Empty(t, e.written())

	// A rollout that failed says why, and is probed rarely.
	err = nil
	probes, _ = e.probing(func() ([]v1alpha1.ModelState, error) {
		return []v1alpha1.ModelState{{Name: "resnet50", State: v1alpha1.ModelPending, Message: "container triton: ImagePullBackOff: no such image"}}, nil
	})
	e.setDeploymentStatus(appsv1.DeploymentStatus{Replicas: 1, Conditions: []appsv1.DeploymentCondition{
		{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionFalse, Message: "it has timed out progressing"},
	}})
	e.probed()
	e.clock = e.clock.Add(time.Minute)
	require.Equal(t, failedProbePeriod, e.probed())
	e.probed()
	require.Equal(t, 1, *probes)
	e.recorded()
	e.probed()
	require.Empty(t, e.recorded(), "the failure is known")
	require.Equal(t, "False Failed: it has timed out progressing; container triton: ImagePullBackOff: no such image", e.condition("a", v1alpha1.ConditionReady))

	e.setDeploymentStatus(appsv1.DeploymentStatus{Replicas: 1, AvailableReplicas: 1})
	require.Greater(t, e.probed(), time.Hour, "it waits for its expiry")
	require.Empty(t, e.lease("a").Status.ModelStates)
	require.Equal(t, "True Serving: 1 of 1 replicas serve", e.condition("a", v1alpha1.ConditionReady))
	require.Empty(t, e.probes.leases)
}

// TestProbes: few probes run at once, one in each namespace, and each due lease has its turn. A
// lease that is gone or serves is not probed.
func TestProbes(t *testing.T) {
	t.Parallel()
	var lock sync.Mutex
	var running, most, total int
	perNamespace := map[string]int{}
	begun, end := make(chan struct{}, 100), make(chan struct{})
	p := newProbes(func(ctx context.Context, lease progress.Lease) ([]v1alpha1.ModelState, error) {
		_, limited := ctx.Deadline()
		lock.Lock()
		running++
		perNamespace[lease.Namespace]++
		most, total = max(most, running), total+1
		if perNamespace[lease.Namespace] > 1 || !limited || lease.Selector["name"] == "gone" {
			t.Errorf("%d probes run in %s, limited %v: %v", perNamespace[lease.Namespace], lease.Namespace, limited, lease)
		}
		lock.Unlock()
		begun <- struct{}{}
		<-end
		lock.Lock()
		running--
		perNamespace[lease.Namespace]--
		lock.Unlock()
		return []v1alpha1.ModelState{{Name: "m", State: v1alpha1.ModelLoading}}, nil
	}, func(client.ObjectKey) {})
	var keys []client.ObjectKey
	for namespace := range 6 {
		for _, name := range []string{"a", "b", "gone"} {
			keys = append(keys, client.ObjectKey{Namespace: fmt.Sprint("n", namespace), Name: name})
		}
	}
	observe := func(now time.Time) {
		for _, k := range keys {
			p.observe(k, "1", progress.Lease{Namespace: k.Namespace, Selector: map[string]string{"name": k.Name}}, now, false)
		}
	}
	observe(epoch)
	require.Empty(t, begun)
	observe(epoch.Add(quickStart))
	observe(epoch.Add(time.Hour)) // a lease that is due is not due twice
	for range maxProbes {
		<-begun
	}
	for _, k := range keys {
		if k.Name == "gone" {
			p.remove(k)
		}
	}
	close(end)
	p.running.Wait()
	require.Equal(t, maxProbes, most)
	// The second call found the leases due again whose probes ran.
	require.Equal(t, 6*2+maxProbes, total)
	require.Empty(t, p.due)
	require.Empty(t, p.busy)
}

// TestProbesOfManyLeases: a lease does not wait for all leases of namespaces with many.
func TestProbesOfManyLeases(t *testing.T) {
	t.Parallel()
	var lock sync.Mutex
	var order []string
	full := make(chan struct{})
	p := newProbes(func(_ context.Context, lease progress.Lease) ([]v1alpha1.ModelState, error) {
		<-full
		lock.Lock()
		defer lock.Unlock()
		order = append(order, lease.Namespace)
		return nil, nil
	}, func(client.ObjectKey) {})
	due := func(namespace, name string) {
		key, lease := client.ObjectKey{Namespace: namespace, Name: name}, progress.Lease{Namespace: namespace}
		p.observe(key, "", lease, epoch, false)
		p.observe(key, "", lease, epoch.Add(quickStart), false)
	}
	for n := range maxProbes {
		for i := range 100 {
			due(fmt.Sprint("many-", n), fmt.Sprint(i))
		}
	}
	due("one", "a")
	close(full)
	p.running.Wait()
	require.Len(t, order, 100*maxProbes+1)
	require.Less(t, slices.Index(order, "one"), 5*maxProbes)
}

// TestReloadTime: a reload changes the pods of the lease. A time in the future counts when it
// comes, a time before the creation never, and a time that is removed stays in effect.
func TestReloadTime(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, scales, newLease(t, "a", fixed))
	e.reconcile("a")
	require.NotContains(t, podTemplateOf(e.deploymentOf("a")).Annotations, reloadedAnnotation)
	reload := func(at *metav1.Time) {
		t.Helper()
		e.edit("a", func(lease *v1alpha1.TritonLease) { lease.Spec.ReloadTime = at })
	}
	at := func(d time.Duration) *metav1.Time { return &metav1.Time{Time: epoch.Add(d)} }
	reloaded := func(want string) {
		t.Helper()
		e.reconcile("a")
		require.Equal(t, want, podTemplateOf(e.deploymentOf("a")).Annotations[reloadedAnnotation])
	}
	e.clock = epoch.Add(10 * time.Minute)
	e.setDeploymentStatus(appsv1.DeploymentStatus{Replicas: 1, AvailableReplicas: 1, UpdatedReplicas: 1})
	reload(at(-time.Hour))
	reloaded("")
	require.EqualValues(t, 1, e.lease("a").Status.UpdatedReplicas)
	reload(at(5 * time.Minute))
	reloaded("2026-11-23T12:05:00Z")
	require.Equal(t, epoch.Add(5*time.Minute), e.lease("a").Status.ReloadedAt.UTC())
	require.Zero(t, e.lease("a").Status.UpdatedReplicas, "the status of the Deployment is from before the reload")
	e.reconcile("a")
	require.EqualValues(t, 1, e.lease("a").Status.UpdatedReplicas)

	reload(at(15 * time.Minute))
	require.Equal(t, 5*time.Minute, e.reconcile("a").RequeueAfter)
	reloaded("2026-11-23T12:05:00Z")
	reload(nil)
	reloaded("2026-11-23T12:05:00Z")
	reload(at(15 * time.Minute))
	e.clock = epoch.Add(15 * time.Minute)
	reloaded("2026-11-23T12:15:00Z")
	e.reconcile("a")
	e.written()
	require.Greater(t, e.reconcile("a").RequeueAfter, time.Hour, "it waits for its expiry")
	require.Empty(t, e.written())
}
