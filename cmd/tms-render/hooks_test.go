package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// lintFolder returns a folder with values for the tests of hooks.
func lintFolder(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range map[string]string{
		"bounds.yaml":     "server: {autoscaling: {enable: true, metrics: {queueTime: {enabled: true}}}}\n",
		"leases/a.yaml":   "leases: {a: {models: [{name: m, uri: /models}], autoscaling: {enable: true, replicas: {maximum: 50}}}}\n",
		"leases/bad.yaml": "leases:\n  b: {modles: []}\n",
	} {
		file := filepath.Join(folder, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	}
	return folder
}

// execute runs a program in a folder, and returns its exit status and output.
func execute(t *testing.T, folder string, environment []string, program string, arguments ...string) (status int, output string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), program, arguments...)
	command.Dir, command.Env = folder, append(os.Environ(), environment...)
	text, err := command.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	return command.ProcessState.ExitCode(), string(text)
}

func readYAML(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../..", file))
	require.NoError(t, err)
	require.NoError(t, yaml.UnmarshalStrict(text, into))
}

// TestPreCommitHook runs the hook as pre-commit does: with the args of the user, and the
// changed files after them.
func TestPreCommitHook(t *testing.T) {
	t.Parallel()
	var hooks []struct {
		ID            string   `json:"id"`
		Name          string   `json:"name"`
		Description   string   `json:"description"`
		Entry         string   `json:"entry"`
		Language      string   `json:"language"`
		Types         []string `json:"types"`
		RequireSerial bool     `json:"require_serial"`
	}
	readYAML(t, ".pre-commit-hooks.yaml", &hooks)
	require.Len(t, hooks, 1)
	require.Equal(t, "tms-render-lint", hooks[0].ID)
	require.Equal(t, "golang", hooks[0].Language, "pre-commit then installs all commands of the module")
	entry := strings.Fields(hooks[0].Entry)
	folder := lintFolder(t)
	run := func(arguments ...string) (int, string) {
		return execute(t, folder, nil, entry[0], append(entry[1:], arguments...)...)
	}
	status, output := run("-f", "bounds.yaml", "leases/a.yaml")
	require.Equal(t, exitDone, status, output)
	status, output = run("-f", "bounds.yaml", "--strict", "leases/a.yaml")
	require.Equal(t, exitAdjusted, status, output)
	status, output = run("-f", "bounds.yaml", "leases/a.yaml", "leases/bad.yaml")
	require.Equal(t, exitFailed, status, output)
	require.Contains(t, output, "\nleases/bad.yaml:2:7: leases.b.modles: ")
}

// action is what the runner of GitHub reads of action.yml.
type action struct {
	Name        string
	Description string
	Inputs      map[string]struct{ Description, Default string }
	Runs        struct {
		Using string
		Steps []struct {
			Name, If, Shell, Run string
			Env                  map[string]string
		}
	}
}

var inputExpression = regexp.MustCompile(`\$\{\{ inputs\.([a-z-]+) \}\}`)

// runAction runs the steps of the action, as the runner of GitHub does.
func (a action) run(t *testing.T, folder string, inputs map[string]string) (status int, output string) {
	t.Helper()
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	value := func(name string) string {
		require.Contains(t, a.Inputs, name)
		if text, given := inputs[name]; given {
			return text
		}
		return a.Inputs[name].Default
	}
	temporary := t.TempDir()
	for _, step := range a.Runs.Steps {
		if step.If != "" {
			require.Equal(t, "inputs.tms-render == ''", step.If)
			if value("tms-render") != "" {
				continue
			}
		}
		require.Equal(t, "bash", step.Shell)
		require.NotContains(t, step.Run, "${{", "an input in the script could be run as code")
		environment := []string{"GITHUB_ACTION_PATH=" + root, "RUNNER_TEMP=" + temporary}
		for name, text := range step.Env {
			environment = append(environment, name+"="+inputExpression.ReplaceAllStringFunc(text, func(found string) string {
				return value(inputExpression.FindStringSubmatch(found)[1])
			}))
		}
		script := filepath.Join(temporary, "step.sh")
		require.NoError(t, os.WriteFile(script, []byte(step.Run), 0o600))
		if status, output = execute(t, folder, environment, "bash", "--noprofile", "--norc", "-eo", "pipefail", script); status != 0 {
			break
		}
	}
	return status, output
}

// TestAction runs the action of GitHub.
func TestAction(t *testing.T) {
	t.Parallel()
	var a action
	readYAML(t, "action.yml", &a)
	require.Equal(t, "composite", a.Runs.Using)
	program, err := exec.LookPath("tms-render")
	require.NoError(t, err)
	folder := lintFolder(t)
	for name, test := range map[string]struct {
		inputs map[string]string
		status int
		output string
	}{
		"warnings": {
			inputs: map[string]string{"values": "bounds.yaml\nleases/a.yaml\n"},
			output: "^::warning title=tms-render%3A adjusted,file=leases/a.yaml,line=1,col=88::",
		},
		"strict":   {inputs: map[string]string{"values": "bounds.yaml leases/a.yaml", "strict": "true"}, status: exitAdjusted, output: "^::warning "},
		"a file":   {inputs: map[string]string{"values": "bounds.yaml", "files": "leases/bad.yaml"}, status: exitFailed, output: "^::error "},
		"patterns": {inputs: map[string]string{"files": "leases/*.yaml"}, status: exitFailed, output: "\n::error title=tms-render%3A forbidden,file=leases/bad.yaml,line=2,col=7::"},
		"code":     {inputs: map[string]string{"files": "$(touch${IFS}x) --strict"}, status: exitFailed, output: "no such file"},
		"nothing":  {status: exitUsage, output: "^tms-render: no input"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inputs := map[string]string{"tms-render": program}
			for key, value := range test.inputs {
				inputs[key] = value
			}
			status, output := a.run(t, folder, inputs)
			require.Equal(t, test.status, status, output)
			require.Regexp(t, test.output, output)
			require.NoFileExists(t, filepath.Join(folder, "x"))
		})
	}
	t.Run("install", func(t *testing.T) {
		t.Parallel()
		status, output := a.run(t, folder, map[string]string{"values": "bounds.yaml leases/a.yaml"})
		require.Equal(t, exitDone, status, output)
		require.Contains(t, output, "::warning ")
	})
}
