package lease

import (
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"
	authorizationv1 "k8s.io/api/authorization/v1"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
)

// TestAcquireRecheck checks that a lease is not handed over to a caller who lost the right
// or whose token became invalid while the models loaded.
func TestAcquireRecheck(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		lose func(*cluster)
		code connect.Code
	}{
		"the right": {func(c *cluster) {
			c.allow = func(string, authorizationv1.ResourceAttributes) bool { return false }
		}, connect.CodePermissionDenied},
		"the token":    {func(c *cluster) { c.invalidTokens = true }, connect.CodeUnauthenticated},
		"the identity": {func(c *cluster) { c.renamed = "bob" }, connect.CodeUnauthenticated},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t)
				call := c.acquire(t.Context(), "ann", request())
				synctest.Wait()
				c.set(func() { test.lose(c) })
				time.Sleep(time.Minute) // the reviews are no longer cached
				c.reconcile(serving)
				last, err := call.result()
				requireCode(t, test.code, err)
				require.False(t, last.GetComplete())
				require.Nil(t, c.lease("a"), "the lease is released")
			})
		})
	}
}

// TestAcquireRecheckAcquired checks that a lease stays that another call acquired.
func TestAcquireRecheckAcquired(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		call := c.acquire(t.Context(), "ann", request())
		synctest.Wait()
		_, err := c.acquire(t.Context(), "ann", request(func(r *tmsv1.AcquireRequest) { r.NoWait = true })).result()
		require.NoError(t, err)
		c.set(func() { c.invalidTokens = true })
		time.Sleep(time.Minute)
		c.reconcile(serving)
		_, err = call.result()
		requireCode(t, connect.CodeUnauthenticated, err)
		require.NotNil(t, c.lease("a"))
	})
}

// TestRepeats checks that repeats of a request id only read from the API server: they
// neither try to create the lease nor change it. Without the cache of a lease, a repeat
// finds it too.
func TestRepeats(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		first := c.acquire(t.Context(), "ann", request())
		synctest.Wait()
		before := c.requests()
		for range 50 {
			repeat := c.acquire(t.Context(), "ann", request())
			synctest.Wait()
			repeat.cancel()
			_, _ = repeat.result()
		}
		after := c.requests()
		require.Equal(t, before["create"], after["create"])
		require.Equal(t, before["patch"], after["patch"])
		require.LessOrEqual(t, after["get"]-before["get"], 50)

		c.set(func() { c.readCache = cacheMiss })
		repeat := c.acquire(t.Context(), "ann", request())
		synctest.Wait()
		require.Len(t, repeat.responses(), 1)
		c.set(func() { c.readCache = nil })
		c.reconcile(serving)
		for _, call := range []*acquireCall{first, repeat} {
			_, err := call.result()
			require.NoError(t, err)
		}
		before = c.requests()
		for range 50 {
			_, err := c.acquire(t.Context(), "ann", request()).result()
			require.NoError(t, err, "the lease is acquired")
		}
		after = c.requests()
		require.Equal(t, before["create"]+before["patch"], after["create"]+after["patch"])
	})
}
