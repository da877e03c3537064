package lease

import (
	"testing"
	"testing/synctest"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"
	authorizationv1 "k8s.io/api/authorization/v1"

	"sigs.k8s.io/controller-runtime/pkg/client"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/api/v1alpha1"
)

// charge creates a lease of the namespace small, and charges it.
func (c *cluster) charge(name, installation string, gpus int64) {
	c.t.Helper()
	c.createLease("small", name)
	lease := new(v1alpha1.TritonLease)
	require.NoError(c.t, c.apiServer.Get(c.t.Context(), client.ObjectKey{Namespace: "small", Name: name}, lease))
	lease.Status.Installation, lease.Status.Budget = installation, &v1alpha1.Budget{GPUs: 4, Charged: gpus}
	require.NoError(c.t, c.apiServer.Status().Update(c.t.Context(), lease))
}

// TestQuota checks what leases use of their budgets: those of this installation.
func TestQuota(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		c.charge("b", "system/tms", 1)
		c.charge("a", "system/tms", 2)
		c.charge("other", "other/tms", 9)
		c.createLease("default", "free")
		quota := func(namespace, want string) {
			t.Helper()
			response, err := c.as("ann").Quota(t.Context(), connect.NewRequest(&tmsv1.QuotaRequest{Namespace: namespace}))
			require.NoError(t, err)
			for _, one := range response.Msg.GetNamespaces() {
				for _, charge := range one.GetCharges() {
					charge.CreatedAt = nil
				}
			}
			text, err := protojson.Marshal(response.Msg)
			require.NoError(t, err)
			require.JSONEq(t, want, string(text))
		}
		const small = `{"namespace": "small", "gpus": "4", "used": "3", "left": "1", "charges": [{"id": "a", "charged": "2"}, {"id": "b", "charged": "1"}]}`
		quota("small", `{"namespaces": [`+small+`]}`)
		quota("default", `{}`)
		quota("", `{}`)
		quota("-", `{"namespaces": [{"namespace": "idle", "gpus": "1", "left": "1"}, `+small+`]}`)

		c.allow = func(_ string, attributes authorizationv1.ResourceAttributes) bool {
			return attributes.Namespace != "" && attributes.Verb == "list"
		}
		quota("small", `{"namespaces": [`+small+`]}`)
		_, err := c.as("bob").Quota(t.Context(), connect.NewRequest(&tmsv1.QuotaRequest{Namespace: "-"}))
		requireCode(t, connect.CodePermissionDenied, err, "at the cluster scope")
		_, err = c.as("ann").Quota(t.Context(), connect.NewRequest(&tmsv1.QuotaRequest{Namespace: "A"}))
		requireCode(t, connect.CodeInvalidArgument, err, "namespace")
	})
}

// TestAcquireBudget checks that a lease is lowered to what the budget allows, or refused
// before it is created.
func TestAcquireBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		c.charge("a", "system/tms", 1)
		request := func(id string, gpus, most int64) *tmsv1.AcquireRequest {
			return &tmsv1.AcquireRequest{Namespace: "small", RequestId: id, NoWait: true, Spec: &tmsv1.LeaseSpec{
				Models: []*tmsv1.Model{{Name: "m", Uri: "s3://m"}}, Resources: &tmsv1.Resources{Gpus: &gpus},
				Autoscaling: &tmsv1.Autoscaling{MinReplicas: new(int64(1)), MaxReplicas: &most},
			}}
		}
		refused := c.acquire(t.Context(), "ann", request("1", 4, 4))
		requireCode(t, connect.CodeFailedPrecondition, <-refused.ended,
			"spec.autoscaling.min_replicas: Forbidden: 4 GPUs (4 for each of 1 replicas) do not fit in the budget of the namespace, server.leases.budget.namespaces.small.gpus: 1 of 4 GPUs are used by a (1)")
		require.Len(t, c.all(), 1)

		for _, most := range []int64{3, 5} { // a retry finds the lease that the first call created
			lowered := c.acquire(t.Context(), "ann", request("2", 1, 5))
			lease := (<-lowered.received).GetLease()
			require.NoError(t, <-lowered.ended)
			require.EqualValues(t, 1, lease.GetGranted().GetGpus())
			require.Equal(t, most, lease.GetGranted().GetMaxReplicas(), "the controller decides about a lease that exists")
			require.Len(t, c.all(), 2)
		}
	})
}
