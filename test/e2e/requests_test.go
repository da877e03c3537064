//go:build e2e

package e2e

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/triton-leases/tms/test/e2e/helm"
	"github.com/triton-leases/tms/test/e2e/requests"
	"github.com/triton-leases/tms/test/e2e/triton"
)

// served is the lease of the scenarios with real requests, and the name of its objects.
const served, servedObject = "resnet50", "tms-resnet50"

// servedLease returns values with a lease that is not autoscaled, with keys of its triton
// as YAML.
func servedLease(replicas int, keys string) string {
	return fmt.Sprintf(`
leases:
  %s:
    models: [{name: %s, uri: "s3://models/vision"}]
    triton: {replicas: %d, terminationGracePeriodSeconds: 35, %s}
`, served, served, replicas, keys)
}

// serve sets the service time of the requests of the lease. Each pod serves many at the
// same time, so no request waits.
func (s *scenario) serve(namespace string, service time.Duration) {
	s.Helper()
	h.Fleet.Change(namespace+"/"+servedObject, func(b *triton.Behavior) { b.Service, b.Instances, b.QueueSize = service, 1000, 0 })
}

// upgrade upgrades a release with helm upgrade --wait.
func (s *scenario) upgrade(release helm.Release, values ...string) {
	s.Helper()
	s.step("helm4 upgrade %s --wait", release.Name)
	_, err := h.Helm(4).Upgrade(s.Context(), release, append([]string{shortened}, values...)...)
	s.must(err)
}

// clusterIP returns the address of a port of the lease's Service.
func (s *scenario) clusterIP(namespace, port string) string {
	s.Helper()
	found := h.Network.Resolve(servedObject + "." + namespace + ".svc")
	if len(found) != 1 {
		s.fatal("the Service %s has the addresses %v", servedObject, found)
	}
	return found[0] + ":" + port
}

// hasPods waits until the lease has a number of pods, with all pods that terminate, and
// each runs an image ("" is any).
func (s *scenario) hasPods(namespace string, want int, image string) {
	s.Helper()
	s.eventually(fmt.Sprintf("%d pods exist", want), func() (bool, string) {
		pods, err := h.Cluster.Client.CoreV1().Pods(namespace).List(s.Context(), metav1.ListOptions{LabelSelector: "tms.triton-leases.dev/lease=" + served})
		if err != nil {
			return false, err.Error()
		}
		matches := 0
		for _, pod := range pods.Items {
			if (image == "" || pod.Spec.Containers[0].Image == image) && pod.Status.Phase == corev1.PodRunning {
				matches++
			}
		}
		return len(pods.Items) == want && matches == want, fmt.Sprintf("%d pods, %d match", len(pods.Items), matches)
	})
}

// answers waits until each of a number of pods has answered requests of a load, and drops
// the result so far.
func (s *scenario) answers(load *requests.Load, pods int) {
	s.Helper()
	seen := map[string]bool{}
	s.eventually(fmt.Sprintf("%d pods answer", pods), func() (bool, string) {
		r := load.Take()
		if len(r.Failures) > 0 {
			s.fatal("requests failed: %v", r)
		}
		for pod := range r.Pods {
			seen[pod] = true
		}
		return len(seen) == pods, r.String()
	})
}
