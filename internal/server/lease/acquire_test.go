package lease

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/api/v1alpha1"
)

// TestAcquire checks that responses hold what changed, that the last response is complete,
// and that the lease is not released after it.
func TestAcquire(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		call := c.acquire(t.Context(), "ann", request())
		synctest.Wait()
		first := call.responses()
		require.Len(t, first, 1)
		require.Equal(t, tmsv1.State_STATE_PENDING, first[0].GetLease().GetState())
		require.Len(t, first[0].GetLease().GetModels(), 1)
		require.NotNil(t, first[0].GetLease().GetCreatedAt())
		lease := c.lease("a")
		require.Equal(t, map[string]string{requestedByAnnotation: "ann", requestIDAnnotation: "id"}, lease.Annotations)
		require.False(t, lease.Spec.AcquireBy.Time.Before(time.Now().Add(time.Hour)), "the deadline of the call")
		require.False(t, lease.Spec.AcquireBy.Time.After(time.Now().Add(time.Hour+acquireByStep)))

		c.reconcile(starting)
		c.reconcile(func(*v1alpha1.TritonLeaseStatus) {}) // an event without a change
		synctest.Wait()
		second := call.responses()
		require.Len(t, second, 1, "no response without a change")
		require.Equal(t, tmsv1.State_STATE_STARTING, second[0].GetLease().GetState())
		require.Equal(t, "0 of 1 replicas serve", second[0].GetLease().GetMessage())
		require.Empty(t, second[0].GetLease().GetModels(), "the state of the models did not change")
		require.EqualValues(t, 1, second[0].GetLease().GetReplicas().GetWanted())
		require.Nil(t, second[0].GetLease().GetCreatedAt())
		require.Equal(t, "a", second[0].GetLease().GetId())

		c.reconcile(func(status *v1alpha1.TritonLeaseStatus) { status.Replicas, status.Address = 1, "tms-a.default.svc" })
		synctest.Wait()
		third := call.responses()
		require.Len(t, third, 1)
		require.Equal(t, tmsv1.ModelState_MODEL_STATE_LOADING, third[0].GetLease().GetModels()[0].GetState())
		require.Equal(t, "tms-a.default.svc", third[0].GetLease().GetAddress())
		require.Empty(t, third[0].GetLease().GetMessage())

		c.reconcile(serving)
		last, err := call.result()
		require.NoError(t, err)
		require.True(t, last.GetComplete())
		require.Equal(t, tmsv1.State_STATE_SERVING, last.GetLease().GetState())
		require.Equal(t, tmsv1.ModelState_MODEL_STATE_READY, last.GetLease().GetModels()[0].GetState())
		require.Equal(t, "tms-a.default.svc", last.GetLease().GetAddress())
		require.NotNil(t, last.GetLease().GetCreatedAt())
		require.NotNil(t, last.GetLease().GetGranted())
		require.Nil(t, c.lease("a").Spec.AcquireBy, "the lease is acquired")
		synctest.Wait()
		require.Empty(t, c.Notifier.subscribers, "the call has unsubscribed")
	})
}

// TestAcquireRefused checks that a refused lease is not created.
func TestAcquireRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		_, err := c.acquire(t.Context(), "ann", request(func(r *tmsv1.AcquireRequest) { r.Spec.TritonImage = "evil.example/triton:1" })).result()
		requireCode(t, connect.CodeFailedPrecondition, err, "spec.triton_image: ")
		require.Contains(t, fields(t, err), "spec.triton_image")
		require.Empty(t, c.all())
		_, err = c.acquire(t.Context(), "ann", new(tmsv1.AcquireRequest)).result()
		requireCode(t, connect.CodeInvalidArgument, err, "spec")
		require.Empty(t, c.all())
	})
}

// TestAcquireRefusedByController checks a lease that the controller refuses after it was
// created. An image that looks like a path is not rewritten.
func TestAcquireRefusedByController(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		call := c.acquire(t.Context(), "ann", request())
		synctest.Wait()
		c.reconcile(refusedByController)
		_, err := call.result()
		const message = "Forbidden: registry/metadata.name:1 is not allowed"
		requireCode(t, connect.CodeFailedPrecondition, err, "spec.triton_image: "+message)
		require.Equal(t, map[string]string{"spec.triton_image": message}, fields(t, err))
		require.Nil(t, c.lease("a"))
	})
}

// TestAcquireDeadline checks that a lease that does not serve in time is released.
func TestAcquireDeadline(t *testing.T) {
	t.Parallel()
	for name, maxWait := range map[string]time.Duration{"deadline of the call": time.Hour, "MaxWait of the server": time.Minute} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, func(config *Config) { config.MaxWait = maxWait })
				ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
				defer cancel()
				call := c.acquire(ctx, "ann", request())
				synctest.Wait()
				c.reconcile(starting)
				_, err := call.result()
				requireCode(t, connect.CodeDeadlineExceeded, err)
				if maxWait == time.Minute { // otherwise the client does not wait for the error
					require.ErrorContains(t, err, "the lease did not serve in time and is released again: 0 of 1 replicas serve")
				}
				synctest.Wait()
				if lease := c.lease("a"); lease != nil { // the server saw a disconnect and not a deadline
					require.False(t, lease.Spec.AcquireBy.After(time.Now().Add(acquireByStep)))
				}
			})
		})
	}
}

// TestAcquireDisconnected checks that a lease with a request id stays after a disconnect,
// so that the caller can retry, and that one without is released.
func TestAcquireDisconnected(t *testing.T) {
	t.Parallel()
	for name, disconnect := range map[string]func(*cluster, *acquireCall){
		"the caller disconnects": func(_ *cluster, call *acquireCall) { call.cancel() },
		"the server shuts down":  func(c *cluster, _ *acquireCall) { c.stop() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t)
				with := c.acquire(t.Context(), "ann", request())
				without := c.acquire(t.Context(), "ann", request(func(r *tmsv1.AcquireRequest) { r.Name, r.RequestId = "b", "" }))
				synctest.Wait()
				acquireBy := c.lease("a").Spec.AcquireBy
				require.NotNil(t, acquireBy)
				require.NotNil(t, c.lease("b").Spec.AcquireBy)
				disconnect(c, with)
				disconnect(c, without)
				_, err := with.result()
				_, _ = without.result()
				if name == "the server shuts down" {
					requireCode(t, connect.CodeUnavailable, err, "retry with the same request_id")
				}
				synctest.Wait()
				require.True(t, c.lease("a").Spec.AcquireBy.Equal(acquireBy))
				require.Nil(t, c.lease("b"), "no call can return to it")
			})
		})
	}
}

// TestAcquireNoWait checks that the response has the grant although the controller has not
// reconciled the lease, and that the lease has no acquireBy time.
func TestAcquireNoWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		last, err := c.acquire(t.Context(), "ann", request(func(r *tmsv1.AcquireRequest) {
			r.NoWait, r.Spec.Autoscaling = true, &tmsv1.Autoscaling{MaxReplicas: new(int64(100))}
		})).result()
		require.NoError(t, err)
		require.True(t, last.GetComplete())
		require.Equal(t, tmsv1.State_STATE_PENDING, last.GetLease().GetState())
		require.EqualValues(t, 5, last.GetLease().GetGranted().GetMaxReplicas())
		require.Equal(t, "spec.autoscaling.max_replicas", last.GetLease().GetGranted().GetAdjustments()[0].GetField())
		lease := c.lease("a")
		require.Nil(t, lease.Spec.AcquireBy)
		require.Nil(t, lease.Status.Granted, "only the controller updates the status")
	})
}

// TestAcquireUnnamed checks that the generated name depends on the user and the request id.
func TestAcquireUnnamed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		acquire := func(user, id string) string {
			t.Helper()
			last, err := c.acquire(t.Context(), user, request(func(r *tmsv1.AcquireRequest) { r.Name, r.RequestId, r.NoWait = "", id, true })).result()
			require.NoError(t, err)
			return last.GetLease().GetId()
		}
		ann := acquire("ann", "id")
		require.Regexp(t, "^[0-9a-f]{16}$", ann)
		require.Equal(t, ann, acquire("ann", "id"))
		require.NotEqual(t, ann, acquire("ann", "other"))
		require.NotEqual(t, ann, acquire("bob", "id"), "users do not share leases")
		require.NotEqual(t, acquire("ann", ""), acquire("ann", ""))
		require.Len(t, c.all(), 5)
	})
}
