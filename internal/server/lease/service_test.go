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

// methods call each method about one lease.
var methods = map[string]func(*cluster, string, string) error{
	"Release": func(c *cluster, user, id string) error {
		_, err := c.as(user).Release(context.Background(), connect.NewRequest(&tmsv1.ReleaseRequest{Id: id}))
		return err
	},
	"Renew": func(c *cluster, user, id string) error {
		_, err := c.as(user).Renew(context.Background(), connect.NewRequest(&tmsv1.RenewRequest{Id: id}))
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
		_, err := c.acquire(context.Background(), user, one(func(r *tmsv1.AcquireRequest) { r.Name, r.NoWait = id, true })).end()
		return err
	},
}

// make makes a lease, as kubectl does.
func (c *cluster) make(namespace, name string) {
	c.t.Helper()
	require.NoError(c.t, c.live.Create(context.Background(), &v1alpha1.TritonLease{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}))
}

// TestNoRights: who may not, learns nothing, not even whether there is such a lease.
func TestNoRights(t *testing.T) {
	for name, method := range methods {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t)
				c.make("default", "there")
				c.may = func(user string, _ authorizationv1.ResourceAttributes) bool { return user == "ann" }
				there, missing := method(c, "mallory", "there"), method(c, "mallory", "missing")
				requireCode(t, connect.CodePermissionDenied, there)
				require.Equal(t, there.Error(), missing.Error())
				require.NotContains(t, there.Error(), "there")
				require.Len(t, c.all(), 1)
				require.Nil(t, c.lease("there").Spec.RenewTime)
				c.set(func() {
					c.fail["get"], c.fail["create"], c.fail["delete"] = errors.New("down"), errors.New("down"), errors.New("down")
				})
				require.Equal(t, there.Error(), method(c, "mallory", "there").Error(), "nobody is asked about it")
			})
		})
	}
}

// TestRights: which rights each method needs.
func TestRights(t *testing.T) {
	for name, verb := range map[string]string{"Release": "delete", "Renew": "update", "Status": "get", "List": "list", "Acquire": "create"} {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(t)
			c.make("default", "there")
			_ = methods[name](c, "ann", "there")
			want := authorizationv1.ResourceAttributes{Verb: verb, Group: "tms.triton-leases.dev", Resource: "tritonleases", Namespace: "default"}
			if name != "List" && name != "Acquire" {
				want.Name = "there"
			}
			require.Equal(t, []authorizationv1.ResourceAttributes{want}, c.asked)
		})
	}
}

// TestMalformed: names that no object can have are refused before anybody is asked.
func TestMalformed(t *testing.T) {
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
			require.Empty(t, c.asked, name)
		})
	}
}

// TestOtherNamespace: leases that nobody looks after are not made.
func TestOtherNamespace(t *testing.T) {
	for name, method := range methods {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(t, func(config *Config) { config.Namespaces = []string{"inference"} })
			requireCode(t, connect.CodeFailedPrecondition, method(c, "ann", "a"), `nobody looks after leases in the namespace "default"`)
			c.may = func(string, authorizationv1.ResourceAttributes) bool { return false }
			requireCode(t, connect.CodePermissionDenied, method(c, "bob", "a"))
			require.Empty(t, c.all(), name)
		})
	}
}

// TestAPIServerDown: the caller learns what is his to know.
func TestAPIServerDown(t *testing.T) {
	status := apierrors.NewForbidden(resource, "a", errors.New(`User "system:serviceaccount:tms:tms-server" cannot do that in the namespace "default"`))
	quota := apierrors.NewForbidden(resource, "a", errors.New("exceeded quota: leases, requested: 1, used: 5, limited: 5"))
	for _, test := range []struct {
		err  error
		code connect.Code
		says string
	}{
		{errors.New("dial tcp 10.0.0.1:6443: secret"), connect.CodeUnavailable, "the API server of Kubernetes does not answer as it should; try again"},
		{apierrors.NewInternalError(errors.New("secret")), connect.CodeUnavailable, "the API server of Kubernetes does not answer as it should; try again"},
		{status, connect.CodeFailedPrecondition, "the server itself may not do that in the namespace; ask its administrator"},
		{quota, connect.CodeFailedPrecondition, quota.Error()},
		{apierrors.NewConflict(resource, "a", errors.New("secret")), connect.CodeAborted, "the lease was changed meanwhile; try again"},
	} {
		for name, verb := range map[string]string{"Release": "delete", "Renew": "patch", "Status": "get", "Acquire": "create"} {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t)
				c.make("default", "there")
				c.set(func() { c.fail[verb] = test.err })
				require.EqualError(t, methods[name](c, "ann", "there"), fmt.Sprintf("%s: %s", test.code, test.says))
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
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		c.make("default", "a")
		c.make("default", "b")
		for range 2 {
			require.NoError(t, methods["Release"](c, "ann", "a"), "what is gone needs no release")
			require.Nil(t, c.lease("a"))
		}
		require.NotNil(t, c.lease("b"))
	})
}

func TestRenew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		c.make("default", "a")
		renew := func() *tmsv1.RenewResponse {
			t.Helper()
			response, err := c.as("ann").Renew(t.Context(), connect.NewRequest(&tmsv1.RenewRequest{Id: "a"}))
			require.NoError(t, err)
			return response.Msg
		}
		require.Nil(t, renew().GetExpiresAt(), "it has no end that anybody knows of")
		c.observe(func(status *v1alpha1.TritonLeaseStatus) {
			status.Granted = &v1alpha1.Granted{Term: v1alpha1.Term{Duration: "1h"}}
		})
		time.Sleep(90*time.Second + time.Millisecond)
		require.Equal(t, time.Now().Add(time.Hour).Truncate(time.Second).UTC(), renew().GetExpiresAt().AsTime())
		require.True(t, c.lease("a").Spec.RenewTime.Equal(&metav1.Time{Time: time.Now().Truncate(time.Second)}))

		requireCode(t, connect.CodeNotFound, methods["Renew"](c, "ann", "b"), `no lease "b" in the namespace "default"`)
		c.set(func() { c.fail["patch"] = notFound })
		requireCode(t, connect.CodeNotFound, methods["Renew"](c, "ann", "a"), `no lease "a" in the namespace "default"`)
	})
}

func TestStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		c.make("default", "a")
		c.observe(serving)
		c.set(func() { c.memory = nothing }) // another replica told the caller of the lease
		response, err := c.as("ann").Status(t.Context(), connect.NewRequest(&tmsv1.StatusRequest{Id: "a"}))
		require.NoError(t, err)
		require.Equal(t, tmsv1.State_STATE_SERVING, response.Msg.GetLease().GetState())
		requireCode(t, connect.CodeNotFound, methods["Status"](c, "ann", "b"), `no lease "b" in the namespace "default"`)
	})
}
