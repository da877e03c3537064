//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/triton-leases/tms/test/e2e/cluster"
	"github.com/triton-leases/tms/test/e2e/helm"
	"github.com/triton-leases/tms/test/e2e/process"
)

// TestLeaseBare checks that leases without autoscaling run in a cluster without the
// Prometheus Operator. A lease with autoscaling reports the missing kinds, and scales
// once they are installed. The test has its own control plane, without a node. The
// server there manages all namespaces, with the rights that the chart grants for that.
func TestLeaseBare(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "lease-bare")
	bare, err := h.Other(s.Context(), "bare")
	s.must(err)
	s.Cleanup(bare.Stop)
	s.step("the other control plane is ready")
	const home, namespace = "tms-home", "team"
	for _, name := range []string{home, namespace} {
		s.must(bare.Apply(s.Context(), restrictedNamespace(name, nil)))
	}
	missing := []string{"TMS1001", "TMS1006", "TMS1008", "TMS1010"} // operator, adapter, metrics-server, kube-state-metrics
	if d := s.doctor(bare.Kubeconfig, "--pre", "-n", namespace); d.status != 1 || !slices.Equal(d.codes, missing) {
		s.fatal("before the install, tmsctl doctor --pre says: %s", d.text)
	}
	s.step("before the install, tmsctl doctor --pre finds %v", missing)
	release := helm.Release{Name: "tms", Namespace: home, Chart: h.Chart, Flags: []string{"--wait=false"}}
	tool := h.Helm(3)
	tool.Kubeconfig = bare.Kubeconfig
	_, err = tool.Install(s.Context(), release, shortened, serverValues, "server: {metrics: {enabled: false}, replicas: 0}")
	s.must(err)
	l := s.leasesIn(&server{cluster: bare, release: release, account: home + ":tms-server"}, namespace)
	s.startServer(bare, l.server)

	l.apply("plain", "{"+vision+"}")
	l.is("plain", "Granted", metav1.ConditionTrue, "Granted")
	l.is("plain", "Ready", metav1.ConditionFalse, "Starting")
	l.is("plain", "Autoscaling", metav1.ConditionFalse, "NotAsked")
	l.apply("scaled", scaled(3))
	l.is("scaled", "Granted", metav1.ConditionTrue, "Granted")
	l.is("scaled", "Autoscaling", metav1.ConditionFalse, "KindsMissing", "PodMonitor", "PrometheusRule", "install the Prometheus Operator")
	for _, name := range []string{"plain", "scaled"} {
		l.fakeReadiness(name)
		l.serves(name)
	}
	objects, err := l.all(s.Context())
	if err == nil {
		s.fatal("the kinds of the Prometheus Operator are installed: %s", kindsOf(objects))
	}
	l.quiet(10 * time.Second)

	bundle, err := os.ReadFile(filepath.Join(h.Bins, "bundle.yaml"))
	s.must(err)
	for part := range strings.SplitSeq(string(bundle), "\n---\n") {
		if strings.Contains(part, "name: podmonitors.monitoring.coreos.com") || strings.Contains(part, "name: prometheusrules.monitoring.coreos.com") {
			s.must(bare.Apply(s.Context(), part))
		}
	}
	s.step("installed the kinds of the Prometheus Operator")
	l.has("scaled", scaledKinds)
	l.has("plain", plainKinds)
	// There is no custom metrics API. The HorizontalPodAutoscaler reports that.
	l.is("scaled", "Autoscaling", metav1.ConditionFalse, "FailedGetPodsMetric")
	l.serves("scaled")
	l.delete("scaled")
	l.gone("scaled")
}

// startServer runs tms-server as a process, with the token of its service account
// and the configuration of its release. It returns the file of the configuration.
func (s *scenario) startServer(c *cluster.Cluster, v *server) (config string) {
	s.Helper()
	dir := s.TempDir()
	namespace, account, _ := strings.Cut(v.account, ":")
	token, err := c.Kubectl(s.Context(), "", "create", "token", account, "-n", namespace)
	s.must(err)
	admin, err := os.ReadFile(c.Kubeconfig)
	s.must(err)
	users := strings.Index(string(admin), "users:")
	contexts := strings.Index(string(admin), "contexts:")
	kubeconfig := filepath.Join(dir, "kubeconfig")
	s.must(os.WriteFile(kubeconfig, []byte(string(admin[:users])+
		fmt.Sprintf("users: [{name: admin, user: {token: %s}}]\n", strings.TrimSpace(token.Stdout))+string(admin[contexts:])), 0o600))
	config = filepath.Join(dir, "values.yaml")
	s.writeConfiguration(v, config)
	p, err := h.Run(process.Spec{Name: s.name + "-server", Argv: []string{
		h.ServerBinary(), "--config=" + config, "--release-name=" + v.release.Name, "--kubeconfig=" + kubeconfig,
		"--leader-elect", "--leader-elect-namespace=" + namespace, "--metrics-bind-address=" + c.Loopback() + ":8080", "--health-probe-bind-address=" + c.Loopback() + ":8081",
	}})
	s.must(err)
	s.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		p.Stop(ctx)
		if !s.Failed() && p.ExitCode() != 0 {
			s.Errorf("the server exited with %d", p.ExitCode())
		}
	})
	return config
}

// writeConfiguration writes the configuration of a release into the file of its server.
func (s *scenario) writeConfiguration(v *server, file string) {
	s.Helper()
	m, err := v.cluster.Client.CoreV1().ConfigMaps(v.release.Namespace).Get(s.Context(), configurationMap, metav1.GetOptions{})
	s.must(err)
	s.must(os.WriteFile(file+".new", []byte(m.Data["values.yaml"]), 0o600))
	s.must(os.Rename(file+".new", file))
}

// fakeReadiness sets the status of a lease's pods to ready: there is no node that runs
// them.
func (l *leases) fakeReadiness(name string) {
	l.Helper()
	l.eventually(name+" has a pod", func() (bool, string) {
		pods, err := l.pods(name)
		for _, pod := range pods {
			pod.Status.Phase = corev1.PodRunning
			pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now()}}
			_, err = l.cluster.Client.CoreV1().Pods(l.namespace).UpdateStatus(l.Context(), &pod, metav1.UpdateOptions{})
		}
		return err == nil && len(pods) > 0, fmt.Sprint(len(pods), err)
	})
}
