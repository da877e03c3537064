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

// TestAttach checks that a retry continues with the lease, and extends its acquireBy time
// to its own deadline.
func TestAttach(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		call := c.acquire(t.Context(), "ann", request())
		synctest.Wait()
		call.cancel()
		_, _ = call.result()
		first := c.lease("a")

		time.Sleep(30 * time.Minute)
		conflicts := 3 // the controller updates the lease at the same time
		c.set(func() { c.fail["patch"] = apierrors.NewConflict(resource, "a", nil) })
		c.onPatchError = func() {
			if conflicts--; conflicts == 0 {
				delete(c.fail, "patch")
			}
		}
		retry := c.acquire(t.Context(), "ann", request())
		synctest.Wait()
		time.Sleep(time.Second)
		synctest.Wait()
		lease := c.lease("a")
		require.Equal(t, first.UID, lease.UID)
		require.True(t, lease.Spec.AcquireBy.After(first.Spec.AcquireBy.Add(29*time.Minute)), "the deadline of the retry")

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		short := c.acquire(ctx, "ann", request())
		synctest.Wait()
		require.True(t, c.lease("a").Spec.AcquireBy.Equal(lease.Spec.AcquireBy), "a shorter deadline does not count")
		_, err := short.result()
		requireCode(t, connect.CodeDeadlineExceeded, err)
		synctest.Wait()
		require.NotNil(t, c.lease("a"), "the lease stays while the retry waits")

		c.reconcile(serving)
		last, err := retry.result()
		require.NoError(t, err)
		require.True(t, last.GetComplete())
		last, err = c.acquire(t.Context(), "ann", request()).result()
		require.NoError(t, err, "a retry after the response was lost")
		require.True(t, last.GetComplete())
	})
}

// TestAttachDeadline checks that the deadline of a later call does not release a lease that
// an earlier call acquired or waits for.
func TestAttachDeadline(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(*cluster, *acquireCall){
		"acquired": func(c *cluster, first *acquireCall) {
			c.reconcile(serving)
			_, err := first.result()
			require.NoError(c.t, err)
			c.reconcile(starting)
		},
		"awaited": func(*cluster, *acquireCall) {},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t)
				first := c.acquire(t.Context(), "ann", request())
				synctest.Wait()
				prepare(c, first)
				c.MaxWait = time.Minute
				second := c.acquire(t.Context(), "ann", request())
				_, err := second.result()
				requireCode(t, connect.CodeDeadlineExceeded, err, "it stays")
				require.NotNil(t, c.lease("a"))
			})
		})
	}
}

// TestAttachNoWait checks that a retry with no_wait acquires the lease of a call that
// waited.
func TestAttachNoWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		call := c.acquire(t.Context(), "ann", request())
		synctest.Wait()
		call.cancel()
		_, _ = call.result()
		require.NotNil(t, c.lease("a").Spec.AcquireBy)
		last, err := c.acquire(t.Context(), "ann", request(func(r *tmsv1.AcquireRequest) { r.NoWait = true })).result()
		require.NoError(t, err)
		require.True(t, last.GetComplete())
		require.Nil(t, c.lease("a").Spec.AcquireBy, "an acquired lease is not released")
	})
}

// TestAlreadyExists checks that a call does not take over the lease of another request.
func TestAlreadyExists(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		_, err := c.acquire(t.Context(), "ann", request(func(r *tmsv1.AcquireRequest) { r.NoWait = true })).result()
		require.NoError(t, err)
		for name, test := range map[string]struct {
			user, message string
			change        func(*tmsv1.AcquireRequest)
		}{
			"another user":       {"bob", `name: lease "a" already exists`, func(*tmsv1.AcquireRequest) {}},
			"another request id": {"ann", `name: lease "a" already exists`, func(r *tmsv1.AcquireRequest) { r.RequestId = "other" }},
			"no request id":      {"ann", `name: lease "a" already exists`, func(r *tmsv1.AcquireRequest) { r.RequestId = "" }},
			"other GPUs":         {"ann", "request_id: was used for a lease with another spec", func(r *tmsv1.AcquireRequest) { r.Spec.Resources.Gpus = new(int64(2)) }},
			"another term":       {"ann", "request_id: was used for a lease with another spec", func(r *tmsv1.AcquireRequest) { r.Spec.AutoRenew = new(false) }},
			"scaled": {"ann", "request_id: was used for a lease with another spec", func(r *tmsv1.AcquireRequest) {
				r.Spec.Autoscaling = new(tmsv1.Autoscaling)
			}},
		} {
			_, err := c.acquire(t.Context(), test.user, request(test.change)).result()
			requireCode(t, connect.CodeAlreadyExists, err, test.message)
			require.Len(t, c.all(), 1, name)
		}

		lease := c.lease("a")
		lease.Finalizers = []string{"example.com/slow"}
		require.NoError(t, c.apiServer.Update(t.Context(), lease))
		require.NoError(t, c.apiServer.Delete(t.Context(), lease))
		_, err = c.acquire(t.Context(), "ann", request()).result()
		requireCode(t, connect.CodeUnavailable, err, "the lease of this request_id is being deleted; retry")
	})
}
