package lease

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"
	authorizationv1 "k8s.io/api/authorization/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/api/v1alpha1"
)

// list returns the leases of a page, and the token of the next one.
func (c *cluster) list(request *tmsv1.ListRequest) (leases []string, next string, err error) {
	response, err := c.as("ann").List(context.Background(), connect.NewRequest(request))
	if err != nil {
		return nil, "", err
	}
	for _, lease := range response.Msg.GetLeases() {
		leases = append(leases, lease.GetNamespace()+"/"+lease.GetId())
	}
	return leases, response.Msg.GetNextPageToken(), nil
}

func TestList(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		leases, next, err := c.list(new(tmsv1.ListRequest))
		require.NoError(t, err)
		require.Empty(t, leases)
		require.Empty(t, next)
		for _, name := range []string{"c", "a", "d", "b", "a-b"} {
			c.createLease("default", name)
		}
		c.createLease("a", "z")
		c.createLease("other", "a")
		leases, next, err = c.list(new(tmsv1.ListRequest))
		require.NoError(t, err)
		require.Equal(t, []string{"default/a", "default/a-b", "default/b", "default/c", "default/d"}, leases)
		require.Empty(t, next)
		leases, _, err = c.list(&tmsv1.ListRequest{Namespace: "-"})
		require.NoError(t, err)
		require.Equal(t, []string{"a/z", "default/a", "default/a-b", "default/b", "default/c", "default/d", "other/a"}, leases)
		require.Empty(t, c.reviewed[len(c.reviewed)-1].Namespace, "all namespaces need a right at the cluster scope")
		leases, _, err = c.list(&tmsv1.ListRequest{Namespace: "other"})
		require.NoError(t, err)
		require.Equal(t, []string{"other/a"}, leases)
		c.allow = func(_ string, attributes authorizationv1.ResourceAttributes) bool { return attributes.Namespace != "" }
		c.as("bob")
		_, err = c.as("bob").List(t.Context(), connect.NewRequest(&tmsv1.ListRequest{Namespace: "-"}))
		requireCode(t, connect.CodePermissionDenied, err, "at the cluster scope")
	})
}

// TestPages checks that leases that come and go between pages do not repeat or hide others.
func TestPages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		for _, name := range []string{"b", "d", "f", "h", "j"} {
			c.createLease("default", name)
		}
		first, token, err := c.list(&tmsv1.ListRequest{PageSize: 2})
		require.NoError(t, err)
		require.Equal(t, []string{"default/b", "default/d"}, first)
		for _, name := range []string{"a", "c", "i"} {
			c.createLease("default", name)
		}
		require.NoError(t, c.apiServer.Delete(t.Context(), c.lease("d"))) // the last lease of the first page
		require.NoError(t, c.apiServer.Delete(t.Context(), c.lease("f")))
		second, token, err := c.list(&tmsv1.ListRequest{PageSize: 2, PageToken: token})
		require.NoError(t, err)
		require.Equal(t, []string{"default/h", "default/i"}, second)
		third, token, err := c.list(&tmsv1.ListRequest{PageSize: 2, PageToken: token})
		require.NoError(t, err)
		require.Equal(t, []string{"default/j"}, third)
		require.Empty(t, token)
	})
}

func TestPageSizes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		for i := range 500 + 1 {
			c.createLease("default", fmt.Sprintf("a%03d", i))
		}
		for size, want := range map[int32]int{0: 100, 1: 1, 500: 500} {
			leases, next, err := c.list(&tmsv1.ListRequest{PageSize: size})
			require.NoError(t, err)
			require.Len(t, leases, want)
			require.NotEmpty(t, next)
		}
		_, _, err := c.list(&tmsv1.ListRequest{PageSize: -1, Namespace: "A", PageToken: "%"})
		requireCode(t, connect.CodeInvalidArgument, err)
		require.Equal(t, map[string]string{
			"page_size": "-1 must be between 1 and 500, or 0 for 100", "page_token": "must be the next_page_token of a response",
			"namespace": `"A" must be a DNS label: at most 63 lower-case letters, digits and '-'`,
		}, fields(t, err))
		for _, token := range []string{"a b", base64.RawURLEncoding.EncodeToString([]byte("no slash")), base64.StdEncoding.EncodeToString([]byte("a/b"))[:3] + "="} {
			_, _, err = c.list(&tmsv1.ListRequest{PageToken: token, PageSize: 500 + 1})
			requireCode(t, connect.CodeInvalidArgument, err, "page_token", "page_size")
		}
		leases, _, err := c.list(&tmsv1.ListRequest{PageToken: base64.RawURLEncoding.EncodeToString([]byte("default/a499"))})
		require.NoError(t, err)
		require.Equal(t, []string{"default/a500"}, leases, "a token holds only a position")
	})
}

// TestListReadOnly checks that List does not change the objects of the cache.
func TestListReadOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cached := &v1alpha1.TritonLeaseList{Items: []v1alpha1.TritonLease{*fullLease(), *fullLease()}}
		cached.Items[1].Name = "0" // out of order
		before := cached.DeepCopyObject()
		c := newCluster(t, func(config *Config) {
			config.Client = interceptor.NewClient(config.Client.(client.WithWatch), interceptor.Funcs{
				List: func(_ context.Context, _ client.WithWatch, list client.ObjectList, _ ...client.ListOption) error {
					*list.(*v1alpha1.TritonLeaseList) = *cached
					return nil
				},
			})
		})
		leases, _, err := c.list(&tmsv1.ListRequest{Namespace: "-"})
		require.NoError(t, err)
		require.Equal(t, []string{"ns/0", "ns/a"}, leases)
		require.Equal(t, before, cached)
	})
}

func TestListFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, func(config *Config) {
			config.Client = interceptor.NewClient(config.Client.(client.WithWatch), interceptor.Funcs{
				List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error {
					return errors.New("secret")
				},
			})
		})
		_, _, err := c.list(new(tmsv1.ListRequest))
		requireCode(t, connect.CodeUnavailable, err, "retry")
		require.NotContains(t, err.Error(), "secret")
	})
}
