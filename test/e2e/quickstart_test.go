//go:build e2e

package e2e

import (
	"slices"
	"strings"
	"testing"
)

// TestQuickstart runs every command of docs/quickstart.md, in order, in a folder with the
// chart and the examples, except those of kind: the cluster exists. The namespace enforces
// the restricted Pod Security Standard. Triton is simulated: it reads the model from the
// ConfigMap, and fails if the real one would.
func TestQuickstart(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "quickstart")
	const namespace = "tms"
	s.must(h.Cluster.Apply(s.Context(), restrictedNamespace(namespace, nil)))
	s.namespaces = append(s.namespaces, namespace)
	commands := s.commands("quickstart.md")
	all := len(commands)
	commands = slices.DeleteFunc(commands, func(c command) bool { return strings.HasPrefix(c.text, "kind ") })
	if len(commands) < 5 || all-len(commands) != 2 {
		s.fatal("the guide has %d blocks of commands, %d of them of kind", all, all-len(commands))
	}
	s.follow(s.reader(nil), commands)
	s.eventually("nothing is left", func() (bool, string) {
		left, err := h.Cluster.Kubectl(s.Context(), "", "get", "deployments,services,pods,hpa,configmaps", "-n", namespace,
			"--field-selector", "metadata.name!=kube-root-ca.crt", "-o", "name")
		return err == nil && strings.TrimSpace(left.Stdout) == "", left.Stdout + left.Stderr
	})
}
