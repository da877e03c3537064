package controller

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// TestExpiry: a lease is reconciled when it expires, and deleted with its objects.
func TestExpiry(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, scales, newLease(t, "a", `{models: [{name: m, uri: /m}], duration: 1h}`))
	require.Equal(t, time.Hour, e.reconcile("a").RequeueAfter)
	e.clock = epoch.Add(time.Hour - time.Second)
	require.Equal(t, time.Second, e.reconcile("a").RequeueAfter)
	e.written()
	e.recorded()
	e.clock = epoch.Add(time.Hour)
	require.Zero(t, e.reconcile("a"))
	require.Equal(t, []string{"delete Foreground TritonLease a"}, e.written())
	require.Equal(t, []string{"Normal Expired: the lease expired at 2026-11-23T13:00:00Z"}, e.recorded())
	e.absent(new(v1alpha1.TritonLease), "a")
}

// TestExpiryRace: a lease that a user renews while the controller deletes it stays.
func TestExpiryRace(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, scales, newLease(t, "a", `{models: [{name: m, uri: /m}], duration: 1h}`))
	e.reconcile("a")
	e.clock = epoch.Add(time.Hour)
	e.recorded()
	e.fail = func(w write) error {
		if w.verb == "delete Foreground" {
			e.edit("a", func(lease *v1alpha1.TritonLease) { lease.Spec.RenewTime = &metav1.Time{Time: e.clock} })
		}
		return nil
	}
	require.Equal(t, time.Second, e.reconcile("a").RequeueAfter, "a write conflict")
	require.Empty(t, e.recorded())
	e.fail = nil
	require.Equal(t, time.Hour, e.reconcile("a").RequeueAfter)
	require.Equal(t, epoch.Add(2*time.Hour), e.lease("a").Status.ExpiresAt.UTC())
}

// TestDeleteFails: the deletion of an expired lease is retried. One that is gone needs nothing.
func TestDeleteFails(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, scales, newLease(t, "a", `{models: [{name: m, uri: /m}], duration: 1h}`))
	e.reconcile("a")
	e.recorded()
	e.clock = epoch.Add(2 * time.Hour)
	e.fail = func(write) error { return errors.New("forbidden") }
	_, err := e.Reconcile(t.Context(), reconcile.Request{NamespacedName: key("a")})
	require.EqualError(t, err, "forbidden")
	e.fail = func(write) error { return apierrors.NewNotFound(schema.GroupResource{}, "a") }
	require.Zero(t, e.reconcile("a"))
	require.Empty(t, e.recorded())
}

// TestRenewTime: a user renews the lease. A time in the future counts when it comes.
func TestRenewTime(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, scales, newLease(t, "a", `{models: [{name: m, uri: /m}], duration: 1h}`))
	e.reconcile("a")
	renew := func(at time.Duration) {
		e.edit("a", func(lease *v1alpha1.TritonLease) { lease.Spec.RenewTime = &metav1.Time{Time: epoch.Add(at)} })
	}
	e.clock = epoch.Add(30 * time.Minute)
	renew(20 * time.Minute)
	require.Equal(t, 50*time.Minute, e.reconcile("a").RequeueAfter)
	require.Equal(t, epoch.Add(20*time.Minute), e.lease("a").Status.RenewedAt.UTC())
	require.Equal(t, epoch.Add(80*time.Minute), e.lease("a").Status.ExpiresAt.UTC())
	renew(40 * time.Minute)
	require.Equal(t, 10*time.Minute, e.reconcile("a").RequeueAfter)
	require.Equal(t, epoch.Add(80*time.Minute), e.lease("a").Status.ExpiresAt.UTC())
	e.clock = epoch.Add(40 * time.Minute)
	require.Equal(t, time.Hour, e.reconcile("a").RequeueAfter)
	require.Equal(t, epoch.Add(100*time.Minute), e.lease("a").Status.ExpiresAt.UTC())
}

// TestAcquireBy: a lease that its client does not acquire in time is released.
func TestAcquireBy(t *testing.T) {
	t.Parallel()
	lease := newLease(t, "a", fixed)
	lease.Spec.AcquireBy = &metav1.Time{Time: epoch.Add(time.Minute)}
	e := newEnvironment(t, scales, lease, newLease(t, "b", fixed))
	require.Equal(t, time.Minute, e.reconcile("a").RequeueAfter)
	require.Equal(t, []string{"Deployment", "Service"}, e.objects("tms-a"), "it starts before it is acquired")
	e.written()
	e.recorded()
	e.clock = epoch.Add(time.Minute)
	require.Zero(t, e.reconcile("a"))
	require.Equal(t, []string{"delete Foreground TritonLease a"}, e.written())
	require.Equal(t, []string{"Normal NotAcquired: the lease was not acquired by 2026-11-23T12:01:00Z and is released"}, e.recorded())
	e.absent(new(v1alpha1.TritonLease), "a")
}

// answer answers the custom metrics API with the rates of pods.
func answer(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }
}

const (
	idle = `{"items":[{"value":"0"},{"value":"0"}]}`
	busy = `{"items":[{"value":"0"},{"value":"200m"}]}`
)

// TestAutoRenew: near its end, a lease is renewed if it served requests. Otherwise the
// condition AutoRenew says that it will expire, and why.
func TestAutoRenew(t *testing.T) {
	t.Parallel()
	const end = "2026-11-23T16:00:00Z"
	for name, test := range map[string]struct {
		metrics   http.HandlerFunc
		condition string
		event     string
		requeue   time.Duration
		renewed   bool
	}{
		"busy":    {answer(busy), "True Renewed: the lease served requests in the 1h0m0s before 2026-11-23T15:00:00Z", "Normal Renewed: ", 3 * time.Hour, true},
		"idle":    {answer(idle), "False Idle: the lease expires at " + end + " unless it serves requests: it served none in the last 1h0m0s", "Warning Idle: ", time.Minute, false},
		"no pods": {answer(`{"items":[]}`), "Unknown NoMetrics: the lease expires at " + end + " unless its requests can be counted: the custom metrics API has no tms_request_rate for the pods of the lease", "Warning NoMetrics: ", time.Minute, false},
		"no API":  {http.NotFound, "Unknown NoMetrics: the lease expires at " + end + " unless its requests can be counted: the custom metrics API has no tms_request_rate for the pods of the lease", "Warning NoMetrics: ", time.Minute, false},
		"not JSON": {
			answer("x"), "Unknown NoMetrics: the lease expires at " + end + " unless its requests can be counted: custom metrics API: invalid character 'x' looking for beginning of value",
			"Warning NoMetrics: ", time.Minute, false,
		},
		"failure": {
			func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusForbidden) },
			"Unknown NoMetrics: the lease expires at " + end + " unless its requests can be counted: custom metrics API: no", "Warning NoMetrics: ", time.Minute, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnvironment(t, scales, newLease(t, "a", `{models: [{name: m, uri: /m}], duration: 4h, autoRenew: true}`))
			require.Equal(t, 3*time.Hour, e.reconcile("a").RequeueAfter, "the interval before the end")
			require.Equal(t, "none", e.condition("a", v1alpha1.ConditionAutoRenew))
			e.recorded()
			e.clock = epoch.Add(3 * time.Hour)
			e.metrics = func(w http.ResponseWriter, r *http.Request) {
				require.Equal(t, "/apis/custom.metrics.k8s.io/v1beta1/namespaces/ns/pods/*/tms_request_rate", r.URL.Path)
				require.Equal(t, "app.kubernetes.io/managed-by=tms-server,tms.triton-leases.dev/lease=a", r.URL.Query().Get("labelSelector"))
				test.metrics(w, r)
			}
			require.Equal(t, test.requeue, e.reconcile("a").RequeueAfter)
			require.Equal(t, test.condition, e.condition("a", v1alpha1.ConditionAutoRenew))
			events := e.recorded()
			require.Len(t, events, 1)
			require.Contains(t, events[0], test.event)
			status := e.lease("a").Status
			if test.renewed {
				require.Equal(t, e.clock, status.RenewedAt.UTC())
				require.Equal(t, e.clock.Add(4*time.Hour), status.ExpiresAt.UTC())
				e.reconcile("a")
				require.Equal(t, "none", e.condition("a", v1alpha1.ConditionAutoRenew), "it is not near its end")
				return
			}
			require.Nil(t, status.RenewedAt)
			e.reconcile("a")
			require.Empty(t, e.recorded(), "the notice is given once")

			e.metrics = answer(busy)
			e.clock = epoch.Add(4*time.Hour - time.Second)
			e.reconcile("a")
			require.Equal(t, e.clock.Add(4*time.Hour), e.lease("a").Status.ExpiresAt.UTC(), "requests came before the end")
		})
	}
}

// TestAutoRenewExpires: an idle lease expires.
func TestAutoRenewExpires(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, scales, newLease(t, "a", `{models: [{name: m, uri: /m}], duration: 4h, autoRenew: true}`))
	e.reconcile("a")
	e.metrics = answer(idle)
	e.clock = epoch.Add(4*time.Hour - time.Second)
	require.Equal(t, time.Second, e.reconcile("a").RequeueAfter)
	e.clock = epoch.Add(4 * time.Hour)
	e.reconcile("a")
	e.absent(new(v1alpha1.TritonLease), "a")
}

// TestAutoRenewOff: the condition goes if the lease no longer asks for renewal, or no
// longer expires.
func TestAutoRenewOff(t *testing.T) {
	t.Parallel()
	for _, spec := range []string{`{models: [{name: m, uri: /m}], duration: 4h}`, `{models: [{name: m, uri: /m}], duration: 0s, autoRenew: true}`} {
		e := newEnvironment(t, `server: {leases: {duration: {maximum: 0s}}}`, newLease(t, "a", `{models: [{name: m, uri: /m}], duration: 4h, autoRenew: true}`))
		e.reconcile("a")
		e.metrics = answer(idle)
		e.clock = epoch.Add(3 * time.Hour)
		e.reconcile("a")
		require.Contains(t, e.condition("a", v1alpha1.ConditionAutoRenew), "Idle")
		e.editSpec("a", spec)
		e.reconcile("a")
		require.Equal(t, "none", e.condition("a", v1alpha1.ConditionAutoRenew))
	}
}

// TestAutoRenewOfTarget: the requests of a target are those of the pods that it selects.
func TestAutoRenewOfTarget(t *testing.T) {
	t.Parallel()
	lease := newLease(t, "a", target)
	lease.Spec.Duration, lease.Spec.AutoRenew = new(v1alpha1.Duration("4h")), new(true)
	e := newEnvironment(t, scales, lease, labelled("triton"))
	e.clock = epoch.Add(3 * time.Hour)
	e.metrics = func(w http.ResponseWriter, r *http.Request) {
		require.Equal(t, "app=triton", r.URL.Query().Get("labelSelector"))
		answer(busy)(w, r)
	}
	e.reconcile("a")
	require.Equal(t, e.clock, e.lease("a").Status.RenewedAt.UTC())
}

// TestShutdown: if the process stops while it reads the requests of a lease, the lease gets no
// notice.
func TestShutdown(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, scales, newLease(t, "a", `{models: [{name: m, uri: /m}], duration: 4h, autoRenew: true}`))
	e.reconcile("a")
	e.recorded()
	e.clock = epoch.Add(3 * time.Hour)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	_, err := e.Reconcile(ctx, reconcile.Request{NamespacedName: key("a")})
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, "none", e.condition("a", v1alpha1.ConditionAutoRenew))
}
