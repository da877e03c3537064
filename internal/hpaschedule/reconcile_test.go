package hpaschedule

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/triton-leases/tms/pkg/render"
)

const values = `
server: {enabled: true, autoscaling: {enable: true, metrics: {queueTime: {enabled: true}}}}
images: {server: registry.example.com/tms-server:1}
leases:
  office:
    models: [{name: m, uri: /m}]
    autoscaling:
      enable: true
      replicas: {maximum: 3, schedule: [{cron: 30 2 * * *, timeZone: Europe/Berlin, minimum: 2, maximum: 50}, {cron: 0 20 * * *, timeZone: Europe/Berlin}]}
`

var key = client.ObjectKey{Namespace: "inference", Name: "tms-office.schedule"}

// environment is a reconciler and the cluster that it changes.
type environment struct {
	t *testing.T
	*reconciler
	cluster client.Client
	clock   time.Time
	writes  int
	events  []string
}

// Eventf implements events.EventRecorder.
func (e *environment) Eventf(_, _ runtime.Object, eventType, reason, _, note string, args ...any) {
	e.events = append(e.events, eventType+" "+reason+": "+fmt.Sprintf(note, args...))
}

// newEnvironment returns an environment with the ConfigMap that the chart renders.
func newEnvironment(t *testing.T, now string) *environment {
	t.Helper()
	cluster := fake.NewClientBuilder().WithScheme(clientscheme.Scheme).WithObjects(rendered(t, values)).WithReturnManagedFields().Build()
	e := &environment{t: t, cluster: cluster}
	e.setClock(now)
	counted := interceptor.NewClient(cluster, interceptor.Funcs{
		Apply: func(ctx context.Context, c client.WithWatch, config runtime.ApplyConfiguration, options ...client.ApplyOption) error {
			e.writes++
			return c.Apply(ctx, config, options...)
		},
		Delete: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.DeleteOption) error {
			e.writes++
			return c.Delete(ctx, object, options...)
		},
	})
	e.reconciler = &reconciler{Client: counted, recorder: e, now: func() time.Time { return e.clock }}
	return e
}

// rendered returns the ConfigMap of the lease office.
func rendered(t *testing.T, text string) *corev1.ConfigMap {
	t.Helper()
	renderer, err := render.New(render.Options{})
	require.NoError(t, err)
	objects, err := renderer.Lease(render.Release{Name: "tms", Namespace: key.Namespace}, "office", []byte(text))
	require.NoError(t, err)
	require.Nil(t, objects.HorizontalPodAutoscaler)
	objects.Schedule.UID = "owner"
	return objects.Schedule
}

func (e *environment) setClock(now string) {
	e.t.Helper()
	var err error
	e.clock, err = time.Parse(time.RFC3339, now)
	require.NoError(e.t, err)
}

func (e *environment) reconcile() time.Duration {
	e.t.Helper()
	result, err := e.Reconcile(e.t.Context(), reconcile.Request{NamespacedName: key})
	require.NoError(e.t, err)
	return result.RequeueAfter
}

func (e *environment) autoscaler() *autoscalingv2.HorizontalPodAutoscaler {
	e.t.Helper()
	live := new(autoscalingv2.HorizontalPodAutoscaler)
	require.NoError(e.t, e.cluster.Get(e.t.Context(), key, live))
	return live
}

func (e *environment) bounds() string {
	e.t.Helper()
	spec := e.autoscaler().Spec
	return fmt.Sprint(*spec.MinReplicas, "-", spec.MaxReplicas)
}

// TestReconcile follows a lease over days on which the clock is changed: each reconciliation
// is when the one before asked for it.
func TestReconcile(t *testing.T) {
	t.Parallel()
	for _, wanted := range [][]string{
		{"2026-03-28T12:00:00Z 2-10", "2026-03-28T19:00:00Z 1-3", "2026-03-29T01:00:00Z 2-10", "2026-03-29T18:00:00Z 1-3", "2026-03-30T00:30:00Z 2-10"},
		{"2026-10-24T12:00:00Z 2-10", "2026-10-24T18:00:00Z 1-3", "2026-10-25T00:30:00Z 2-10", "2026-10-25T19:00:00Z 1-3", "2026-10-26T01:30:00Z 2-10"},
	} {
		from, _, _ := strings.Cut(wanted[0], " ")
		e := newEnvironment(t, from)
		for i, step := range wanted {
			after := e.reconcile()
			require.Equal(t, step, e.clock.UTC().Format(time.RFC3339)+" "+e.bounds())
			require.Equal(t, i+1, e.writes, "one write for each entry")
			e.clock = e.clock.Add(after - time.Second)
			require.Equal(t, time.Second, e.reconcile())
			require.Equal(t, i+1, e.writes, "nothing changes in between")
			e.clock = e.clock.Add(time.Second)
		}
		require.Equal(t, []string{
			"Normal Scheduled: 2 to 10 replicas by schedule[0], cron 30 2 * * * in Europe/Berlin",
			"Normal Scheduled: 1 to 3 replicas by schedule[1], cron 0 20 * * * in Europe/Berlin",
		}, e.events[:2])
		require.Len(t, e.events, len(wanted))
	}
}

// TestAutoscaler: the autoscaler belongs to the ConfigMap, and has each field of the manifest.
func TestAutoscaler(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, "2026-11-30T12:00:00Z")
	e.reconcile()
	live := e.autoscaler()
	require.Equal(t, []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: key.Name, UID: "owner", Controller: new(true)}}, live.OwnerReferences)
	require.Equal(t, "tms-server", live.Labels[managedByLabel])
	require.Equal(t, "office", live.Labels["tms.triton-leases.dev/lease"])
	require.Equal(t, "leases.office.autoscaling.replicas.schedule[0].maximum: asked 50, granted 10 (server.autoscaling.replicas.limits.maximum)", live.Annotations["tms.triton-leases.dev/adjustments"])
	require.Equal(t, autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "tms-office"}, live.Spec.ScaleTargetRef)

	// It corrects what another client changes.
	live.Spec.MaxReplicas = 90
	require.NoError(t, e.cluster.Update(t.Context(), live))
	e.reconcile()
	require.Equal(t, "2-10", e.bounds())

	live = e.autoscaler()
	delete(live.Labels, managedByLabel)
	require.NoError(t, e.cluster.Update(t.Context(), live))
	e.reconcile()
	require.Equal(t, "tms-server", e.autoscaler().Labels[managedByLabel], "it does not yield to itself")

	// A manifest that loses a field.
	owner := rendered(t, values+"\n")
	require.NoError(t, e.cluster.Get(t.Context(), key, owner))
	owner.Data[manifestKey], _, _ = strings.Cut(owner.Data[manifestKey], "  behavior:")
	require.NoError(t, e.cluster.Update(t.Context(), owner))
	require.NotNil(t, e.autoscaler().Spec.Behavior)
	e.reconcile()
	require.Nil(t, e.autoscaler().Spec.Behavior)

	// Without the ConfigMap there is nothing to do: the garbage collector deletes it.
	require.NoError(t, e.cluster.Delete(t.Context(), owner))
	e.writes = 0
	require.Zero(t, e.reconcile())
	require.Zero(t, e.writes)
}

// TestOther: while another autoscaler scales the workload, there is none.
func TestOther(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, "2026-11-30T12:00:00Z")
	other := &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: "tms-office", Labels: map[string]string{managedByLabel: "Helm"}},
		Spec:       autoscalingv2.HorizontalPodAutoscalerSpec{ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1beta1", Kind: "Deployment", Name: "tms-office"}, MaxReplicas: 1},
	}
	otherName := other.DeepCopy()
	otherName.Name, otherName.Spec.ScaleTargetRef.Name = "x", "x"
	require.NoError(t, e.cluster.Create(t.Context(), otherName))
	require.NoError(t, e.cluster.Create(t.Context(), other.DeepCopy()))
	require.Zero(t, e.reconcile(), "it waits until the other one is deleted")
	require.True(t, apierrors.IsNotFound(e.cluster.Get(t.Context(), key, new(autoscalingv2.HorizontalPodAutoscaler))))
	require.NoError(t, e.cluster.Delete(t.Context(), other))
	require.Equal(t, []reconcile.Request{{NamespacedName: key}}, e.all(t.Context(), other))
	e.reconcile()
	require.Equal(t, "2-10", e.bounds())

	require.NoError(t, e.cluster.Create(t.Context(), other.DeepCopy()))
	e.reconcile()
	require.True(t, apierrors.IsNotFound(e.cluster.Get(t.Context(), key, new(autoscalingv2.HorizontalPodAutoscaler))))
	require.Contains(t, e.events, "Warning Yielded: deleted, because HorizontalPodAutoscaler tms-office scales the same workload: delete that one, then the schedule takes effect")
}

// TestOwner: an autoscaler of another owner stays as it is.
func TestOwner(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, "2026-11-30T12:00:00Z")
	e.reconcile()
	live := e.autoscaler()
	live.OwnerReferences[0].UID = types.UID("earlier")
	live.Spec.MaxReplicas = 90
	require.NoError(t, e.cluster.Update(t.Context(), live))
	require.Zero(t, e.reconcile())
	require.Equal(t, "2-90", e.bounds())
}

// TestInvalid: a ConfigMap that another client changed is an error that is not tried again.
func TestInvalid(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*corev1.ConfigMap){
		"schedule.yaml: error":                       func(c *corev1.ConfigMap) { c.Data[scheduleKey] = "x" },
		"schedule.yaml: has no entries":              func(c *corev1.ConfigMap) { delete(c.Data, scheduleKey) },
		`time zone "Europe/Bonn": must be`:           func(c *corev1.ConfigMap) { c.Data[scheduleKey] = `[{cron: "@daily", timeZone: Europe/Bonn}]` },
		"cron expression":                            func(c *corev1.ConfigMap) { c.Data[scheduleKey] = "[{cron: x}]" },
		"hpa.yaml: error":                            func(c *corev1.ConfigMap) { c.Data[manifestKey] = "specs: {}" },
		"hpa.yaml: must be the manifest of tms-offi": func(c *corev1.ConfigMap) { c.Data[manifestKey] = "metadata: {name: other, namespace: inference}" },
		"in namespace inference":                     func(c *corev1.ConfigMap) { c.Data[manifestKey] = "metadata: {name: tms-office.schedule, namespace: b}" },
	} {
		e := newEnvironment(t, "2026-11-30T12:00:00Z")
		owner := new(corev1.ConfigMap)
		require.NoError(t, e.cluster.Get(t.Context(), key, owner))
		change(owner)
		require.NoError(t, e.cluster.Update(t.Context(), owner))
		_, err := e.Reconcile(t.Context(), reconcile.Request{NamespacedName: key})
		require.ErrorIs(t, err, reconcile.TerminalError(nil))
		require.ErrorContains(t, err, name)
		require.Zero(t, e.writes)
		require.Equal(t, []string{fmt.Sprintf("Warning Refused: no HorizontalPodAutoscaler: %v", errors.Unwrap(err))}, e.events)
	}
}

func TestSpecChanged(t *testing.T) {
	t.Parallel()
	before := &autoscalingv2.HorizontalPodAutoscaler{Spec: autoscalingv2.HorizontalPodAutoscalerSpec{MaxReplicas: 3}}
	after := before.DeepCopy()
	after.Status.CurrentReplicas, after.ResourceVersion = 2, "7"
	require.False(t, specChanged(event.UpdateEvent{ObjectOld: before, ObjectNew: after}))
	after.Spec.MaxReplicas = 4
	require.True(t, specChanged(event.UpdateEvent{ObjectOld: before, ObjectNew: after}))
	after = before.DeepCopy()
	after.Labels = map[string]string{"a": "b"}
	require.True(t, specChanged(event.UpdateEvent{ObjectOld: before, ObjectNew: after}))
}
