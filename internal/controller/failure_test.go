package controller

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// TestFailures: a write that fails is reported and retried. A write conflict is retried
// without an error.
func TestFailures(t *testing.T) {
	t.Parallel()
	conflict := apierrors.NewConflict(schema.GroupResource{Resource: "x"}, "x", errors.New("changed"))
	notFound := apierrors.NewNotFound(schema.GroupResource{Resource: "x"}, "x")
	forbidden := errors.New("forbidden")
	const starting = "False Starting: 0 of 1 replicas serve"
	for name, test := range map[string]struct {
		write   string // fails the first time
		err     error
		want    string // error
		requeue bool
		ready   string
		writes  int
	}{
		"claim conflict":  {write: "update status TritonLease a", err: conflict, requeue: true, writes: 1, ready: "none"},
		"claim fails":     {write: "update status TritonLease a", err: forbidden, want: "forbidden", writes: 1, ready: "none"},
		"lease is gone":   {write: "update status TritonLease a", err: notFound, writes: 1, ready: "none"},
		"object conflict": {write: "create Service tms-a", err: conflict, requeue: true, writes: 7, ready: starting},
		"object fails":    {write: "create Service tms-a", err: forbidden, want: "Service tms-a: forbidden", writes: 8, ready: "False Failed: Service tms-a: forbidden"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnvironment(t, scales, newLease(t, "a", scaled))
			seen := 0
			e.fail = func(w write) error {
				if w.String() != test.write {
					return nil
				}
				if seen++; seen > 1 {
					return nil
				}
				return test.err
			}
			result, err := e.Reconcile(t.Context(), reconcile.Request{NamespacedName: key("a")})
			if test.want != "" {
				require.EqualError(t, err, test.want)
			} else {
				require.NoError(t, err)
			}
			require.Equal(t, test.requeue, result.RequeueAfter == time.Second, result)
			require.Len(t, e.written(), test.writes)
			require.Equal(t, test.ready, e.condition("a", v1alpha1.ConditionReady))
			switch events := e.recorded(); {
			case test.ready == "none":
				require.Zero(t, e.lease("a").Status.ObservedGeneration)
				require.Empty(t, events, "events come with the status")
			case test.ready != starting:
				require.Contains(t, events, "Warning Failed: Service tms-a: forbidden")
			}

			// The next reconciliation completes.
			e.fail = nil
			e.reconcile("a")
			require.Equal(t, []string{"Deployment", "Service", "PodMonitor", "PrometheusRule", "HorizontalPodAutoscaler"}, e.objects("tms-a"))
			require.EqualValues(t, 1, e.lease("a").Status.ObservedGeneration)
		})
	}
}

// TestStatusFailures: a status that cannot be written is written by the next reconciliation,
// and its events are recorded then.
func TestStatusFailures(t *testing.T) {
	t.Parallel()
	resource := schema.GroupResource{Resource: "x"}
	for name, test := range map[string]struct {
		err     error
		want    string // error
		requeue bool
	}{
		"fails":    {err: errors.New("forbidden"), want: "forbidden"},
		"conflict": {err: apierrors.NewConflict(resource, "x", errors.New("changed")), requeue: true},
		"gone":     {err: apierrors.NewNotFound(resource, "x")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnvironment(t, scales, newLease(t, "a", scaled))
			e.reconcile("a")
			e.recorded()
			e.editSpec("a", `{models: [{name: resnet50, uri: s3://models/vision}], autoscaling: {enable: true, replicas: {maximum: 99}}}`)
			e.fail = func(w write) error {
				if w.verb == "update status" {
					return test.err
				}
				return nil
			}
			result, err := e.Reconcile(t.Context(), reconcile.Request{NamespacedName: key("a")})
			if test.want != "" {
				require.EqualError(t, err, test.want)
			} else {
				require.NoError(t, err)
			}
			require.Equal(t, test.requeue, result.RequeueAfter == time.Second, result)
			if test.err != nil && name != "gone" {
				require.Empty(t, e.recorded(), "events come with the status")
			}
			require.EqualValues(t, 1, e.lease("a").Status.ObservedGeneration)

			e.fail = nil
			e.reconcile("a")
			require.EqualValues(t, 2, e.lease("a").Status.ObservedGeneration)
			require.EqualValues(t, 10, e.lease("a").Status.Granted.MaxReplicas)
		})
	}
}

// TestReadFailures: nothing is applied or deleted if a read fails.
func TestReadFailures(t *testing.T) {
	t.Parallel()
	failing := errors.New("no connection")
	for name, spec := range map[string]string{"lease": "", "owned": fixed, "live": fixed, "orphans": fixed, "target": target, "same target": target, "label": target} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnvironment(t, scales, newLease(t, "a", spec))
			reader := &failingReader{Client: e.Client, fail: name, err: failing}
			e.Client = reader
			if name == "live" || name == "label" {
				e.live = reader
			}
			_, err := e.Reconcile(t.Context(), reconcile.Request{NamespacedName: key("a")})
			require.ErrorIs(t, err, failing)
			for _, w := range e.written() {
				require.Equal(t, "update status TritonLease a", w)
			}
		})
	}
}

// failingReader fails one kind of read.
type failingReader struct {
	client.Client
	fail string
	err  error
}

func (f *failingReader) Get(ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	_, isLease := object.(*v1alpha1.TritonLease)
	_, isDeployment := object.(*appsv1.Deployment)
	_, isMetadata := object.(*metav1.PartialObjectMetadata)
	if isLease && f.fail == "lease" || !isLease && (f.fail == "live" || f.fail == "orphans" || f.fail == "label" && isMetadata) || isDeployment && f.fail == "target" {
		return f.err
	}
	return f.Client.Get(ctx, key, object, options...)
}

func (f *failingReader) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	_, isLease := list.(*v1alpha1.TritonLeaseList)
	if isLease && f.fail == "same target" || !isLease && f.fail == "owned" {
		return f.err
	}
	return f.Client.List(ctx, list, options...)
}
