//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// command is a block of commands in a guide, with the output that the guide shows.
type command struct{ text, want string }

// fenced matches a block of commands, and the block of text that follows it at once.
var fenced = regexp.MustCompile("(?ms)^```console\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?")

// commands returns the blocks of commands of a guide, docs/<name>.
func (s *scenario) commands(name string) []command {
	s.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", name))
	s.must(err)
	var all []command
	for _, block := range fenced.FindAllStringSubmatch(string(text), -1) {
		all = append(all, command{text: block[1], want: block[2]})
	}
	return all
}

// reader is a folder and commands with which a reader of a guide runs its commands.
type reader struct {
	// folder has the chart and the examples.
	folder string
	// bin has the programs that PATH does not have, and those that it replaces.
	bin string
}

// reader returns a folder with the chart and the examples. It links programs.
func (s *scenario) reader(programs map[string]string) reader {
	s.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	s.must(err)
	r := reader{folder: s.TempDir(), bin: s.TempDir()}
	for name, target := range map[string]string{"charts": filepath.Join(root, "charts"), "examples": filepath.Join(root, "examples")} {
		s.must(os.Symlink(target, filepath.Join(r.folder, name)))
	}
	for name, path := range programs {
		s.must(os.Symlink(path, filepath.Join(r.bin, name)))
	}
	return r
}

// follow runs the commands of a guide in one shell, in order, as a reader would, and
// compares what each block prints with what the guide shows. It returns all that was
// printed.
func (s *scenario) follow(r reader, commands []command) string {
	s.Helper()
	const mark = "==== block %d ====" // bash -x prints the command that prints it, which ends the block before
	var script strings.Builder
	// The names of Services resolve only in the cluster's DNS.
	_, _ = fmt.Fprintf(&script, "set -eu\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\nmount --bind %s/pods/resolv.conf /etc/resolv.conf\n", h.Dir)
	for i, c := range commands {
		_, _ = fmt.Fprintf(&script, "printf '\\n"+mark+"\\n'\n%s", i, c.text)
	}
	ctx, cancel := context.WithTimeout(s.Context(), 4*limit) // for all commands together
	defer cancel()
	run := exec.CommandContext(ctx, "unshare", "--mount", "bash", "-x", "-c", script.String())
	run.Dir = r.folder
	run.Env = append(os.Environ(), "PATH="+r.bin+":"+filepath.Join(h.Dir, "bin")+":"+os.Getenv("PATH"),
		"KUBECONFIG="+h.Cluster.Kubeconfig, "HOME="+r.folder, "XDG_CONFIG_HOME="+r.folder, "HELM_CACHE_HOME="+r.folder)
	run.WaitDelay = 10 * time.Second // for a command in the background
	printed, err := run.CombinedOutput()
	out := string(printed)
	h.Log.Detail(s.name, "%s", out)
	if err != nil {
		s.fatal("the commands of the guide: %v\n%s", err, out)
	}
	for i, c := range commands {
		_, rest, _ := strings.Cut(out, fmt.Sprintf(mark, i)+"\n")
		block, _, _ := strings.Cut(rest, fmt.Sprintf(mark, i+1))
		for line := range strings.Lines(c.want) {
			if strings.TrimSpace(line) != "" && !shown(line).MatchString(block) {
				s.fatal("the guide shows the line\n%s\nfor\n%s\nbut the output is\n%s", line, c.text, block)
			}
		}
	}
	s.step("ran %d blocks of commands of the guide", len(commands))
	return out
}

// shown matches a line of output. In the guide, "…" stands for any text, and spaces for
// any number of spaces.
func shown(line string) *regexp.Regexp {
	pattern := regexp.QuoteMeta(strings.TrimSpace(line))
	pattern = strings.ReplaceAll(strings.Join(strings.Fields(pattern), `\s+`), "…", ".*")
	return regexp.MustCompile(`(?m)^\s*` + pattern + `\s*$`)
}
