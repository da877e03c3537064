package controller

import (
	"context"
	"errors"
	"strings"
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
	for name, test := range map[string]struct {
		write   string // fails
		nth     int    // of the writes of this text, from 0
		err     error
		want    string // error
		requeue bool
		ready   string
		writes  int
	}{
		"claim conflict":     {write: "update status TritonLease a", err: conflict, requeue: true, writes: 1, ready: "none"},
		"claim fails":        {write: "update status TritonLease a", err: forbidden, want: "forbidden", writes: 1, ready: "none"},
		"lease is gone":      {write: "update status TritonLease a", err: notFound, writes: 1, ready: "none"},
		"object conflict":    {write: "apply Service tms-a", err: conflict, requeue: true, writes: 8, ready: "none"},
		"object fails":       {write: "apply Service tms-a", err: forbidden, want: "Service tms-a: forbidden", writes: 8, ready: "False Failed: Service tms-a: forbidden"},
		"status conflict":    {write: "update status TritonLease a", nth: 1, err: conflict, requeue: true, writes: 8, ready: "none"},
		"status fails":       {write: "update status TritonLease a", nth: 1, err: forbidden, want: "forbidden", writes: 8, ready: "none"},
		"lease is gone late": {write: "update status TritonLease a", nth: 1, err: notFound, writes: 8, ready: "none"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnvironment(t, scales, newLease(t, "a", scaled))
			seen := 0
			e.fail = func(w write) error {
				if w.String() != test.write {
					return nil
				}
				if seen++; seen-1 != test.nth {
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
			if test.ready == "none" {
				require.Zero(t, e.lease("a").Status.ObservedGeneration)
			} else {
				require.Contains(t, e.recorded(), "Warning Failed: Service tms-a: forbidden")
			}
			if strings.HasPrefix(test.write, "update") {
				require.Empty(t, e.recorded(), "events come with the status")
			}

			// The next reconciliation completes.
			e.fail = nil
			e.reconcile("a")
			require.Equal(t, []string{"Deployment", "Service", "PodMonitor", "PrometheusRule", "HorizontalPodAutoscaler"}, e.objects("tms-a"))
			require.EqualValues(t, 1, e.lease("a").Status.ObservedGeneration)
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
