package lease

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/api/v1alpha1"
)

// methods calls each method with the id of a lease.
var methods = map[string]func(*cluster, string, string) error{
	"Release": func(c *cluster, user, id string) error {
		_, err := c.as(user).Release(context.Background(), connect.NewRequest(&tmsv1.ReleaseRequest{Id: id}))
		return err
	},
	"Renew": func(c *cluster, user, id string) error {
		_, err := c.as(user).Renew(context.Background(), connect.NewRequest(&tmsv1.RenewRequest{Id: id}))
		return err
	},
	"Reload": func(c *cluster, user, id string) error {
		_, err := c.as(user).Reload(context.Background(), connect.NewRequest(&tmsv1.ReloadRequest{Id: id}))
		return err
	},
	"Status": func(c *cluster, user, id string) error {
		_, err := c.as(user).Status(context.Background(), connect.NewRequest(&tmsv1.StatusRequest{Id: id}))
		return err
	},
	"List": func(c *cluster, user, _ string) error {
		_, err := c.as(user).List(context.Background(), connect.NewRequest(new(tmsv1.ListRequest)))
		return err
	},
	"Acquire": func(c *cluster, user, id string) error {
		_, err := c.acquire(context.Background(), user, request(func(r *tmsv1.AcquireRequest) { r.Name, r.NoWait = id, true })).result()
		return err
	},
}

// createLease creates a lease as kubectl does.
func (c *cluster) createLease(namespace, name string) {
	c.t.Helper()
	require.NoError(c.t, c.apiServer.Create(context.Background(), &v1alpha1.TritonLease{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}))
}

// TestNoRights checks that the error for a missing right does not reveal whether the lease
// exists.
func TestNoRights(t *testing.T) {
	t.Parallel()
	for name, method := range methods {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t)
				c.createLease("default", "existing")
				c.allow = func(user string, _ authorizationv1.ResourceAttributes) bool { return user == "ann" }
				existing, missing := method(c, "mallory", "existing"), method(c, "mallory", "missing")
				requireCode(t, connect.CodePermissionDenied, existing)
				require.Equal(t, existing.Error(), missing.Error())
				require.NotContains(t, existing.Error(), "existing")
				require.Len(t, c.all(), 1)
				require.Nil(t, c.lease("existing").Spec.RenewTime)
				c.set(func() {
					c.fail["get"], c.fail["create"], c.fail["delete"] = errors.New("down"), errors.New("down"), errors.New("down")
				})
				require.Equal(t, existing.Error(), method(c, "mallory", "existing").Error(), "the API server is not called")
			})
		})
	}
}

// TestRights checks the right that each method needs.
func TestRights(t *testing.T) {
	t.Parallel()
	for name, verb := range map[string]string{"Release": "delete", "Renew": "update", "Reload": "update", "Status": "get", "List": "list", "Acquire": "create"} {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(t)
			c.createLease("default", "existing")
			_ = methods[name](c, "ann", "existing")
			want := authorizationv1.ResourceAttributes{Verb: verb, Group: "tms.triton-leases.dev", Resource: "tritonleases", Namespace: "default"}
			if name != "List" && name != "Acquire" {
				want.Name = "existing"
			}
			require.Equal(t, []authorizationv1.ResourceAttributes{want}, c.reviewed)
		})
	}
}

// TestMalformed checks that invalid names are refused before a review.
func TestMalformed(t *testing.T) {
	t.Parallel()
	for name, method := range methods {
		if name == "List" {
			continue
		}
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(t)
			for _, id := range []string{"A", "a/b", "..", "a\x1b[2J", "a\n", string(make([]byte, 64))} {
				err := method(c, "ann", id)
				requireCode(t, connect.CodeInvalidArgument, err, "must be a DNS label")
				require.NotContains(t, err.Error(), "\x1b")
			}
			require.Empty(t, c.reviewed, name)
		})
	}
}

// TestUnwatchedNamespace checks that no lease is created where no controller reconciles it.
func TestUnwatchedNamespace(t *testing.T) {
	t.Parallel()
	for name, method := range methods {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(t, func(config *Config) { config.Namespaces = []string{"inference"} })
			requireCode(t, connect.CodeFailedPrecondition, method(c, "ann", "a"), `namespace: tms-server does not watch the namespace "default"`)
			c.allow = func(string, authorizationv1.ResourceAttributes) bool { return false }
			requireCode(t, connect.CodePermissionDenied, method(c, "bob", "a"))
			require.Empty(t, c.all(), name)
		})
	}
}

// TestAPIServerErrors checks that callers see only errors that they can act on.
func TestAPIServerErrors(t *testing.T) {
	t.Parallel()
	missingRight := apierrors.NewForbidden(resource, "a", errors.New(`User "system:serviceaccount:tms:tms-server" cannot do that in the namespace "default"`))
	quota := apierrors.NewForbidden(resource, "a", errors.New("exceeded quota: leases, requested: 1, used: 5, limited: 5"))
	for _, test := range []struct {
		err     error
		code    connect.Code
		message string
	}{
		{errors.New("dial tcp 10.0.0.1:6443: secret"), connect.CodeUnavailable, "the Kubernetes API server failed; retry"},
		{apierrors.NewInternalError(errors.New("secret")), connect.CodeUnavailable, "the Kubernetes API server failed; retry"},
		{missingRight, connect.CodeFailedPrecondition, "tms-server lacks a right in the namespace; ask its administrator"},
		{quota, connect.CodeFailedPrecondition, quota.Error()},
		{apierrors.NewConflict(resource, "a", errors.New("secret")), connect.CodeAborted, "the lease changed during the call; retry"},
	} {
		for name, verb := range map[string]string{"Release": "delete", "Renew": "patch", "Reload": "patch", "Status": "get", "Acquire": "create"} {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t)
				c.createLease("default", "existing")
				c.set(func() { c.fail[verb], c.readCache = test.err, cacheMiss })
				require.EqualError(t, methods[name](c, "ann", "existing"), fmt.Sprintf("%s: %s", test.code, test.message))
			})
		}
	}
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		c.fail["create"] = apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, "default")
		requireCode(t, connect.CodeFailedPrecondition, methods["Acquire"](c, "ann", "a"), `namespaces "default" not found`)
	})
}

func TestRelease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		c.createLease("default", "a")
		c.createLease("default", "b")
		for _, found := range []bool{true, false} { // releasing is idempotent
			response, err := c.as("ann").Release(t.Context(), connect.NewRequest(&tmsv1.ReleaseRequest{Id: "a"}))
			require.NoError(t, err)
			require.Equal(t, found, response.Msg.Found)
			require.Nil(t, c.lease("a"))
		}
		require.NotNil(t, c.lease("b"))
	})
}

func TestRenew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		c.createLease("default", "a")
		renew := func() *tmsv1.RenewResponse {
			t.Helper()
			response, err := c.as("ann").Renew(t.Context(), connect.NewRequest(&tmsv1.RenewRequest{Id: "a"}))
			require.NoError(t, err)
			return response.Msg
		}
		require.Nil(t, renew().GetExpiresAt(), "the grant is not known yet")
		c.reconcile(func(status *v1alpha1.TritonLeaseStatus) {
			status.Granted = &v1alpha1.Granted{Term: v1alpha1.Term{Duration: "1h"}}
		})
		time.Sleep(90*time.Second + time.Millisecond)
		require.Equal(t, time.Now().Add(time.Hour).Truncate(time.Second).UTC(), renew().GetExpiresAt().AsTime())
		require.True(t, c.lease("a").Spec.RenewTime.Equal(&metav1.Time{Time: time.Now().Truncate(time.Second)}))

		requireCode(t, connect.CodeNotFound, methods["Renew"](c, "ann", "b"), `lease "b" does not exist in the namespace "default"`)
		c.set(func() { c.fail["patch"] = notFound })
		requireCode(t, connect.CodeNotFound, methods["Renew"](c, "ann", "a"), `lease "a" does not exist in the namespace "default"`)
	})
}

// TestReload checks that a reload sets reloadTime to now, and that a lease with a target cannot be
// reloaded.
func TestReload(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		c.createLease("default", "a")
		time.Sleep(90*time.Second + time.Millisecond)
		response, err := c.as("ann").Reload(t.Context(), connect.NewRequest(&tmsv1.ReloadRequest{Id: "a"}))
		require.NoError(t, err)
		now := time.Now().Truncate(time.Second)
		require.Equal(t, now.UTC(), response.Msg.GetReloadTime().AsTime())
		require.True(t, c.lease("a").Spec.ReloadTime.Equal(&metav1.Time{Time: now}))
		requireCode(t, connect.CodeNotFound, methods["Reload"](c, "ann", "b"), `lease "b" does not exist in the namespace "default"`)

		require.NoError(t, c.apiServer.Create(t.Context(), &v1alpha1.TritonLease{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "scales"},
			Spec:       v1alpha1.TritonLeaseSpec{LeaseSpec: v1alpha1.LeaseSpec{Target: &v1alpha1.Target{Name: "triton"}}},
		}))
		requireCode(t, connect.CodeFailedPrecondition, methods["Reload"](c, "ann", "scales"), "id: the lease scales an existing workload: restart that workload")
	})
}

func TestStatus(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		c.createLease("default", "a")
		c.reconcile(serving)
		c.set(func() { c.readCache = cacheMiss }) // another replica created the lease
		response, err := c.as("ann").Status(t.Context(), connect.NewRequest(&tmsv1.StatusRequest{Id: "a"}))
		require.NoError(t, err)
		require.Equal(t, tmsv1.State_STATE_SERVING, response.Msg.GetLease().GetState())
		requireCode(t, connect.CodeNotFound, methods["Status"](c, "ann", "b"), `lease "b" does not exist in the namespace "default"`)
	})
}
