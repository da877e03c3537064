//go:build e2e

package e2e

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// allowed is an image of Triton that leases may name beside the default.
const allowed = "nvcr.io/nvidia/tritonserver:26.07-py3"

// TestLeaseImages: a lease has the administrator's image, or one of the allowlist.
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
			s.fatal("%s runs %s, and not %s", name, got, named)
		}
		s.step("%s runs %s", name, named)
	}
	const message = `is neither images.triton nor among server.allowlist`
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
