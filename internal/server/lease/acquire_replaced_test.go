package lease

import (
	"testing"
	"testing/synctest"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// TestAcquireReleased checks a lease that is deleted while it is acquired, before or after
// the controller reconciled it, and perhaps created again by another user.
func TestAcquireReleased(t *testing.T) {
	t.Parallel()
	for name, reconcile := range map[string]func(*cluster){
		"pending": func(*cluster) {}, "starting": func(c *cluster) { c.reconcile(starting) },
	} {
		for _, recreate := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c := newCluster(t)
					call := c.acquire(t.Context(), "ann", request())
					synctest.Wait()
					reconcile(c)
					synctest.Wait()
					lease := c.lease("a")
					if recreate {
						c.set(func() { c.readCache = cacheMiss }) // the cache is behind
						require.NoError(t, c.apiServer.Delete(t.Context(), lease))
						lease.ResourceVersion = ""
						require.NoError(t, c.apiServer.Create(t.Context(), lease))
						c.set(func() { c.readCache = nil })
						c.Notifier.notify(lease)
					} else {
						require.NoError(t, c.apiServer.Delete(t.Context(), lease))
					}
					_, err := call.result()
					requireCode(t, connect.CodeAborted, err, "the lease was released by another call")
				})
			})
		}
	}
}

// TestAcquireStaleCache checks a cache that does not have the lease yet, or still has a
// deleted one with the same name.
func TestAcquireStaleCache(t *testing.T) {
	t.Parallel()
	for name, readCache := range map[string]func(*v1alpha1.TritonLease) error{
		"no lease": cacheMiss,
		"a deleted lease": func(lease *v1alpha1.TritonLease) error {
			lease.Namespace, lease.Name, lease.UID = "default", "a", "another"
			refusedByController(&lease.Status)
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t)
				c.set(func() { c.readCache = readCache })
				call := c.acquire(t.Context(), "ann", request())
				synctest.Wait()
				c.reconcile(starting)
				synctest.Wait()
				require.Len(t, call.responses(), 2)
				c.set(func() { c.readCache = nil })
				c.reconcile(serving)
				last, err := call.result()
				require.NoError(t, err)
				require.True(t, last.GetComplete())
			})
		})
	}
}
