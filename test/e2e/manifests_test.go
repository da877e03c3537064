//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestServerAccepts holds everything that the goldens and examples render against
// the real API server, with the operator's CustomResourceDefinitions and the
// restricted Pod Security Standard: all of it is accepted, without a warning.
func TestServerAccepts(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "server-side-truth")
	// The goldens are rendered for this namespace.
	const namespace = "inference"
	s.must(h.Cluster.Apply(s.Context(), restrictedNamespace(namespace, nil)))
	s.namespaces = append(s.namespaces, namespace)
	root := filepath.Join("..", "..")
	goldens, err := filepath.Glob(filepath.Join(root, "testdata", "golden", "*.yaml"))
	s.must(err)
	examples, err := filepath.Glob(filepath.Join(root, "examples", "*.yaml"))
	s.must(err)
	if len(goldens) == 0 || len(examples) == 0 {
		s.fatal("%d goldens, %d examples in %s", len(goldens), len(examples), root)
	}
	for _, file := range goldens {
		text, err := os.ReadFile(file)
		s.must(err)
		for _, other := range elsewhere.FindAllStringSubmatch(string(text), -1) {
			s.must(h.Cluster.Apply(s.Context(), restrictedNamespace(other[1], nil)))
		}
		s.accepts(namespace, "golden "+filepath.Base(file), withoutCertificates(string(text)))
	}
	for _, file := range examples {
		if filepath.Base(file) == "lease.yaml" {
			continue // a TritonLease, not values
		}
		for _, version := range []int{3, 4} {
			text, err := h.Helm(version).Run(s.Context(), "template", "tms", h.Chart, "--namespace", namespace, "--values", file)
			s.must(err)
			s.accepts(namespace, "example "+filepath.Base(file)+" by "+h.Helm(version).Name(), text)
		}
	}
}

// elsewhere are the namespaces that an object stands in.
var elsewhere = regexp.MustCompile(`(?m)^  namespace: "?([a-z0-9-]+)"?$`)

// withoutCertificates leaves out what only a cluster with cert-manager knows.
// kubeconform holds it against the schema of that.
func withoutCertificates(manifests string) string {
	documents := strings.Split(manifests, "\n---\n")
	return strings.Join(slices.DeleteFunc(documents, func(document string) bool {
		return strings.Contains(document, "\nkind: Certificate\n")
	}), "\n---\n")
}

// accepts applies manifests without keeping them. Failures do not end the
// scenario, so that all of them are seen at once.
func (s *scenario) accepts(namespace, what, manifests string) {
	if !strings.Contains(manifests, "kind:") {
		s.step("%s renders nothing", what)
		return
	}
	args := []string{"apply", "--server-side", "--dry-run=server", "-f", "-"}
	for _, in := range elsewhere.FindAllStringSubmatch(manifests, -1) {
		if in[1] != namespace { // which kubectl does not take beside a namespace that it is told
			namespace = ""
		}
	}
	if namespace != "" {
		args = append(args, "--namespace", namespace)
	}
	out, err := h.Cluster.Kubectl(s.Context(), manifests, args...)
	switch {
	case err != nil:
		s.step("FAILED: %s: %v", what, err)
		s.Errorf("%s is refused: %v", what, err)
	case strings.TrimSpace(out.Stderr) != "":
		s.step("FAILED: %s: %s", what, out.Stderr)
		s.Errorf("%s is accepted with a warning: %s", what, out.Stderr)
	default:
		s.step("%s: %d objects accepted", what, strings.Count(out.Stdout, "\n"))
	}
}

// TestRestricted makes sure that the namespaces of the other scenarios do refuse.
func TestRestricted(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "restricted")
	namespace := s.namespace("", nil)
	_, err := h.Cluster.Kubectl(s.Context(), "{apiVersion: v1, kind: Pod, metadata: {name: bad}, spec: {containers: [{name: a, image: a}]}}",
		"apply", "--server-side", "--dry-run=server", "--namespace", namespace, "-f", "-")
	if err == nil || !strings.Contains(err.Error(), "violates PodSecurity") {
		s.fatal("a pod without a security context: %v", err)
	}
}
