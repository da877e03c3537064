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

// TestServerAccepts checks that the real API server accepts the golden files and the
// rendered examples without a warning, with the operator's CustomResourceDefinitions and
// the restricted Pod Security Standard.
func TestServerAccepts(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "server-accepts")
	// The golden files are rendered for this namespace.
	const namespace = "inference"
	s.must(h.Cluster.Apply(s.Context(), restrictedNamespace(namespace, nil)))
	s.namespaces = append(s.namespaces, namespace)
	root := filepath.Join("..", "..")
	goldens, err := filepath.Glob(filepath.Join(root, "testdata", "golden", "*.yaml"))
	s.must(err)
	examples, err := filepath.Glob(filepath.Join(root, "examples", "*.yaml"))
	s.must(err)
	if len(goldens) == 0 || len(examples) == 0 {
		s.fatal("%d golden files, %d examples in %s", len(goldens), len(examples), root)
	}
	// kubectl refuses other namespaces if --namespace is set.
	own, others := s.TempDir(), s.TempDir()
	keep := func(name, manifests string) {
		if !strings.Contains(manifests, "kind:") {
			s.step("%s renders nothing", name)
			return
		}
		dir := own
		for _, in := range elsewhere.FindAllStringSubmatch(manifests, -1) {
			if in[1] != namespace {
				s.must(h.Cluster.Apply(s.Context(), restrictedNamespace(in[1], nil)))
				dir = others
			}
		}
		s.must(os.WriteFile(filepath.Join(dir, name), []byte(manifests), 0o600))
	}
	for _, file := range goldens {
		text, err := os.ReadFile(file)
		s.must(err)
		keep("golden-"+filepath.Base(file), installable(string(text)))
	}
	for _, file := range examples {
		if filepath.Base(file) == "lease.yaml" {
			continue // a TritonLease, not values
		}
		for _, version := range []int{3, 4} {
			text, err := h.Helm(version).Run(s.Context(), "template", "tms", h.Chart, "--namespace", namespace, "--values", file)
			s.must(err)
			keep(h.Helm(version).Name()+"-"+filepath.Base(file), text)
		}
	}
	s.accepts(own, "--namespace", namespace)
	s.accepts(others)
}

// elsewhere matches the namespaces of objects.
var elsewhere = regexp.MustCompile(`(?m)^  namespace: "?([a-z0-9-]+)"?$`)

// foreignKind matches objects of cert-manager, the Gateway API, KEDA and grafana-operator,
// which are not installed here. test/conform validates those of the first three against the
// schemas of their projects.
var foreignKind = regexp.MustCompile(`(?m)^kind: (Certificate|HTTPRoute|GRPCRoute|ScaledObject|GrafanaDashboard)$`)

// installable removes the objects of foreignKind.
func installable(manifests string) string {
	return strings.Join(slices.DeleteFunc(strings.Split(manifests, "\n---\n"), foreignKind.MatchString), "\n---\n")
}

// accepts applies the manifests in a folder with a dry run. Neither kubectl nor the scenario ends
// at a refusal, so that one run shows all of them.
func (s *scenario) accepts(folder string, args ...string) {
	s.Helper()
	out, err := h.Cluster.Kubectl(s.Context(), "", append(args, "apply", "--server-side", "--dry-run=server", "-f", folder)...)
	accepted := strings.Count(out.Stdout, "\n")
	s.step("%d objects accepted", accepted)
	switch {
	case err != nil:
		s.Errorf("refused: %v", err)
	case strings.TrimSpace(out.Stderr) != "":
		s.Errorf("accepted with a warning: %s", out.Stderr)
	case accepted == 0:
		s.Errorf("%s has no manifests", folder)
	}
}

// TestRestricted checks that the namespaces of the scenarios enforce the restricted Pod
// Security Standard.
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
