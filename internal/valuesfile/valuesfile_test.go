package valuesfile_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/triton-leases/tms/internal/fieldpath"
	"github.com/triton-leases/tms/internal/valuesfile"
)

func TestRead(t *testing.T) {
	t.Parallel()
	for text, wanted := range map[string]map[string]any{
		"":                                      {},
		"# nothing\n":                           {},
		"null":                                  {},
		"a: {b: 1}":                             {"a": map[string]any{"b": 1.0}},
		"---\na: 1\n---\n---\n# nothing":        {"a": 1.0},
		"a: |\n  x\n  ---\n  y\n":               {"a": "x\n---\ny\n"},
		"b: &b {x: 1, z: 1}\na: {<<: *b, x: 2}": {"b": map[string]any{"x": 1.0, "z": 1.0}, "a": map[string]any{"x": 2.0, "z": 1.0}},
		"true: 1":                               {"true": 1.0},
		"{'on': 2, \"1\": 3, 7: 4}":             {"on": 2.0, "1": 3.0, "7": 4.0},
		"\xef\xbb\xbfa: 1":                      {"a": 1.0},
	} {
		got, err := valuesfile.Read([]byte(text))
		require.NoError(t, err, "%q", text)
		if len(wanted) == 0 {
			require.Empty(t, got, "%q", text)
			continue
		}
		require.Equal(t, wanted, got, "%q", text)
	}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	for text, message := range map[string]string{
		"a: 1\nb: {c: 1, c: 2}\na: 2": "line 2, column 11: duplicate key \"c\", first in line 2: remove one of the two\nline 3, column 1: duplicate key \"a\", first in line 1: remove one of the two",
		"a: 1\n...\nb: 2\n":           "line 3, column 1: a second YAML document begins here: put each document in its own file, and give each file with -f",
		"{on: a, 'yes': b}":           "line 1, column 2: the key on is read as \"true\": quote it",
		"{7: a, '7': b}":              "line 1, column 8: duplicate key \"7\", first in line 1: remove one of the two",
		"{010: a, 12e4: b}":           "line 1, column 2: the key 010 is read as \"8\": quote it\nline 1, column 10: the key 12e4 is read as \"120000\": quote it",
		"1: a\n0x1: b":                "line 2, column 1: the key 0x1 is read as \"1\": quote it",
		"a: 1\r---\rb: 2":             "line 2, column 1: a second YAML document begins here: put each document in its own file, and give each file with -f",
		"5":                           "line 1, column 1: a values file must be a mapping of keys to values",
		"? [x]\n: 1":                  "line 1, column 3: a key must be a string: quote a value that begins with {{",
		"a: {":                        "line 2, column 1: a value is missing, or a bracket is not closed",
		"a: .inf":                     "line 1, column 4: a number must be finite: .nan and .inf are not allowed",
		"a: 1\n---\nb: [":             "line 4, column 1: a value is missing, or a bracket is not closed",
	} {
		_, err := valuesfile.Read([]byte(text))
		var problems valuesfile.SyntaxErrors
		require.ErrorAs(t, err, &problems, "%q", text)
		require.EqualError(t, err, message, "%q", text)
	}
}

func TestLocate(t *testing.T) {
	t.Parallel()
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
	positions := valuesfile.Index(text)
	for path, wanted := range map[string][2]int{
		"leases.a.models[0].uri":                          {5, 5},
		"leases.a.models[1].uri":                          {3, 3},
		"leases.a.autoscaling.enable":                     {2, 2},
		"leases.c.autoscaling.enable":                     {7, 4},
		"kubernetes.customLabels[app.kubernetes.io/name]": {11, 3},
		`kubernetes.customLabels["a b"]`:                  {12, 3},
		"server.autoscaling":                              {1, 0},
	} {
		line, _, depth := positions.Locate(fieldpath.Parse(path))
		require.Equal(t, wanted, [2]int{line, depth}, path)
	}
	line, column, depth := valuesfile.Index([]byte("a: [")).Locate(fieldpath.New("a"))
	require.Equal(t, [3]int{}, [3]int{line, column, depth})
}

// TestMerge checks that maps are merged, that everything else is replaced, and that the
// arguments do not change.
func TestMerge(t *testing.T) {
	t.Parallel()
	below := map[string]any{"a": map[string]any{"x": 1.0, "y": []any{1.0}}, "b": 2.0, "c": map[string]any{"z": 1.0}}
	above := map[string]any{"a": map[string]any{"y": []any{}, "w": nil}, "b": map[string]any{}, "c": nil}
	require.Equal(t, map[string]any{
		"a": map[string]any{"x": 1.0, "y": []any{}, "w": nil}, "b": map[string]any{}, "c": nil,
	}, valuesfile.Merge(below, above))
	require.Equal(t, map[string]any{"x": 1.0, "y": []any{1.0}}, below["a"])
	require.Equal(t, map[string]any{"y": []any{}, "w": nil}, above["a"])
}
