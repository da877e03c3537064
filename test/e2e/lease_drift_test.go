//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestLeaseDrift checks that tms-server reverts changes of the fields that it applies,
// and leaves the fields that others add.
func TestLeaseDrift(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "lease-drift")
	l := s.leases()
	const name = "resnet50"
	object := objectName(name)
	l.apply(name, scaled(3))
	l.has(name, scaledKinds)
	l.serves(name)
	kubectl := func(args ...string) {
		s.Helper()
		_, err := h.Cluster.Kubectl(s.Context(), "", append(args, "-n", l.namespace)...)
		s.must(err)
		s.step("kubectl %v", args)
	}

	s.step("fields that others add")
	for _, kind := range []string{"deployment", "service", "hpa", "podmonitor"} {
		kubectl("annotate", kind, object, "example.com/mine=yes")
		kubectl("label", kind, object, "example.com/mine=yes")
	}
	kubectl("patch", "service", object, "--type=merge", "-p", `{"spec":{"sessionAffinity":"ClientIP"}}`)

	s.step("fields that others change")
	kubectl("patch", "hpa", object, "--type=merge", "-p", `{"spec":{"maxReplicas":99}}`)
	s.eventually("the maximum is 3 again", func() (bool, string) {
		a, summary := hpa(s.Context(), l.namespace, object)
		return a.Spec.MaxReplicas == 3, summary
	})
	l.hasEvent(name, "Corrected", "HorizontalPodAutoscaler "+object)

	kubectl("set", "image", "deployment/"+object, "triton=example.com/other:1")
	s.eventually("the image is Triton's again", func() (bool, string) {
		d, err := h.Cluster.Client.AppsV1().Deployments(l.namespace).Get(s.Context(), object, metav1.GetOptions{})
		s.must(err)
		image := d.Spec.Template.Spec.Containers[0].Image
		return image != "example.com/other:1", image
	})
	l.hasEvent(name, "Corrected", "Deployment "+object)
	l.serves(name)

	for _, kind := range []string{"service", "poddisruptionbudget", "prometheusrule"} {
		kubectl("delete", kind, object)
		l.has(name, scaledKinds)
	}
	for _, kind := range []string{"service", "deployment", "podmonitor"} {
		kubectl("label", kind, object, "app.kubernetes.io/managed-by-")
		l.has(name, scaledKinds)
		kubectl("label", kind, object, "app.kubernetes.io/managed-by=me", "--overwrite")
		l.has(name, scaledKinds)
		kubectl("label", kind, object, "tms.triton-leases.dev/lease=other", "--overwrite")
		l.has(name, scaledKinds)
		kubectl("patch", kind, object, "--type=merge", "-p", `{"metadata":{"ownerReferences":null}}`)
		l.has(name, scaledKinds)
	}
	l.serves(name)

	for _, kind := range []string{"deployment", "hpa", "podmonitor"} {
		out, err := h.Cluster.Kubectl(s.Context(), "", "get", kind, object, "-n", l.namespace, "-o",
			`jsonpath={.metadata.annotations.example\.com/mine}{.metadata.labels.example\.com/mine}`)
		s.must(err)
		if out.Stdout != "yesyes" {
			s.fatal("the additions to the %s are gone: %q", kind, out.Stdout)
		}
	}
	s.step("the fields that others added are unchanged")
	kubectl("delete", "hpa", object)
	l.has(name, scaledKinds)
	l.quiet(10 * time.Second)
	l.counted("app.kubernetes.io/managed-by=tms-server", len(strings.Fields(scaledKinds)))
}

// counted checks how many objects of the kinds of leases have a label.
func (l *leases) counted(label string, want int) {
	l.Helper()
	objects, err := l.all(l.Context())
	l.must(err)
	if len(objects) != want {
		l.fatal("%d objects have %s: %s", len(objects), label, kindsOf(objects))
	}
	l.step("%s", fmt.Sprintf("%d objects have %s", want, label))
}
