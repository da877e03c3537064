//go:build e2e

package e2e

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/triton-leases/tms/test/e2e/helm"
)

// TestTroubleshooting reproduces docs/troubleshooting.md: the symptoms, the documented
// commands that show the cause, the code that tmsctl doctor gives, and the documented fix.
func TestTroubleshooting(t *testing.T) {
	t.Parallel()
	const lease, labels = "tms-resnet50", "server: {autoscaling: {prometheus: {%s: {release: other}}}}"
	for name, c := range map[string]struct {
		values    string
		namespace map[string]string
		// raw is set if Prometheus scrapes Triton nevertheless.
		raw bool
		// object and selector must be in the output of the documented commands, and code is
		// what tmsctl doctor finds.
		object, selector, code string
		fix                    func(s *scenario, r helm.Release, values string)
	}{
		"podmonitor-labels": {
			values: fmt.Sprintf(labels, "podMonitorLabels"), object: "release=other", selector: "podMonitorSelector:", code: "TMS1109", fix: upgrade,
		},
		"rule-labels": {
			values: fmt.Sprintf(labels, "ruleLabels"), raw: true, object: "release=other", selector: "ruleSelector:", code: "TMS1202", fix: upgrade,
		},
		"namespace-selector": {
			values: "{}", namespace: map[string]string{"monitoring": "off"}, object: "monitoring=off", selector: "podMonitorNamespaceSelector:", code: "TMS1110",
			fix: func(s *scenario, r helm.Release, _ string) {
				_, err := h.Cluster.Kubectl(s.Context(), "", "label", "namespace", r.Namespace, "monitoring-")
				s.must(err)
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, "trouble-"+name)
			namespace := s.namespace("", c.namespace)
			values := queueLease("resnet50", 3, 100000)
			release := s.install(4, namespace, "tms", values, c.values)
			s.eventually("the HPA has the reason FailedGetPodsMetric, as documented", func() (bool, string) {
				out, err := h.Cluster.Kubectl(s.Context(), "", "describe", "hpa", lease, "-n", namespace)
				if err != nil || !strings.Contains(out.Stdout, "FailedGetPodsMetric") {
					return false, out.Stdout
				}
				return true, "kubectl describe hpa"
			})
			out, err := h.Cluster.Kubectl(s.Context(), "", "get", "hpa", lease, "-n", namespace)
			s.must(err)
			if !strings.Contains(out.Stdout, "<unknown>/100k") {
				s.fatal("kubectl get hpa does not show <unknown>/100k:\n%s", out.Stdout)
			}
			s.step("the user sees %s", strings.Fields(out.Stdout[strings.Index(out.Stdout, "\n"):])[2])
			s.eventually("the two queries to Prometheus return the documented results", func() (bool, string) {
				raw, err := h.Prometheus.Query(s.Context(), fmt.Sprintf(`nv_inference_request_success{job="%s/%s"}`, namespace, lease))
				if err != nil {
					return false, err.Error()
				}
				recorded, err := h.Prometheus.Query(s.Context(), fmt.Sprintf(`%s{namespace=%q}`, queueMetric, namespace))
				return err == nil && (len(raw) > 0) == c.raw && len(recorded) == 0, fmt.Sprintf("%d series of Triton, %d recorded series (%v)", len(raw), len(recorded), err)
			})
			s.shows(namespace, c.object, c.selector)
			s.diagnoses([]string{c.code}, "resnet50", "-n", namespace)
			c.fix(s, release, values)
			s.reads(namespace, lease, queueMetric)
			s.diagnoses(nil, "resnet50", "-n", namespace)
		})
	}
}

func upgrade(s *scenario, r helm.Release, values string) {
	_, err := h.Helm(4).Upgrade(s.Context(), r, shortened, values)
	s.must(err)
	s.step("upgraded with the correct labels")
}

// shows runs the commands of the section "No Triton metrics" in a shell, as documented,
// and checks that their output contains the labels and the selector.
func (s *scenario) shows(namespace, object, selector string) {
	s.Helper()
	cmd := exec.CommandContext(s.Context(), h.Enter(), "sh", "-c", strings.ReplaceAll(`
kubectl get podmonitor,prometheusrule tms-resnet50 -n inference --show-labels
kubectl get namespace inference --show-labels
kubectl get prometheuses.monitoring.coreos.com -A -o yaml | grep -A4 -E '^ +(podMonitor|rule)(Namespace)?Selector:'
`, "inference", namespace))
	text, err := cmd.CombinedOutput()
	if err != nil {
		s.fatal("the documented commands fail: %v\n%s", err, text)
	}
	for _, want := range []string{object, selector} {
		if !strings.Contains(string(text), want) {
			s.fatal("the documented commands do not show %q:\n%s", want, text)
		}
	}
	s.step("the documented commands show %s and %s", object, selector)
}
