//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/triton-leases/tms/test/e2e/triton"
)

// diagnosis is what tmsctl doctor finds.
type diagnosis struct {
	// codes are those of all problems, and skipped the texts of the checks that were skipped.
	codes, skipped []string
	status         int
	text           string
}

// doctor runs tmsctl doctor.
func (s *scenario) doctor(kubeconfig string, args ...string) diagnosis {
	s.Helper()
	cmd := exec.CommandContext(s.Context(), h.Tmsctl, append([]string{"doctor", "--kubeconfig", kubeconfig, "-o", "json"}, args...)...)
	var out, failed bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &failed
	cmd.Env = []string{"HOME=" + h.Dir}
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.must(err)
	}
	var report struct {
		Sections []struct {
			Results []struct{ Status, Code, Message string }
		}
	}
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		s.fatal("tmsctl doctor %v: %v: %s%s", args, err, out.String(), failed.String())
	}
	d := diagnosis{status: cmd.ProcessState.ExitCode(), text: out.String()}
	for _, section := range report.Sections {
		for _, result := range section.Results {
			switch {
			case result.Code != "":
				d.codes = append(d.codes, result.Code)
			case result.Status == "skipped":
				d.skipped = append(d.skipped, result.Message)
			}
		}
	}
	return d
}

// diagnoses checks that tmsctl doctor finds exactly the problems with these codes, and exits
// with the status for that.
func (s *scenario) diagnoses(codes []string, args ...string) {
	s.Helper()
	d := s.doctor(h.Cluster.Kubeconfig, args...)
	if !slices.Equal(d.codes, codes) || d.status != min(len(codes), 1) {
		s.fatal("tmsctl doctor %v finds %v with status %d, not %v:\n%s", args, d.codes, d.status, codes, d.text)
	}
	s.step("tmsctl doctor finds %v", codes)
}

// comesToDiagnose waits until tmsctl doctor finds exactly the problems with these codes.
func (s *scenario) comesToDiagnose(codes []string, args ...string) {
	s.Helper()
	s.eventually(fmt.Sprintf("tmsctl doctor finds %v", codes), func() (bool, string) {
		d := s.doctor(h.Cluster.Kubeconfig, args...)
		return slices.Equal(d.codes, codes) && d.status == min(len(codes), 1), fmt.Sprint(d.codes, d.skipped)
	})
}

// TestDoctor checks a rule that the operator rejects, and a user with few rights.
func TestDoctor(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "doctor")
	namespace := s.namespace("", nil)
	release := s.install(3, namespace, "tms", queueLease("resnet50", 3, 100000))
	s.reads(namespace, "tms-resnet50", queueMetric)
	s.diagnoses(nil, "resnet50", "-n", namespace)
	s.diagnoses([]string{"TMS1101"}, "absent", "-n", namespace)

	s.step("a user edits the rule so that it does not parse")
	_, err := h.Cluster.Kubectl(s.Context(), "", "patch", "prometheusrule", "tms-resnet50", "-n", namespace, "--type=json",
		"-p", `[{"op": "replace", "path": "/spec/groups/0/rules/0/expr", "value": "sum("}]`)
	s.must(err)
	s.comesToDiagnose([]string{"TMS1204"}, "resnet50", "-n", namespace)
	// Helm 3 does not restore an object that a user edited, but creates one that is missing.
	_, err = h.Cluster.Kubectl(s.Context(), "", "delete", "prometheusrule", "tms-resnet50", "-n", namespace)
	s.must(err)
	s.diagnoses([]string{"TMS1201"}, "resnet50", "-n", namespace)
	upgrade(s, release, queueLease("resnet50", 3, 100000))
	s.comesToDiagnose(nil, "resnet50", "-n", namespace)

	stranger := s.kubeconfig(namespace, "stranger")
	if d := s.doctor(stranger, "-n", namespace); d.status != 0 || len(d.codes) > 0 ||
		!slices.Contains(d.skipped, "you may not list horizontalpodautoscalers.autoscaling in namespace "+namespace) {
		s.fatal("without rights, tmsctl doctor says: %s", d.text)
	}
	viewer := s.kubeconfig(namespace, "viewer")
	_, err = h.Cluster.Kubectl(s.Context(), "", "create", "rolebinding", "viewer", "-n", namespace, "--clusterrole=view", "--serviceaccount="+namespace+":viewer")
	s.must(err)
	d := s.doctor(viewer, "resnet50", "-n", namespace)
	if d.status != 0 || len(d.codes) > 0 || !slices.Contains(d.skipped, "the cluster has a Prometheus: you may not list prometheuses.monitoring.coreos.com in all namespaces") {
		s.fatal("with the role view, tmsctl doctor says: %s", d.text)
	}
	s.step("with the role view, tmsctl doctor skips: %s", strings.Join(d.skipped, "; "))
}

// TestDoctorGPU checks a Triton that does not measure its GPU.
func TestDoctorGPU(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "doctor-gpu")
	namespace := s.namespace("", nil)
	h.Fleet.Change(namespace+"/"+llm, func(b *triton.Behavior) { b.GPU = nil })
	s.install(4, namespace, "tms", metricLease(3, "{gpuUtilization: {enabled: true}}"))
	s.comesToDiagnose([]string{"TMS1208"}, "llm", "-n", namespace)
	h.Fleet.Change(namespace+"/"+llm, func(b *triton.Behavior) { b.GPU = []float64{0.5, 0.5} })
	s.comesToDiagnose(nil, "llm", "-n", namespace)
}

// TestDoctorInstall checks a cluster before an install: with labels that Prometheus selects,
// with others, in a namespace that Prometheus does not read, and for a user without rights.
func TestDoctorInstall(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "doctor-install")
	namespace := s.namespace("", nil)
	hidden := s.namespace("-hidden", map[string]string{"monitoring": "off"})
	file := func(name, text string) string {
		path := filepath.Join(s.TempDir(), name)
		s.must(os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	values, other := file("values.yaml", queueLease("resnet50", 3, 100000)), file("other.yaml", "server: {autoscaling: {prometheus: {podMonitorLabels: {release: other}, ruleLabels: {release: other}}}}")
	s.diagnoses(nil, "--pre", "-n", namespace)
	s.diagnoses(nil, "--pre", "-n", namespace, "-f", file("shortened.yaml", shortened), "-f", values)
	s.diagnoses(nil, "--pre", "-n", "e2e-doctor-absent", "-f", values)
	enabled := file("enabled.yaml", "server: {autoscaling: {enable: true}}")
	s.diagnoses([]string{"TMS1401", "TMS1402"}, "--pre", "-n", namespace, "-f", enabled, "-f", values, "-f", other)
	s.diagnoses([]string{"TMS1403"}, "--pre", "-n", hidden, "-f", enabled, "-f", values)
	s.diagnoses([]string{"TMS1405"}, "--pre", "-n", namespace, "-f", values, "-f", file("routes.yaml", "routes: {parentRefs: [{name: public}], domain: example.com}"))
	if d := s.doctor(s.kubeconfig(namespace, "stranger"), "--pre", "-n", namespace, "-f", values); d.status != 1 || !slices.Equal(d.codes, []string{"TMS1404"}) {
		s.fatal("without rights, tmsctl doctor --pre says: %s", d.text)
	}
}

// TestDoctorFaults stops the components of the control loop. It does not run in parallel,
// because the faults affect every lease of the cluster.
func TestDoctorFaults(t *testing.T) {
	s := newScenario(t, "doctor-faults")
	namespace := s.namespace("", nil)
	s.install(3, namespace, "tms", queueLease("resnet50", 3, 100000), "server: {autoscaling: {metrics: {cpuUtilization: {enabled: true}}}}")
	s.comesToDiagnose(nil, "resnet50", "-n", namespace)
	for _, fault := range []struct{ namespace, deployment, code string }{
		{"monitoring", "prometheus-adapter", "TMS1007"},
		{"kube-system", "metrics-server", "TMS1009"},
		{"monitoring", "prometheus-operator", "TMS1003"},
	} {
		s.step("stop %s", fault.deployment)
		scale := func(replicas int) {
			_, err := h.Cluster.Kubectl(s.Context(), "", "scale", "deployment", fault.deployment, "-n", fault.namespace, fmt.Sprintf("--replicas=%d", replicas))
			s.must(err)
		}
		scale(0)
		s.comesToDiagnose([]string{fault.code}, "resnet50", "-n", namespace)
		scale(1)
		s.diagnoses(nil, "resnet50", "-n", namespace, "--wait", "3m")
	}
}

// kubeconfig creates a service account without rights, and returns a kubeconfig file with its
// token.
func (s *scenario) kubeconfig(namespace, name string) string {
	s.Helper()
	_, err := h.Cluster.Kubectl(s.Context(), "", "create", "serviceaccount", name, "-n", namespace)
	s.must(err)
	token, err := h.Cluster.Kubectl(s.Context(), "", "create", "token", name, "-n", namespace)
	s.must(err)
	config, err := clientcmd.LoadFromFile(h.Cluster.Kubeconfig)
	s.must(err)
	for _, context := range config.Contexts {
		config.AuthInfos[context.AuthInfo] = &clientcmdapi.AuthInfo{Token: strings.TrimSpace(token.Stdout)}
	}
	path := filepath.Join(s.TempDir(), "kubeconfig")
	s.must(clientcmd.WriteToFile(*config, path))
	return path
}
