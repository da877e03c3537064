//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestUpgrade checks that an upgrade of a scaled-out lease to the chart in a registry keeps
// the number of replicas, and that an uninstall deletes everything.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	for _, version := range []int{3, 4} {
		t.Run(fmt.Sprintf("helm%d", version), func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, fmt.Sprintf("upgrade-helm%d", version))
			namespace := s.namespace("", nil)
			values := queueLease("resnet50", 3, 100000)
			release := s.install(version, namespace, "tms", values)
			const name = "tms-resnet50"
			s.record(fmt.Sprintf("helm%d upgrade while scaled out", version), namespace, name, queueMetric, 100000)
			_, err := h.Helm(version).Run(s.Context(), "test", "tms", "--namespace", namespace)
			s.must(err)
			s.step("helm%d test succeeded", version)
			s.reads(namespace, name, queueMetric)
			s.load(namespace+"/"+name, 300)
			s.becomes(namespace, name, 3)

			release.Chart, release.Flags = s.pushChart(version), []string{"--plain-http"}
			lowest := s.watchLowest(namespace, name)
			for _, change := range []string{
				"server: {autoscaling: {metrics: {queueTime: {threshold: {default: 90000}}}}}",
				"kubernetes: {customAnnotations: {example.com/rolled: \"yes\"}}", // replaces the pods
			} {
				_, err := h.Helm(version).Upgrade(s.Context(), release, shortened, values, change)
				s.must(err)
				s.step("helm%d upgrade done: %s", version, change)
			}
			s.stays(namespace, name, 3, 10*time.Second)
			if n := lowest(); n < 3 {
				s.fatal("the Deployment had %d wanted replicas in between", n)
			}

			s.must(h.Helm(version).Uninstall(s.Context(), release))
			s.eventually("nothing is left", func() (bool, string) {
				left, err := leftovers(s.Context(), namespace)
				return err == nil && left == "", fmt.Sprint(left, err)
			})
		})
	}
}

// pushChart packages the chart with a version of helm, pushes it to the registry, and returns
// its address.
func (s *scenario) pushChart(version int) string {
	s.Helper()
	folder, repository := s.TempDir(), fmt.Sprintf("oci://%s/helm%d", h.Registry.Address, version)
	_, err := h.Helm(version).Run(s.Context(), "package", h.Chart, "--destination", folder)
	s.must(err)
	packages, err := filepath.Glob(filepath.Join(folder, "tms-*.tgz"))
	s.must(err)
	if len(packages) != 1 {
		s.fatal("helm packaged %q", packages)
	}
	_, err = h.Helm(version).Run(s.Context(), "push", packages[0], repository, "--plain-http")
	s.must(err)
	s.step("helm%d pushed %s to %s", version, filepath.Base(packages[0]), repository)
	return repository + "/tms"
}

// watchLowest watches the wanted replicas of a Deployment. The returned function stops
// the watch and returns the lowest number.
func (s *scenario) watchLowest(namespace, name string) func() int {
	ctx, cancel := context.WithCancel(s.Context())
	lowest := make(chan int)
	go func() {
		least := 1 << 30
		for ctx.Err() == nil {
			if wanted, _, err := size(ctx, namespace, name); err == nil {
				least = min(least, wanted)
			}
			time.Sleep(100 * time.Millisecond)
		}
		lowest <- least
	}()
	return func() int {
		cancel()
		return <-lowest
	}
}

// leftovers returns all objects of a namespace, except for those that Kubernetes creates.
func leftovers(ctx context.Context, namespace string) (string, error) {
	kinds, err := h.Cluster.Kubectl(ctx, "", "api-resources", "--verbs=list", "--namespaced", "-o", "name")
	if err != nil {
		return "", err
	}
	var names []string
	for _, kind := range strings.Fields(kinds.Stdout) {
		// Metrics are not stored objects, and events expire after an hour.
		if !strings.HasSuffix(kind, "metrics.k8s.io") && kind != "events" && kind != "events.events.k8s.io" {
			names = append(names, kind)
		}
	}
	out, err := h.Cluster.Kubectl(ctx, "", "get", strings.Join(names, ","), "-n", namespace, "-o", "name", "--ignore-not-found")
	if err != nil {
		return "", err
	}
	var left []string
	for _, object := range strings.Fields(out.Stdout) {
		if object != "configmap/kube-root-ca.crt" && object != "serviceaccount/default" {
			left = append(left, object)
		}
	}
	return strings.Join(left, " "), nil
}
