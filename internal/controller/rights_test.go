package controller

import (
	"errors"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/triton-leases/tms/pkg/render"
)

// reviewed answers SelfSubjectAccessReviews, and records what they ask.
func reviewed(asked *[]string, allowed func(authorizationv1.ResourceAttributes) bool, err error) *fake.Clientset {
	api := fake.NewClientset()
	api.PrependReactor("create", "selfsubjectaccessreviews", func(action clienttesting.Action) (bool, runtime.Object, error) {
		review := action.(clienttesting.CreateAction).GetObject().(*authorizationv1.SelfSubjectAccessReview).DeepCopy()
		attributes := *review.Spec.ResourceAttributes
		*asked = append(*asked, attributes.Verb+" "+attributes.Group+"/"+attributes.Resource+" in "+attributes.Namespace)
		review.Status.Allowed = allowed(attributes)
		return true, review, err
	})
	return api
}

// TestWatchable: a namespace is watched if every kind in it can be watched.
func TestWatchable(t *testing.T) {
	t.Parallel()
	var asked []string
	api := reviewed(&asked, func(a authorizationv1.ResourceAttributes) bool {
		return a.Namespace == "whole" || a.Namespace == "part" && a.Resource != "prometheusrules"
	}, nil)
	watchable, err := Watchable(t.Context(), api, []string{"none", "part", "whole"})
	require.NoError(t, err)
	require.Equal(t, []string{"whole"}, watchable)
	require.Equal(t, []string{
		"watch tms.triton-leases.dev/tritonleases in whole",
		"watch apps/deployments in whole", "watch /services in whole", "watch networking.k8s.io/networkpolicies in whole",
		"watch gateway.networking.k8s.io/httproutes in whole", "watch gateway.networking.k8s.io/grpcroutes in whole", "watch policy/poddisruptionbudgets in whole",
		"watch monitoring.coreos.com/podmonitors in whole", "watch monitoring.coreos.com/prometheusrules in whole",
		"watch autoscaling/horizontalpodautoscalers in whole", "watch keda.sh/scaledobjects in whole",
	}, asked[2*11:])

	_, err = Watchable(t.Context(), reviewed(&asked, func(authorizationv1.ResourceAttributes) bool { return true }, errors.New("no connection")), []string{"whole"})
	require.ErrorContains(t, err, "review the permissions in namespace whole: no connection")
}

// TestCheckRights: the process exits if other namespaces can be watched than at its start.
func TestCheckRights(t *testing.T) {
	t.Parallel()
	all := func(authorizationv1.ResourceAttributes) bool { return true }
	for name, test := range map[string]struct {
		namespaces Namespaces
		err        error
		want       string
	}{
		"all namespaces": {namespaces: Namespaces{}},
		"unchanged":      {namespaces: Namespaces{Configured: []string{"a", "b"}, Watched: []string{"a", "b"}}},
		"changed":        {namespaces: Namespaces{Configured: []string{"a", "b"}, Watched: []string{"a"}}, want: "permissions changed, restart: of the namespaces [a b], these can be watched now: [a b]"},
		"unknown":        {namespaces: Namespaces{Configured: []string{"a", "b"}, Watched: []string{"a"}}, err: errors.New("no connection")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &watcher{api: reviewed(new([]string), all, test.err), namespaces: test.namespaces}
			err := w.checkRights(t.Context())
			if test.want == "" {
				require.NoError(t, err)
			} else {
				require.EqualError(t, err, test.want)
			}
		})
	}
}

// TestChartGrantsRights: the chart grants tms-server the verbs that the controller uses,
// on the resources of render.Kinds and on no other resource.
func TestChartGrantsRights(t *testing.T) {
	t.Parallel()
	var want []string
	for _, kind := range render.Kinds() {
		want = append(want, kind.Group+"/"+kind.Resource)
	}
	slices.Sort(want)
	want = slices.Compact(want)
	verbs := []string{"create", "delete", "get", "list", "patch", "watch"}
	renderer, err := render.New(render.Options{})
	require.NoError(t, err)
	for _, name := range []string{"server", "server-namespaces"} { // a ClusterRole, and Roles
		values, err := os.ReadFile("../../charts/tms/ci/" + name + "-values.yaml")
		require.NoError(t, err)
		result, err := renderer.Render(render.Release{Name: "tms", Namespace: "system"}, values)
		require.NoError(t, err)
		roles := 0
		for document := range result.Documents() {
			if document.Kind != "ClusterRole" && document.Kind != "Role" {
				continue
			}
			var role rbacv1.ClusterRole // a Role has the same rules
			require.NoError(t, document.Decode(&role))
			var granted []string
			for _, rule := range role.Rules {
				if slices.Sort(rule.Verbs); !slices.Equal(rule.Verbs, verbs) {
					continue
				}
				for _, group := range rule.APIGroups {
					for _, resource := range rule.Resources {
						granted = append(granted, group+"/"+resource)
					}
				}
			}
			if len(granted) == 0 {
				continue // a role for users, or for leader election
			}
			roles++
			slices.Sort(granted)
			require.Equal(t, want, granted, "%s %s", document.Kind, role.Name)
			require.Contains(t, role.Rules, rbacv1.PolicyRule{APIGroups: []string{"tms.triton-leases.dev"}, Resources: []string{"tritonleases/status"}, Verbs: []string{"update"}})
			require.Contains(t, role.Rules, rbacv1.PolicyRule{APIGroups: []string{"tms.triton-leases.dev"}, Resources: []string{"tritonleases/finalizers"}, Verbs: []string{"update"}})
			require.Contains(t, role.Rules, rbacv1.PolicyRule{APIGroups: []string{"tms.triton-leases.dev"}, Resources: []string{"tritonleases"}, Verbs: []string{"delete", "get", "list", "watch"}})
			require.Contains(t, role.Rules, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"list"}})
			require.Contains(t, role.Rules, rbacv1.PolicyRule{APIGroups: []string{"custom.metrics.k8s.io"}, Resources: []string{"pods/" + requestRate}, Verbs: []string{"get"}})
		}
		require.NotZero(t, roles, name)
	}
}
