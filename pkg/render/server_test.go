package render_test

import (
	"slices"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/pod-security-admission/api"
	podsecurity "k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/yaml"

	"github.com/triton-leases/tms/pkg/render"
)

// rights are all that tms-server has, with what it needs them for. What is not
// here it may not do: secrets and pods are no oversight.
var rights = map[string]string{
	"tms.triton-leases.dev/tritonleases get list watch delete": "it looks after them, and deletes those that have ended",
	"tms.triton-leases.dev/tritonleases/status update":         "it says what they were granted",
	"tms.triton-leases.dev/tritonleases/finalizers update":     "owner references that block deletion",

	"apps/deployments get list watch create patch delete":                      "an object of a lease",
	"/services get list watch create patch delete":                             "an object of a lease",
	"policy/poddisruptionbudgets get list watch create patch delete":           "an object of a lease",
	"autoscaling/horizontalpodautoscalers get list watch create patch delete":  "an object of a lease",
	"monitoring.coreos.com/podmonitors get list watch create patch delete":     "an object of a lease",
	"monitoring.coreos.com/prometheusrules get list watch create patch delete": "an object of a lease",

	"events.k8s.io/events create patch":                      "it tells of leases",
	"custom.metrics.k8s.io/pods/tms_request_rate get":        "it renews leases that serve requests",
	"coordination.k8s.io/leases create":                      "leader election",
	"coordination.k8s.io/leases get update [tms-server.tms]": "leader election",
	"/events create patch":                                   "leader election",
}

// ofAPI are those that it has while it serves its API.
var ofAPI = map[string]string{
	"tms.triton-leases.dev/tritonleases create patch":               "it makes leases for who calls, and renews them",
	"/configmaps get list watch patch [tms-server-allowlist]":       "it changes the allowlist for who calls",
	"/configmaps get list watch patch [inference-server-allowlist]": "the same in an installation of another name",
	"authentication.k8s.io/tokenreviews create":                     "it asks who calls",
	"authorization.k8s.io/subjectaccessreviews create":              "it asks what he may",
}

// ofEditors are those of people to whom an administrator gives the allowlist.
var ofEditors = map[string]string{
	"/configmaps get update [tms-server-allowlist]":       "AllowlistService asks for them",
	"/configmaps get update [inference-server-allowlist]": "the same in an installation of another name",
}

// ofPeople are those of people who have the roles admin, edit and view of a namespace.
var ofPeople = map[string]string{
	"tms.triton-leases.dev/tritonleases create delete deletecollection get list patch update watch": "admin and edit",
	"tms.triton-leases.dev/tritonleases get list watch":                                             "view",
}

func rightsOf(rules []rbacv1.PolicyRule) []string {
	var all []string
	for _, rule := range rules {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				right := group + "/" + resource + " " + strings.Join(rule.Verbs, " ")
				if len(rule.ResourceNames) > 0 {
					right += " [" + strings.Join(rule.ResourceNames, " ") + "]"
				}
				all = append(all, right)
			}
		}
	}
	return all
}

// TestServerHasTheLeastRights: each right is in the list, and each of the list is
// given, in the namespaces that tms-server looks after, or in all. Those of its API it
// has while that is served.
func TestServerHasTheLeastRights(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		namespaces []string
		ofAPI      int
		bound      int // beside the role in each of the namespaces
	}{
		"server":            {[]string{""}, 0, 1},
		"server-api":        {[]string{""}, 4, 2},
		"server-namespaces": {[]string{"vision", "inference"}, 2, 1}, // an administrator lets it ask who calls
	} {
		given, forAPI, people, editors, bound := map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]string{}
		var where []string
		result := mustRender(t, ours, read(t, "../../charts/tms/ci/"+name+"-values.yaml"))
		for document := range result.Documents() {
			switch document.Kind {
			case "Role", "ClusterRole":
				var role rbacv1.ClusterRole
				require.NoError(t, document.Decode(&role))
				require.Nil(t, role.AggregationRule)
				mine, table, servers := given, rights, true
				if strings.HasSuffix(role.Name, "-allowlist-editor") {
					mine, table, servers = editors, ofEditors, false
				}
				for label := range role.Labels {
					if strings.HasPrefix(label, "rbac.authorization.k8s.io/aggregate-to-") {
						mine, table, servers = people, ofPeople, false
					}
				}
				for _, right := range rightsOf(role.Rules) {
					require.NotContains(t, right, "*")
					if _, known := ofAPI[right]; known && servers {
						forAPI[right] = true
						continue
					}
					require.Contains(t, table, right, "%s %s", document.Kind, role.Name)
					mine[right] = true
				}
				if slices.Contains(rightsOf(role.Rules), "apps/deployments get list watch create patch delete") {
					where = append(where, role.Namespace)
				} else if document.Kind == "Role" {
					require.Equal(t, release.Namespace, role.Namespace)
				}
			case "RoleBinding", "ClusterRoleBinding":
				var binding rbacv1.ClusterRoleBinding
				require.NoError(t, document.Decode(&binding))
				require.Len(t, binding.Subjects, 1)
				require.Equal(t, rbacv1.ServiceAccountKind, binding.Subjects[0].Kind)
				require.Equal(t, release.Namespace, binding.Subjects[0].Namespace)
				require.Equal(t, document.Kind, binding.RoleRef.Kind+"Binding")
				require.Equal(t, binding.Name, binding.RoleRef.Name)
				bound[document.Kind+" "+binding.Namespace+"/"+binding.Name] = binding.Subjects[0].Name
			case "Deployment":
				var deployment appsv1.Deployment
				require.NoError(t, document.Decode(&deployment))
				for _, account := range bound {
					if deployment.Labels["app.kubernetes.io/component"] == "server" {
						require.Equal(t, deployment.Spec.Template.Spec.ServiceAccountName, account)
					}
				}
			}
		}
		require.Len(t, given, len(rights))
		require.Len(t, forAPI, test.ofAPI)
		require.Equal(t, test.ofAPI > 0, len(editors) == 1)
		require.ElementsMatch(t, test.namespaces, where)
		require.Len(t, bound, test.bound+len(test.namespaces), "each role is bound but that of editors, and each binding is of another role")
		if name == "server" {
			require.Len(t, people, len(ofPeople))
		}
	}
}

// clusterScoped are the kinds of tms-server that have no namespace.
var clusterScoped = []string{"ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"}

// TestServersDoNotClash: two installations in one cluster share no object but the
// CustomResourceDefinition, and one for some namespaces may have nothing of the cluster.
func TestServersDoNotClash(t *testing.T) {
	t.Parallel()
	namespaces := []byte("server: {namespaces: [vision, a]}")
	secret := withAPI("{secretName: mine}")
	names := map[string]string{}
	for _, release := range []render.Release{{Name: "tms", Namespace: "a"}, {Name: "tms", Namespace: "b"}, {Name: "other", Namespace: "a"}} {
		for _, more := range [][]byte{nil, namespaces, secret} {
			result, err := ours.Render(release, withServer, more)
			require.NoError(t, err)
			for document := range result.Documents() {
				var object metav1.PartialObjectMetadata
				require.NoError(t, decodeMetadata(document, &object))
				require.Equal(t, slices.Contains(clusterScoped, document.Kind), object.Namespace == "", document.Text)
				if document.Kind == "CustomResourceDefinition" {
					continue
				}
				key := document.Kind + " " + object.Namespace + "/" + object.Name
				who := release.Name + " in " + release.Namespace
				if before, ok := names[key]; ok {
					require.Equal(t, before, who, "%s is of two installations", key)
				}
				names[key] = who
			}
		}
	}
	result := mustRender(t, ours, secret, namespaces, []byte("server: {crd: {enabled: false}, apiService: {clusterRole: {enabled: false}}}"))
	for document := range result.Documents() {
		require.NotContains(t, clusterScoped, document.Kind, document.Text)
	}
}

// TestServerIsNoLease: the selectors of tms-server select its own pods, and those of
// leases do not.
func TestServerIsNoLease(t *testing.T) {
	t.Parallel()
	var selectors, templates []map[string]string
	var own map[string]string
	add := func(template map[string]string, all ...map[string]string) {
		for _, selector := range all {
			selectors, templates = append(selectors, selector), append(templates, template)
		}
	}
	result := mustRender(t, ours, read(t, "../../charts/tms/ci/server-values.yaml"), []byte("triton: {podDisruptionBudget: {maxUnavailable: 1}}"))
	pods := map[string]map[string]string{}
	for document := range result.Documents() {
		if document.Kind == "Deployment" {
			var d appsv1.Deployment
			require.NoError(t, document.Decode(&d))
			pods[d.Name] = d.Spec.Template.Labels
			add(d.Spec.Template.Labels, d.Spec.Selector.MatchLabels)
			if d.Name == "tms-server" {
				own = d.Spec.Template.Labels
				term := d.Spec.Template.Spec.Affinity.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution[0]
				add(own, term.PodAffinityTerm.LabelSelector.MatchLabels)
			}
		}
	}
	for document := range result.Documents() {
		switch document.Kind {
		case "Service":
			var s corev1.Service
			require.NoError(t, document.Decode(&s))
			add(pods[s.Name], s.Spec.Selector)
		case "PodDisruptionBudget":
			var p policyv1.PodDisruptionBudget
			require.NoError(t, document.Decode(&p))
			add(pods[p.Name], p.Spec.Selector.MatchLabels)
		case "PodMonitor":
			var p monitoringv1.PodMonitor
			require.NoError(t, document.Decode(&p))
			add(pods[p.Name], p.Spec.Selector.MatchLabels)
		case "NetworkPolicy":
			var n networkingv1.NetworkPolicy
			require.NoError(t, document.Decode(&n))
			add(pods[n.Name], n.Spec.PodSelector.MatchLabels)
		}
	}
	require.Len(t, selectors, 9)
	for i, selector := range selectors {
		for name, template := range pods {
			matches := labels.SelectorFromSet(selector).Matches(labels.Set(template))
			require.Equal(t, templates[i]["app.kubernetes.io/component"] == template["app.kubernetes.io/component"], matches, "%v and %s", selector, name)
		}
	}
	require.NotContains(t, own, "tms.triton-leases.dev/lease")
}

// TestPodsAreRestricted: every pod passes the restricted Pod Security Standard, as
// the API server would judge it.
func TestPodsAreRestricted(t *testing.T) {
	t.Parallel()
	evaluator, err := podsecurity.NewEvaluator(podsecurity.DefaultChecks(), nil)
	require.NoError(t, err)
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	judged := 0
	for _, name := range []string{"server", "server-api", "server-namespaces", "pod", "tms"} {
		result := mustRender(t, ours, read(t, "../../charts/tms/ci/"+name+"-values.yaml"))
		for document := range result.Documents() {
			var template corev1.PodTemplateSpec
			switch document.Kind {
			case "Deployment":
				var d appsv1.Deployment
				require.NoError(t, document.Decode(&d))
				template = d.Spec.Template
			case "Pod":
				var p corev1.Pod
				require.NoError(t, document.Decode(&p))
				template = corev1.PodTemplateSpec{ObjectMeta: p.ObjectMeta, Spec: p.Spec}
			default:
				continue
			}
			verdict := podsecurity.AggregateCheckResults(evaluator.EvaluatePod(restricted, &template.ObjectMeta, &template.Spec))
			require.True(t, verdict.Allowed, "%s: %s", name, verdict.ForbiddenDetail())
			judged++
		}
	}
	require.Greater(t, judged, 7)
}

func decodeMetadata(document render.Document, object *metav1.PartialObjectMetadata) error {
	return yaml.Unmarshal([]byte(document.Text), object)
}
