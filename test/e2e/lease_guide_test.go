//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestLeaseGuide runs every command of docs/lease-guide.md, in order, as a reader
// would: with kubectl, helm, tmsctl, grpcurl, curl and openssl, in a folder with the
// chart and the examples.
func TestLeaseGuide(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "lease-guide")
	s.sharedServer() // installs the CustomResourceDefinition; the guide's release takes it over
	s.namespaces = append(s.namespaces, "tms-system", "research")
	commands := s.commands("lease-guide.md")
	if len(commands) < 10 {
		s.fatal("the guide has %d blocks of commands", len(commands))
	}
	r := s.reader(map[string]string{"tmsctl": h.Tmsctl, "grpcurl": filepath.Join(h.Tools, "grpcurl")})
	s.pushServer()
	// Other servers manage other namespaces of this cluster, and another release owns the
	// CustomResourceDefinition. The wrapper of helm adds values and flags for that.
	extra := filepath.Join(r.folder, "extra.yaml")
	s.must(os.WriteFile(extra, []byte("server: {namespaces: [research]}\n"), 0o644))
	s.must(os.WriteFile(filepath.Join(r.bin, "helm"), []byte(fmt.Sprintf(`#!/bin/sh
case $1 in install|upgrade) exec %[1]s/helm4 "$@" -f %[2]s --take-ownership --force-conflicts;; esac
exec %[1]s/helm4 "$@"
`, h.Tools, extra)), 0o755))
	out := s.follow(r, commands)
	for _, want := range []string{"resnet50", "STATE_SERVING", "from-grpc", "tritonserver:26.07-py3", "points to lease green, and no longer to lease blue"} {
		if !strings.Contains(out, want) {
			s.fatal("no command printed %q:\n%s", want, out)
		}
	}
	s.eventually("its leases and their objects are deleted", func() (bool, string) {
		left, err := h.Cluster.Kubectl(s.Context(), "", "get", "tritonleases,deployments,services,pods,hpa", "-n", "research", "-o", "name")
		return err == nil && strings.TrimSpace(left.Stdout) == "", left.Stdout + left.Stderr
	})
}

// pushServer pushes the image that make image builds to the registry, as the values of
// examples/server.yaml name it.
func (s *scenario) pushServer() {
	s.Helper()
	root := filepath.Join("..", "..")
	text, err := os.ReadFile(filepath.Join(root, "examples", "server.yaml"))
	s.must(err)
	named := regexp.MustCompile(`(?m)^images:\n  server: (\S+)`).FindSubmatch(text)
	if named == nil {
		s.fatal("examples/server.yaml has no images.server")
	}
	s.must(h.Registry.Push(s.Context(), filepath.Join(root, "dist", "tms-server"), string(named[1])))
	s.step("pushed the image of tms-server as %s", named[1])
}
