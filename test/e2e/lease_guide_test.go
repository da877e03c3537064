//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// console matches the commands of a document.
var console = regexp.MustCompile("(?ms)^```console\n(.*?)^```$")

// TestLeaseGuide runs every command of docs/lease-guide.md, in order, as a reader
// would: with kubectl, helm, tmsctl, grpcurl, curl and openssl, in a folder with the
// chart and the examples.
func TestLeaseGuide(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "lease-guide")
	s.sharedServer() // installs the CustomResourceDefinition; the guide's release takes it over
	s.namespaces = append(s.namespaces, "tms-system", "research")
	root, err := filepath.Abs(filepath.Join("..", ".."))
	s.must(err)
	text, err := os.ReadFile(filepath.Join(root, "docs", "lease-guide.md"))
	s.must(err)
	blocks := console.FindAllStringSubmatch(string(text), -1)
	if len(blocks) < 10 {
		s.fatal("the guide has %d blocks of commands", len(blocks))
	}
	folder := t.TempDir()
	for name, target := range map[string]string{"charts": filepath.Join(root, "charts"), "examples": filepath.Join(root, "examples")} {
		s.must(os.Symlink(target, filepath.Join(folder, name)))
	}
	// Other servers manage other namespaces of this cluster, and another release owns the
	// CustomResourceDefinition. The wrapper of helm adds values and flags for that.
	extra := filepath.Join(folder, "extra.yaml")
	s.must(os.WriteFile(extra, []byte("server: {namespaces: [research]}\n"), 0o644))
	bin := t.TempDir()
	s.must(os.WriteFile(filepath.Join(bin, "helm"), []byte(fmt.Sprintf(`#!/bin/sh
case $1 in install|upgrade) exec %[1]s/helm4 "$@" -f %[2]s --take-ownership --force-conflicts;; esac
exec %[1]s/helm4 "$@"
`, h.Tools, extra)), 0o755))
	for name, path := range map[string]string{"tmsctl": h.Tmsctl, "grpcurl": filepath.Join(h.Tools, "grpcurl")} {
		s.must(os.Symlink(path, filepath.Join(bin, name)))
	}
	var script strings.Builder
	// The names of Services resolve only in the cluster's DNS.
	_, _ = fmt.Fprintf(&script, "set -eu\nmount --bind %s/pods/resolv.conf /etc/resolv.conf\n", h.Dir)
	for _, block := range blocks {
		for line := range strings.Lines(block[1]) {
			script.WriteString(line)
		}
	}
	run := exec.CommandContext(s.Context(), "unshare", "--mount", "bash", "-x", "-c", script.String())
	run.Dir = folder
	run.Env = append(os.Environ(), "PATH="+bin+":"+filepath.Join(h.Dir, "bin")+":"+os.Getenv("PATH"),
		"KUBECONFIG="+h.Cluster.Kubeconfig, "HOME="+folder, "XDG_CONFIG_HOME="+folder, "HELM_CACHE_HOME="+folder)
	out, err := run.CombinedOutput()
	h.Log.Detail(s.name, "%s", out)
	if err != nil {
		s.fatal("the commands of the guide: %v\n%s", err, out)
	}
	for _, want := range []string{"resnet50", "STATE_SERVING", "from-grpc", "tritonserver:26.07-py3"} {
		if !strings.Contains(string(out), want) {
			s.fatal("no command printed %q:\n%s", want, out)
		}
	}
	s.step("ran %d blocks of commands of the guide", len(blocks))
	s.eventually("its leases and their objects are deleted", func() (bool, string) {
		left, err := h.Cluster.Kubectl(s.Context(), "", "get", "tritonleases,deployments,services,pods,hpa", "-n", "research", "-o", "name")
		return err == nil && strings.TrimSpace(left.Stdout) == "", left.Stdout + left.Stderr
	})
}
