//go:build e2e

package e2e

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// allowed is the Triton image in the allowlist of the shared server.
const allowed = "nvcr.io/nvidia/tritonserver:26.07-py3"

// TestLeaseImages checks that a lease may use the administrator's image and the images of
// the allowlist, and no others.
func TestLeaseImages(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "lease-images")
	l := s.leases()
	image := func(lease string) string {
		s.Helper()
		d, err := h.Cluster.Client.AppsV1().Deployments(l.namespace).Get(s.Context(), objectName(lease), metav1.GetOptions{})
		s.must(err)
		return d.Spec.Template.Spec.Containers[0].Image
	}
	l.apply("default", "{"+vision+"}")
	l.serves("default")
	standard := image("default")
	for name, named := range map[string]string{"named": standard, "other": allowed} {
		l.apply(name, "{"+vision+`, image: "`+named+`"}`)
		l.serves(name)
		if got := image(name); got != named {
			s.fatal("%s runs %s, want %s", name, got, named)
		}
		s.step("%s runs %s", name, named)
	}
	const message = `is not allowed: it must be images.triton or in server.allowlist`
	for name, named := range map[string]string{
		"foreign": "example.com/miner:1", "untagged": "nvcr.io/nvidia/tritonserver", "longer": allowed + "x",
		"digest": allowed + "@sha256:0000000000000000000000000000000000000000000000000000000000000000",
	} {
		l.apply(name, "{"+vision+`, image: "`+named+`"}`)
		l.is(name, "Granted", metav1.ConditionFalse, "Refused", "spec.image: Forbidden", message)
		l.has(name, "")
	}
	l.patch("foreign", `{"image":"`+allowed+`"}`)
	l.serves("foreign")
}
