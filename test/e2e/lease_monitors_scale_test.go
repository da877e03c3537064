//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/triton-leases/tms/test/e2e/helm"
	"github.com/triton-leases/tms/test/e2e/monitoring"
)

// configuredPrometheus is what the Prometheus Operator makes of a Prometheus.
type configuredPrometheus struct {
	// generation is that of the StatefulSet. A new generation replaces the pods.
	generation int64
	// configuration is the resourceVersion of the Secret, and rules are those of the
	// ConfigMaps with the rules.
	configuration string
	rules         map[string]string
	// files are the sizes of the rule files.
	files []int
}

func (p configuredPrometheus) String() string {
	total := 0
	for _, size := range p.files {
		total += size
	}
	return fmt.Sprintf("generation %d, configuration %s, %d rule files with %d bytes in %v", p.generation, p.configuration, len(p.files), total, p.rules)
}

// equal reports whether the operator wrote nothing between two observations.
func (p configuredPrometheus) equal(other configuredPrometheus) bool {
	return p.generation == other.generation && p.configuration == other.configuration && maps.Equal(p.rules, other.rules)
}

// configuredPrometheus returns the state of the Prometheus monitoring/scale.
func (l *leases) configuredPrometheus() (p configuredPrometheus, err error) {
	set, err := l.cluster.Client.AppsV1().StatefulSets("monitoring").Get(l.Context(), "prometheus-scale", metav1.GetOptions{})
	if err != nil {
		return p, err
	}
	secret, err := l.cluster.Client.CoreV1().Secrets("monitoring").Get(l.Context(), "prometheus-scale", metav1.GetOptions{})
	if err != nil {
		return p, err
	}
	list, err := l.cluster.Client.CoreV1().ConfigMaps("monitoring").List(l.Context(), metav1.ListOptions{LabelSelector: "prometheus-name=scale"})
	if err != nil {
		return p, err
	}
	p = configuredPrometheus{generation: set.Generation, configuration: secret.ResourceVersion, rules: map[string]string{}}
	for _, m := range list.Items {
		p.rules[m.Name] = m.ResourceVersion
		for _, text := range m.Data {
			p.files = append(p.files, len(text))
		}
	}
	return p, nil
}

// TestLeaseMonitorsScale checks that hundreds of leases with shared monitoring do not
// change the configuration of Prometheus. With own monitors, they add ConfigMaps of rules,
// and each of these restarts Prometheus. The test has its own control plane, without a node:
// hundreds of HorizontalPodAutoscalers would delay those of other scenarios.
func TestLeaseMonitorsScale(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "lease-monitors-scale")
	other, err := h.Other(s.Context(), s.name)
	s.must(err)
	s.Cleanup(other.Stop)
	const home, namespace, many = "tms-home", "team", 450
	for _, name := range []string{home, namespace, "monitoring"} {
		s.must(other.Apply(s.Context(), restrictedNamespace(name, nil)))
	}
	kinds, err := monitoring.CustomResourceDefinitions(h.Bins)
	s.must(err)
	s.must(other.Apply(s.Context(), kinds))
	_, err = other.Kubectl(s.Context(), "", "wait", "--for=condition=Established", "--timeout=120s", "crd", "--all")
	s.must(err)
	s.must(other.Apply(s.Context(), `
apiVersion: monitoring.coreos.com/v1
kind: Prometheus
metadata: {name: scale, namespace: monitoring}
spec:
  podMonitorSelector: &selector {matchLabels: {release: prometheus}}
  ruleSelector: *selector
  podMonitorNamespaceSelector: {}
  ruleNamespaceSelector: {}
`))
	operator, err := monitoring.OperatorProcess(other, h.Bins, s.name+"-operator", other.Loopback()+":8082")
	s.must(err)
	running, err := h.Run(operator)
	s.must(err)
	s.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		running.Stop(ctx)
	})

	release := helm.Release{Name: "tms", Namespace: home, Chart: h.Chart, Flags: []string{"--wait=false"}}
	tool := h.Helm(3)
	tool.Kubeconfig = other.Kubeconfig
	values := []string{shortened, serverValues, monitors(""), "server: {metrics: {enabled: false}, replicas: 0}"}
	_, err = tool.Install(s.Context(), release, values...)
	s.must(err)
	l := s.leasesIn(&server{cluster: other, release: release, account: home + ":tms-server"}, namespace)
	config := s.startServer(other, l.server)

	l.apply("first", scaled(3))
	l.is("first", "Granted", metav1.ConditionTrue, "Granted")
	var before configuredPrometheus
	s.eventually("the rules of the first lease are in a ConfigMap", func() (bool, string) {
		before, err = l.configuredPrometheus()
		return err == nil && len(before.files) == 1, fmt.Sprint(before, err)
	})
	s.settles(l, &before)
	var manifests strings.Builder
	for i := range many - 1 {
		_, _ = fmt.Fprintf(&manifests, "---\n{apiVersion: tms.triton-leases.dev/v1alpha1, kind: TritonLease, metadata: {name: lease-%03d, namespace: %s}, spec: %s}\n",
			i, namespace, scaled(3))
	}
	_, err = other.Kubectl(s.Context(), manifests.String(), "create", "-f", "-")
	s.must(err)
	s.eventually(fmt.Sprintf("%d leases are granted", many), func() (bool, string) {
		granted, err := l.granted()
		return err == nil && granted == many, fmt.Sprint(granted, err)
	})
	s.consistently("the configuration of Prometheus does not change", 10*time.Second, func() (bool, string) {
		now, err := l.configuredPrometheus()
		return err == nil && now.equal(before), fmt.Sprintf("%v, before: %v (%v)", now, before, err)
	})

	s.step("each lease gets its own monitors, too")
	_, err = tool.Upgrade(s.Context(), release, append(values, monitors("both"))...)
	s.must(err)
	s.writeConfiguration(l.server, config)
	var after configuredPrometheus
	s.eventually("the rules of all leases are in more ConfigMaps, and the StatefulSet changes", func() (bool, string) {
		after, err = l.configuredPrometheus()
		return err == nil && len(after.files) == many+1 && len(after.rules) > len(before.rules) && after.generation > before.generation, fmt.Sprint(after, err)
	})
	own := slices.Max(slices.DeleteFunc(slices.Clone(after.files), func(size int) bool { return slices.Contains(before.files, size) }))
	s.step("the rules of a lease have at most %d bytes, so a ConfigMap of 512 KiB holds those of %d leases; %d leases need %d ConfigMaps",
		own, (512<<10)/own, many, len(after.rules))
}

// settles waits until the operator writes nothing for ten seconds.
func (s *scenario) settles(l *leases, p *configuredPrometheus) {
	s.Helper()
	s.eventually("the configuration of Prometheus does not change for 10 s", func() (bool, string) {
		s.pause(10 * time.Second)
		now, err := l.configuredPrometheus()
		same := err == nil && now.equal(*p)
		*p = now
		return same, fmt.Sprint(now, err)
	})
}

// granted returns the number of granted leases in the namespace.
func (l *leases) granted() (n int, err error) {
	var list struct{ Items []tritonLease }
	err = l.read(l.Context(), "/apis/tms.triton-leases.dev/v1alpha1/namespaces/"+l.namespace+"/tritonleases", &list)
	for _, lease := range list.Items {
		if lease.condition("Granted").Status == metav1.ConditionTrue {
			n++
		}
	}
	return n, err
}
