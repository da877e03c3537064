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

// TestAcquire: answers tell what changed, the last one all of it, and then the lease
// is the caller's.
func TestAcquire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		call := c.acquire(t.Context(), "ann", one())
		synctest.Wait()
		first := call.told()
		require.Len(t, first, 1)
		require.Equal(t, tmsv1.State_STATE_PENDING, first[0].GetLease().GetState())
		require.Len(t, first[0].GetLease().GetModels(), 1)
		require.NotNil(t, first[0].GetLease().GetCreatedAt())
		lease := c.lease("a")
		require.Equal(t, map[string]string{requestedBy: "ann", requestID: "id"}, lease.Annotations)
		require.False(t, lease.Spec.AcquireBy.Time.Before(time.Now().Add(time.Hour)), "as long as the caller waits")
		require.True(t, lease.Spec.AcquireBy.Time.Before(time.Now().Add(time.Hour+2*time.Second)))

		c.observe(starting)
		c.observe(func(*v1alpha1.TritonLeaseStatus) {}) // an event that changes nothing
		synctest.Wait()
		second := call.told()
		require.Len(t, second, 1, "what did not change is not told")
		require.Equal(t, tmsv1.State_STATE_STARTING, second[0].GetLease().GetState())
		require.Equal(t, "0 of 1 replicas serve", second[0].GetLease().GetMessage())
		require.Empty(t, second[0].GetLease().GetModels(), "which are pending as before")
		require.EqualValues(t, 1, second[0].GetLease().GetReplicas().GetWanted())
		require.Nil(t, second[0].GetLease().GetCreatedAt())
		require.Equal(t, "a", second[0].GetLease().GetId())

		c.observe(func(status *v1alpha1.TritonLeaseStatus) { status.Replicas, status.Address = 1, "tms-a.default.svc" })
		synctest.Wait()
		third := call.told()
		require.Len(t, third, 1)
		require.Equal(t, tmsv1.ModelState_MODEL_STATE_LOADING, third[0].GetLease().GetModels()[0].GetState())
		require.Equal(t, "tms-a.default.svc", third[0].GetLease().GetAddress())
		require.Empty(t, third[0].GetLease().GetMessage())

		c.observe(serving)
		last, err := call.end()
		require.NoError(t, err)
		require.True(t, last.GetComplete())
		require.Equal(t, tmsv1.State_STATE_SERVING, last.GetLease().GetState())
		require.Equal(t, tmsv1.ModelState_MODEL_STATE_READY, last.GetLease().GetModels()[0].GetState())
		require.Equal(t, "tms-a.default.svc", last.GetLease().GetAddress())
		require.NotNil(t, last.GetLease().GetCreatedAt())
		require.NotNil(t, last.GetLease().GetGranted())
		require.Nil(t, c.lease("a").Spec.AcquireBy, "it is the caller's")
		synctest.Wait()
		require.Empty(t, c.Changes.waiting, "nobody waits any more")
	})
}

// TestAcquireRefused: nothing is made of what cannot be granted.
func TestAcquireRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		_, err := c.acquire(t.Context(), "ann", one(func(r *tmsv1.AcquireRequest) { r.Spec.TritonImage = "evil.example/triton:1" })).end()
		requireCode(t, connect.CodeFailedPrecondition, err, "spec.triton_image: ")
		require.Contains(t, fields(t, err), "spec.triton_image")
		require.Empty(t, c.all())
		_, err = c.acquire(t.Context(), "ann", new(tmsv1.AcquireRequest)).end()
		requireCode(t, connect.CodeInvalidArgument, err, "spec")
		require.Empty(t, c.all())
	})
}

// TestAcquireRefusedByTheController: whose bounds have changed, perhaps.
func TestAcquireRefusedByTheController(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		call := c.acquire(t.Context(), "ann", one())
		synctest.Wait()
		c.observe(refusedByController)
		_, err := call.end()
		requireCode(t, connect.CodeFailedPrecondition, err, "spec.triton_image: Forbidden: not allowed")
		require.Nil(t, c.lease("a"))
	})
}

// TestAcquireLate: what does not serve in time is released, whoever set the time.
func TestAcquireLate(t *testing.T) {
	for name, longest := range map[string]time.Duration{"the caller's time": time.Hour, "the server's time": time.Minute} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, func(config *Config) { config.Longest = longest })
				ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
				defer cancel()
				call := c.acquire(ctx, "ann", one())
				synctest.Wait()
				c.observe(starting)
				_, err := call.end()
				requireCode(t, connect.CodeDeadlineExceeded, err)
				if longest == time.Minute { // otherwise the client does not wait for the answer
					require.ErrorContains(t, err, "the lease did not serve in time, and is released again: 0 of 1 replicas serve")
				}
				synctest.Wait()
				if lease := c.lease("a"); lease != nil { // it looked to the server as if the caller had gone
					require.False(t, lease.Spec.AcquireBy.After(time.Now().Add(time.Second)))
				}
			})
		})
	}
}

// TestAcquireLeft: a caller who goes away may come back, if he has something to come
// back with; the controller releases what he does not come back for.
func TestAcquireLeft(t *testing.T) {
	for name, leave := range map[string]func(*cluster, *acquiring){
		"the caller goes": func(_ *cluster, call *acquiring) { call.cancel() },
		"the server ends": func(c *cluster, _ *acquiring) { c.stop() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t)
				with := c.acquire(t.Context(), "ann", one())
				without := c.acquire(t.Context(), "ann", one(func(r *tmsv1.AcquireRequest) { r.Name, r.RequestId = "b", "" }))
				synctest.Wait()
				by := c.lease("a").Spec.AcquireBy
				require.NotNil(t, by)
				require.NotNil(t, c.lease("b").Spec.AcquireBy)
				leave(c, with)
				leave(c, without)
				_, err := with.end()
				_, _ = without.end()
				if name == "the server ends" {
					requireCode(t, connect.CodeUnavailable, err, "try again with the same request_id")
				}
				synctest.Wait()
				require.True(t, c.lease("a").Spec.AcquireBy.Equal(by))
				require.Nil(t, c.lease("b"), "nobody can come back for it")
			})
		})
	}
}

// TestAcquireReleasedMeanwhile: somebody deletes the lease, before or after the
// controller sees it, and somebody else may have one of that name since.
func TestAcquireReleasedMeanwhile(t *testing.T) {
	for name, seen := range map[string]func(*cluster){
		"pending": func(*cluster) {}, "starting": func(c *cluster) { c.observe(starting) },
	} {
		for _, again := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c := newCluster(t)
					call := c.acquire(t.Context(), "ann", one())
					synctest.Wait()
					seen(c)
					synctest.Wait()
					lease := c.lease("a")
					if again {
						c.set(func() { c.memory = nothing }) // until the other one is there
						require.NoError(t, c.live.Delete(t.Context(), lease))
						lease.ResourceVersion = ""
						require.NoError(t, c.live.Create(t.Context(), lease))
						c.set(func() { c.memory = nil })
						c.Changes.tell(lease)
					} else {
						require.NoError(t, c.live.Delete(t.Context(), lease))
					}
					_, err := call.end()
					requireCode(t, connect.CodeAborted, err, "somebody released the lease")
				})
			})
		}
	}
}

// TestAcquireBehind: memory may not have the lease for a while, or one that was called
// so before.
func TestAcquireBehind(t *testing.T) {
	for name, memory := range map[string]func(*v1alpha1.TritonLease) error{
		"nothing": nothing,
		"another": func(lease *v1alpha1.TritonLease) error {
			lease.Namespace, lease.Name, lease.UID = "default", "a", "another"
			refusedByController(&lease.Status)
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t)
				c.set(func() { c.memory = memory })
				call := c.acquire(t.Context(), "ann", one())
				synctest.Wait()
				c.observe(starting)
				synctest.Wait()
				require.Len(t, call.told(), 2)
				c.set(func() { c.memory = nil })
				c.observe(serving)
				last, err := call.end()
				require.NoError(t, err)
				require.True(t, last.GetComplete())
			})
		})
	}
}

// TestAcquireNoWait: the answer says what was granted, though the controller has not
// looked at the lease, and nothing releases it.
func TestAcquireNoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		last, err := c.acquire(t.Context(), "ann", one(func(r *tmsv1.AcquireRequest) {
			r.NoWait, r.Spec.Autoscaling = true, &tmsv1.Autoscaling{MaxReplicas: new(int64(100))}
		})).end()
		require.NoError(t, err)
		require.True(t, last.GetComplete())
		require.Equal(t, tmsv1.State_STATE_PENDING, last.GetLease().GetState())
		require.EqualValues(t, 5, last.GetLease().GetGranted().GetMaxReplicas())
		require.Equal(t, "spec.autoscaling.max_replicas", last.GetLease().GetGranted().GetAdjustments()[0].GetField())
		lease := c.lease("a")
		require.Nil(t, lease.Spec.AcquireBy)
		require.Nil(t, lease.Status.Granted, "that is the controller's to write")
	})
}

// TestAcquireUnnamed: a name is made, once for each user and request id.
func TestAcquireUnnamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		acquire := func(user, id string) string {
			t.Helper()
			last, err := c.acquire(t.Context(), user, one(func(r *tmsv1.AcquireRequest) { r.Name, r.RequestId, r.NoWait = "", id, true })).end()
			require.NoError(t, err)
			return last.GetLease().GetId()
		}
		ann := acquire("ann", "id")
		require.Regexp(t, "^[0-9a-f]{16}$", ann)
		require.Equal(t, ann, acquire("ann", "id"))
		require.NotEqual(t, ann, acquire("ann", "other"))
		require.NotEqual(t, ann, acquire("bob", "id"), "who has a lease of his own")
		require.NotEqual(t, acquire("ann", ""), acquire("ann", ""))
		require.Len(t, c.all(), 5)
	})
}
