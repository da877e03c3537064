// Package workflows checks the workflows of GitHub, which no other test runs.
package workflows

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

const project = "../.."

type workflow struct {
	Permissions *map[string]string
	Jobs        map[string]job
}

type job struct {
	Permissions map[string]string
	Needs       any
	Timeout     int `json:"timeout-minutes"`
	Steps       []step
}

type step struct {
	Uses string
	Run  string
	With map[string]any
}

// read returns the workflows by their file names.
func read(t *testing.T) map[string]workflow {
	t.Helper()
	paths, err := filepath.Glob(project + "/.github/workflows/*")
	require.NoError(t, err)
	all := map[string]workflow{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		var w workflow
		require.NoError(t, yaml.Unmarshal(text, &w), path)
		require.NotEmpty(t, w.Jobs, path)
		all[filepath.Base(path)] = w
	}
	require.Len(t, all, 3)
	return all
}

// steps calls check with each step of all workflows.
func steps(t *testing.T, check func(where string, j job, s step)) {
	t.Helper()
	for file, w := range read(t) {
		for name, j := range w.Jobs {
			require.NotEmpty(t, j.Steps, "%s: %s", file, name)
			for _, s := range j.Steps {
				check(file+": "+name, j, s)
			}
		}
	}
}

// TestActionsArePinned checks that no action can change without a commit in this project.
func TestActionsArePinned(t *testing.T) {
	t.Parallel()
	pinned := regexp.MustCompile(`^[\w-]+/[\w-]+@[0-9a-f]{40}$`)
	versions := map[string]string{}
	steps(t, func(where string, _ job, s step) {
		if s.Uses == "" {
			return
		}
		require.Regexp(t, pinned, s.Uses, where)
		action, commit, _ := strings.Cut(s.Uses, "@")
		if versions[action] == "" {
			versions[action] = commit
		}
		require.Equal(t, versions[action], commit, "%s: %s has one version in all workflows", where, action)
	})
	require.NotEmpty(t, versions)

	comment := regexp.MustCompile(`uses: \S+ # v[0-9]+\.[0-9]+\.[0-9]+$`)
	for file := range read(t) {
		text, err := os.ReadFile(project + "/.github/workflows/" + file)
		require.NoError(t, err)
		for line := range strings.Lines(string(text)) {
			if strings.Contains(line, "uses:") {
				require.Regexp(t, comment, strings.TrimSpace(line), "%s: a comment names the version", file)
			}
		}
	}
}

// TestPermissions checks which jobs may change something, and that all others may only read.
func TestPermissions(t *testing.T) {
	t.Parallel()
	want := map[string]map[string]string{
		"release.yml: publish": {"contents": "read", "packages": "write", "id-token": "write", "attestations": "write"},
		"release.yml: github":  {"contents": "write"},
	}
	for file, w := range read(t) {
		require.NotNil(t, w.Permissions, "%s: permissions are set: the default of a repository may be write", file)
		for name, j := range w.Jobs {
			where := file + ": " + name
			require.Positive(t, j.Timeout, "%s: timeout-minutes", where)
			effective := j.Permissions
			if effective == nil {
				effective = *w.Permissions
			}
			if want[where] != nil {
				require.Equal(t, want[where], effective, where)
				delete(want, where)
				continue
			}
			for scope, right := range effective {
				require.Equal(t, "read", right, "%s: %s", where, scope)
			}
		}
	}
	require.Empty(t, want)
}

// TestSteps checks that no job keeps its token in the checkout, and that no value of a pull
// request or of a tag becomes part of a script.
func TestSteps(t *testing.T) {
	t.Parallel()
	steps(t, func(where string, _ job, s step) {
		require.NotContains(t, s.Run, "${{", "%s: use env", where)
		if strings.HasPrefix(s.Uses, "actions/checkout@") {
			require.Equal(t, false, s.With["persist-credentials"], where)
		}
		if strings.HasPrefix(where, "release.yml") {
			require.NotContains(t, s.Uses, "actions/cache", where)
			if strings.HasPrefix(s.Uses, "actions/setup-go@") {
				require.Equal(t, false, s.With["cache"], where)
			}
		}
	})
}

// makeCall matches the targets in a command line of make, after its options.
var makeCall = regexp.MustCompile(`(?m)\bmake((?: +(?:-C +\S+|--?\S+|\w+=\S*|[a-z][a-z0-9-]*))+)`)

// TestTargets asks make whether it knows the targets that the workflows call.
func TestTargets(t *testing.T) {
	t.Parallel()
	called := map[string]bool{}
	steps(t, func(_ string, _ job, s step) {
		for _, match := range makeCall.FindAllStringSubmatch(s.Run, -1) {
			called[strings.Join(strings.Fields(match[1]), " ")] = true
		}
	})
	require.Greater(t, len(called), 10)
	for _, makefile := range []string{"Makefile", "test/e2e/Makefile"} { // go test runs this again when they change
		_, err := os.Stat(filepath.Join(project, makefile))
		require.NoError(t, err)
	}
	for arguments := range called {
		command := exec.CommandContext(t.Context(), "make", append([]string{"--question"}, strings.Fields(arguments)...)...)
		command.Dir = project
		out, _ := command.CombinedOutput() // it fails also if a known target is not up to date
		require.NotContains(t, string(out), "No rule to make target", arguments)
	}
}

// TestSameChecks checks that the jobs of ci.yaml, and .ci/run, run the same commands.
func TestSameChecks(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(project + "/.ci/run")
	require.NoError(t, err)
	local := commands(string(text))
	require.Greater(t, len(local), 10)

	jobs := read(t)["ci.yaml"].Jobs
	only := map[string]bool{"release": true, "govulncheck": true} // not in .ci/run
	require.Subset(t, slices.Collect(maps.Keys(jobs)), slices.Collect(maps.Keys(only)))
	var hosted []string
	for name, j := range jobs {
		for _, s := range j.Steps {
			if !only[name] {
				hosted = append(hosted, commands(s.Run)...)
			}
		}
	}
	require.ElementsMatch(t, local, hosted)
}

// commands returns the lines of a script that run make or go.
func commands(script string) []string {
	var all []string
	for line := range strings.Lines(script) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "make ") || strings.HasPrefix(line, "go ") {
			all = append(all, line)
		}
	}
	return all
}
