package source_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/triton-leases/tms/internal/generic"
	"github.com/triton-leases/tms/internal/source"
)

func TestRead(t *testing.T) {
	for text, wanted := range map[string]map[string]any{
		"":                                {},
		"# nothing\n":                     {},
		"null":                            {},
		"a: {b: 1}":                       {"a": map[string]any{"b": 1.0}},
		"---\na: 1\n---\n---\n# nothing":  {"a": 1.0},
		"a: |\n  x\n  ---\n  y\n":         {"a": "x\n---\ny\n"},
		"b: &b {x: 1}\na: {<<: *b, x: 2}": {"b": map[string]any{"x": 1.0}, "a": map[string]any{"x": 2.0}},
		"true: 1":                         {"true": 1.0},
		"{'on': 2, \"1\": 3, 7: 4}":       {"on": 2.0, "1": 3.0, "7": 4.0},
		"\xef\xbb\xbfa: 1":                {"a": 1.0},
	} {
		got, err := source.Read([]byte(text))
		require.NoError(t, err, "%q", text)
		if len(wanted) == 0 {
			require.Empty(t, got, "%q", text)
			continue
		}
		require.Equal(t, wanted, got, "%q", text)
	}
}

func TestReadRefuses(t *testing.T) {
	for text, message := range map[string]string{
		"a: 1\nb: {c: 1, c: 2}\na: 2": "line 2, column 11: duplicate key \"c\", first in line 2\nline 3, column 1: duplicate key \"a\", first in line 1",
		"a: 1\n...\nb: 2\n":           "line 3, column 1: a second YAML document begins here: put each in a file of its own and give them all with -f",
		"{on: a, 'yes': b}":           "line 1, column 2: the key on is read as \"true\": quote it",
		"{7: a, '7': b}":              "line 1, column 8: duplicate key \"7\", first in line 1",
		"{010: a, 12e4: b}":           "line 1, column 2: the key 010 is read as \"8\": quote it\nline 1, column 10: the key 12e4 is read as \"120000\": quote it",
		"1: a\n0x1: b":                "line 2, column 1: the key 0x1 is read as \"1\": quote it",
		"a: 1\r---\rb: 2":             "line 2, column 1: a second YAML document begins here: put each in a file of its own and give them all with -f",
		"5":                           "a values file must be a mapping of keys to values",
		"a: {":                        "line 2, column 1: did not find expected node content",
		"a: .inf":                     "a number must be finite: .nan and .inf are not allowed",
		"a: 1\n---\nb: [":             "line 4, column 1: did not find expected node content",
	} {
		_, err := source.Read([]byte(text))
		var problems source.SyntaxErrors
		require.ErrorAs(t, err, &problems, "%q", text)
		require.EqualError(t, err, message, "%q", text)
	}
}

func TestLocate(t *testing.T) {
	text := []byte(`leases:
  a:
    models:
      - name: m
        uri: /models
  b: &b
    autoscaling: {enable: true}
  c: *b
kubernetes:
  customLabels:
    app.kubernetes.io/name: x
    "a b": y
`)
	positions := source.Index(text)
	for path, wanted := range map[string][2]int{
		"leases.a.models[0].uri":                          {5, 5},
		"leases.a.models[1].uri":                          {3, 3},
		"leases.a.autoscaling.enable":                     {2, 2},
		"leases.c.autoscaling.enable":                     {7, 4},
		"kubernetes.customLabels[app.kubernetes.io/name]": {11, 3},
		`kubernetes.customLabels["a b"]`:                  {12, 3},
		"server.autoscaling":                              {0, 0},
	} {
		line, depth := positions.Locate(path)
		require.Equal(t, wanted, [2]int{line, depth}, path)
	}
	line, depth := source.Index([]byte("a: [")).Locate("a")
	require.Equal(t, [2]int{0, 0}, [2]int{line, depth})
}

// FuzzRead: whatever a file holds, it is read or refused, never more.
func FuzzRead(f *testing.F) {
	for _, text := range []string{"a: 1", "a: &a [*a]", "? [x]\n: 1", "<<: 1", "a: !!binary x", "a:\n\tb", "%YAML 9\n---\n", "\x00", "- - -", "a: *a"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		values, err := source.Read(text)
		if err != nil {
			require.NotEmpty(t, err.Error())
			return
		}
		positions := source.Index(text)
		for key := range values {
			positions.Locate(key)
		}
	})
}

// TestValuesMerge: files that are cut are laid over each other as those that are not.
func TestValuesMerge(t *testing.T) {
	files := []string{
		"leases:\n  a:\n    models: [{name: m, uri: /m}]\n    triton: {args: [x]}\n  b:\n    models: [{name: n, uri: /n}]\n",
		"leases:\n  a:\n    triton:\n      args: [y]\n      replicas: 2\n  c:\n    target: {name: t}\nenabled: true\n",
		"leases: {b: null, d: 5}\n",
		"leases:\n  b:\n    models: []\n",
		"leases: {}\n",
		"leases: null\n",
		"leases:\n  e: {}\n",
		"leases: {e: {models: [1]}}\nimages: {triton: x}\n",
		"",
	}
	var cut source.Values
	whole := map[string]any{}
	for _, text := range files {
		file, err := source.ReadFile([]byte(text))
		require.NoError(t, err)
		cut.Add(file)
		values, err := source.Read([]byte(text))
		require.NoError(t, err)
		whole = generic.Merge(whole, values)
		require.Equal(t, whole, cut.Map(), text)
		require.Equal(t, whole, cut.Copy(), text)
	}
}
