package lease

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
)

// TestAttach: a call with the same request id goes on with the lease, and has as long
// for it as it says, though the first caller is gone.
func TestAttach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		call := c.acquire(t.Context(), "ann", one())
		synctest.Wait()
		call.cancel()
		_, _ = call.end()
		first := c.lease("a")

		time.Sleep(30 * time.Minute)
		conflicts := 3 // the controller writes at the same time
		c.set(func() { c.fail["patch"] = apierrors.NewConflict(resource, "a", nil) })
		c.onPatch = func() {
			if conflicts--; conflicts == 0 {
				delete(c.fail, "patch")
			}
		}
		again := c.acquire(t.Context(), "ann", one())
		synctest.Wait()
		time.Sleep(time.Second)
		synctest.Wait()
		lease := c.lease("a")
		require.Equal(t, first.UID, lease.UID)
		require.True(t, lease.Spec.AcquireBy.After(first.Spec.AcquireBy.Add(29*time.Minute)), "it has as long as the second caller waits")

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		short := c.acquire(ctx, "ann", one())
		synctest.Wait()
		require.True(t, c.lease("a").Spec.AcquireBy.Equal(lease.Spec.AcquireBy), "and not less because a third one waits shorter")
		_, err := short.end()
		requireCode(t, connect.CodeDeadlineExceeded, err)
		synctest.Wait()
		require.NotNil(t, c.lease("a"), "nor is it released while the second one waits")

		c.observe(serving)
		last, err := again.end()
		require.NoError(t, err)
		require.True(t, last.GetComplete())
		last, err = c.acquire(t.Context(), "ann", one()).end()
		require.NoError(t, err, "the answer was lost, and here it is once more")
		require.True(t, last.GetComplete())
	})
}

// TestAttachLate: what an earlier call acquired is not taken from it, though it does
// not serve in time for a later one.
func TestAttachLate(t *testing.T) {
	for name, stays := range map[string]func(*cluster, *acquiring){
		"acquired": func(c *cluster, first *acquiring) {
			c.observe(serving)
			_, err := first.end()
			require.NoError(c.t, err)
			c.observe(starting)
		},
		"awaited": func(*cluster, *acquiring) {},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t)
				first := c.acquire(t.Context(), "ann", one())
				synctest.Wait()
				stays(c, first)
				c.Longest = time.Minute
				second := c.acquire(t.Context(), "ann", one())
				_, err := second.end()
				requireCode(t, connect.CodeDeadlineExceeded, err, "and stays")
				require.NotNil(t, c.lease("a"))
			})
		})
	}
}

// TestAttachNoWait: who no longer waits has the lease, though an earlier call waited.
func TestAttachNoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		call := c.acquire(t.Context(), "ann", one())
		synctest.Wait()
		call.cancel()
		_, _ = call.end()
		require.NotNil(t, c.lease("a").Spec.AcquireBy)
		last, err := c.acquire(t.Context(), "ann", one(func(r *tmsv1.AcquireRequest) { r.NoWait = true })).end()
		require.NoError(t, err)
		require.True(t, last.GetComplete())
		require.Nil(t, c.lease("a").Spec.AcquireBy, "what is acquired is not released")
	})
}

// TestTaken: a lease that is there is not that of this call.
func TestTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		_, err := c.acquire(t.Context(), "ann", one(func(r *tmsv1.AcquireRequest) { r.NoWait = true })).end()
		require.NoError(t, err)
		for name, test := range map[string]struct {
			user, says string
			change     func(*tmsv1.AcquireRequest)
		}{
			"another user":       {"bob", `name: there is a lease "a" already`, func(*tmsv1.AcquireRequest) {}},
			"another request id": {"ann", `name: there is a lease "a" already`, func(r *tmsv1.AcquireRequest) { r.RequestId = "other" }},
			"no request id":      {"ann", `name: there is a lease "a" already`, func(r *tmsv1.AcquireRequest) { r.RequestId = "" }},
			"other GPUs":         {"ann", "request_id: it was used for a lease that asks for something else", func(r *tmsv1.AcquireRequest) { r.Spec.Resources.Gpus = new(int64(2)) }},
			"another term":       {"ann", "request_id: it was used for a lease that asks for something else", func(r *tmsv1.AcquireRequest) { r.Spec.AutoRenew = new(false) }},
			"scaled": {"ann", "request_id: it was used for a lease that asks for something else", func(r *tmsv1.AcquireRequest) {
				r.Spec.Autoscaling = new(tmsv1.Autoscaling)
			}},
		} {
			_, err := c.acquire(t.Context(), test.user, one(test.change)).end()
			requireCode(t, connect.CodeAlreadyExists, err, test.says)
			require.Len(t, c.all(), 1, name)
		}

		lease := c.lease("a")
		lease.Finalizers = []string{"example.com/slow"}
		require.NoError(t, c.live.Update(t.Context(), lease))
		require.NoError(t, c.live.Delete(t.Context(), lease))
		_, err = c.acquire(t.Context(), "ann", one()).end()
		requireCode(t, connect.CodeUnavailable, err, "the lease of this request_id is being released; try again")
	})
}
