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

// serverRules are all RBAC rules of tms-server, with the reason for each. It must not have
// others: it must not read Secrets or pods.
var serverRules = map[string]string{
	"tms.triton-leases.dev/tritonleases get list watch delete": "reconcile, and delete expired ones",
	"tms.triton-leases.dev/tritonleases/status update":         "report the grant",
	"tms.triton-leases.dev/tritonleases/finalizers update":     "owner references that block deletion",

	"apps/deployments get list watch create patch delete": "an object of a lease",
	"apps/replicasets get":                                "read the label of a target",
	"/pods list":                                          "what the pods of a starting lease wait for",
	"apps/statefulsets get":                               "read the label of a target",
	"/services get list watch create patch delete":        "an object of a lease",
	"networking.k8s.io/networkpolicies get list watch create patch delete":     "an object of a lease",
	"gateway.networking.k8s.io/httproutes get list watch create patch delete":  "an object of a lease",
	"gateway.networking.k8s.io/grpcroutes get list watch create patch delete":  "an object of a lease",
	"policy/poddisruptionbudgets get list watch create patch delete":           "an object of a lease",
	"autoscaling/horizontalpodautoscalers get list watch create patch delete":  "an object of a lease",
	"keda.sh/scaledobjects get list watch create patch delete":                 "an object of a lease",
	"monitoring.coreos.com/podmonitors get list watch create patch delete":     "an object of a lease",
	"monitoring.coreos.com/prometheusrules get list watch create patch delete": "an object of a lease",

	"events.k8s.io/events create patch":                      "report changes of leases",
	"custom.metrics.k8s.io/pods/tms_request_rate get":        "renew leases that serve requests",
	"coordination.k8s.io/leases create":                      "leader election",
	"coordination.k8s.io/leases get update [tms-server.tms]": "leader election",
	"/events create patch":                                   "leader election",
}

// apiRules are the additional rules of a tms-server that serves its API.
var apiRules = map[string]string{
	"tms.triton-leases.dev/tritonleases create patch":               "create and renew leases for callers",
	"/configmaps get list watch patch [tms-server-allowlist]":       "change the allowlist for callers",
	"/configmaps get list watch patch [inference-server-allowlist]": "the same for a release with another name",
	"authentication.k8s.io/tokenreviews create":                     "authenticate callers",
	"authorization.k8s.io/subjectaccessreviews create":              "authorize callers",
}

// scheduleRules are the additional rules of a tms-server with schedules of leases in the values.
var scheduleRules = map[string]string{
	"/configmaps get list watch": "read the schedules",
}

// editorRules are the rules of users that may edit the allowlist.
var editorRules = map[string]string{
	"/configmaps get update [tms-server-allowlist]":       "AllowlistService checks them",
	"/configmaps get update [inference-server-allowlist]": "the same for a release with another name",
}

// userRules are the rules that the roles admin, edit and view of a namespace aggregate.
var userRules = map[string]string{
	"tms.triton-leases.dev/tritonleases create delete deletecollection get list patch update watch": "admin and edit",
	"tms.triton-leases.dev/tritonleases get list watch":                                             "view",
	"tms.triton-leases.dev/tritonleasenames create delete get list update":                          "admin and edit",
	"tms.triton-leases.dev/tritonleasenames get list":                                               "view",
}

// rulesOf returns one text for each API group and resource of the rules.
func rulesOf(rules []rbacv1.PolicyRule) []string {
	var all []string
	for _, rule := range rules {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				text := group + "/" + resource + " " + strings.Join(rule.Verbs, " ")
				if len(rule.ResourceNames) > 0 {
					text += " [" + strings.Join(rule.ResourceNames, " ") + "]"
				}
				all = append(all, text)
			}
		}
	}
	return all
}

// TestServerRBAC checks that tms-server has exactly the rules of the lists, in the
// namespaces that it reconciles or in all, and apiRules only if it serves its API.
func TestServerRBAC(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		namespaces []string
		apiRules   int // the number of them
		bindings   int // without the binding in each of the namespaces
		schedules  bool
	}{
		"server":            {[]string{""}, 0, 1, false},
		"server-api":        {[]string{""}, 4, 2, false},
		"server-namespaces": {[]string{"vision", "inference"}, 2, 1, false}, // an administrator grants the reviews
		"schedule":          {[]string{""}, 0, 1, true},
	} {
		schedules := map[string]bool{}
		server, api, users, editors := map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}
		bound := map[string]string{}
		var namespaces []string
		result := mustRender(t, goPolicy, read(t, "../../charts/tms/ci/"+name+"-values.yaml"))
		for document := range result.Documents() {
			switch document.Kind {
			case "Role", "ClusterRole":
				var role rbacv1.ClusterRole
				require.NoError(t, document.Decode(&role))
				require.Nil(t, role.AggregationRule)
				found, allowed, isServer := server, serverRules, true
				if strings.HasSuffix(role.Name, "-allowlist-editor") {
					found, allowed, isServer = editors, editorRules, false
				}
				for label := range role.Labels {
					if strings.HasPrefix(label, "rbac.authorization.k8s.io/aggregate-to-") {
						found, allowed, isServer = users, userRules, false
					}
				}
				for _, rule := range rulesOf(role.Rules) {
					require.NotContains(t, rule, "*")
					if _, known := apiRules[rule]; known && isServer {
						api[rule] = true
						continue
					}
					if _, known := scheduleRules[rule]; known && isServer {
						schedules[rule] = true
						continue
					}
					require.Contains(t, allowed, rule, "%s %s", document.Kind, role.Name)
					found[rule] = true
				}
				if slices.Contains(rulesOf(role.Rules), "apps/deployments get list watch create patch delete") {
					namespaces = append(namespaces, role.Namespace)
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
		require.Len(t, server, len(serverRules))
		require.Len(t, api, test.apiRules)
		require.Equal(t, test.schedules, len(schedules) == len(scheduleRules))
		require.Equal(t, test.apiRules > 0, len(editors) == 1)
		require.ElementsMatch(t, test.namespaces, namespaces)
		require.Len(t, bound, test.bindings+len(test.namespaces), "each role except that of editors has one binding")
		if name == "server" {
			require.Len(t, users, len(userRules))
		}
	}
}

// clusterScoped are the kinds of tms-server's objects that have no namespace.
var clusterScoped = []string{
	"ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "FlowSchema", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
}

// TestReleasesShareNothing checks that two releases in one cluster share no object except
// the CustomResourceDefinition, and that a release for some namespaces can do without
// cluster-scoped objects.
func TestReleasesShareNothing(t *testing.T) {
	t.Parallel()
	namespaces := []byte("server: {namespaces: [vision, a]}")
	secret := withAPI("{secretName: mine}")
	admission := []byte("server: {admissionPolicy: {enabled: true}}")
	names := map[string]string{}
	for _, release := range []render.Release{{Name: "tms", Namespace: "a"}, {Name: "tms", Namespace: "b"}, {Name: "other", Namespace: "a"}} {
		for _, more := range [][]byte{nil, namespaces, secret, admission} {
			result, err := goPolicy.Render(release, withServer, more)
			require.NoError(t, err)
			for document := range result.Documents() {
				var object metav1.PartialObjectMetadata
				require.NoError(t, decodeMetadata(document, &object))
				require.Equal(t, slices.Contains(clusterScoped, document.Kind), object.Namespace == "", document.Text)
				if document.Kind == "CustomResourceDefinition" {
					continue
				}
				key := document.Kind + " " + object.Namespace + "/" + object.Name
				owner := release.Name + " in " + release.Namespace
				if other, ok := names[key]; ok {
					require.Equal(t, other, owner, "%s belongs to two releases", key)
				}
				names[key] = owner
			}
		}
	}
	result := mustRender(t, goPolicy, secret, namespaces, []byte("server: {crd: {enabled: false}, flowSchema: {enabled: false}, apiService: {clusterRole: {enabled: false}}}"))
	for document := range result.Documents() {
		require.NotContains(t, clusterScoped, document.Kind, document.Text)
	}
}

// TestServerSelectors checks that the selectors of tms-server select only its own pods, and
// that those of leases do not select them.
func TestServerSelectors(t *testing.T) {
	t.Parallel()
	var selectors, templates []map[string]string
	var own map[string]string
	add := func(template map[string]string, all ...map[string]string) {
		for _, selector := range all {
			selectors, templates = append(selectors, selector), append(templates, template)
		}
	}
	result := mustRender(t, goPolicy, read(t, "../../charts/tms/ci/server-values.yaml"), []byte("triton: {podDisruptionBudget: {maxUnavailable: 1}}"))
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
			add(pods[strings.TrimSuffix(s.Name, "-headless")], s.Spec.Selector)
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
	require.Len(t, selectors, 10)
	for i, selector := range selectors {
		for name, template := range pods {
			matches := labels.SelectorFromSet(selector).Matches(labels.Set(template))
			require.Equal(t, templates[i]["app.kubernetes.io/component"] == template["app.kubernetes.io/component"], matches, "%v and %s", selector, name)
		}
	}
	require.NotContains(t, own, "tms.triton-leases.dev/lease")
}

// TestPodsAreRestricted checks every pod against the restricted Pod Security Standard, with
// the API server's code.
func TestPodsAreRestricted(t *testing.T) {
	t.Parallel()
	evaluator, err := podsecurity.NewEvaluator(podsecurity.DefaultChecks(), nil)
	require.NoError(t, err)
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	checked := 0
	for _, name := range []string{"server", "server-api", "server-namespaces", "pod", "tms"} {
		result := mustRender(t, goPolicy, read(t, "../../charts/tms/ci/"+name+"-values.yaml"))
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
			checked++
		}
	}
	require.Greater(t, checked, 7)
}

func decodeMetadata(document render.Document, object *metav1.PartialObjectMetadata) error {
	return yaml.Unmarshal([]byte(document.Text), object)
}
