package valuesfile_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/triton-leases/tms/internal/fieldpath"
	"github.com/triton-leases/tms/internal/valuesfile"
)

// TestManifestsAreNotValues checks that Read returns ErrManifests for manifests.
func TestManifestsAreNotValues(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"apiVersion: v1\nkind: List\nitems: []\n",
		"kind: X\nspec: {}\n",
		"{\"kind\": \"X\", \"metadata\": {}}",
		"# nothing\n---\nkind: X\nspec: {}\n",
		"kind: X\nspec: {}\n---\nleases:\n  a:\n    models: []\n",
		"leases:\n  a:\n    models: []\nkind: X\napiVersion: v1\n",
	} {
		_, err := valuesfile.Read([]byte(text))
		require.ErrorIs(t, err, valuesfile.ErrManifests, "%q", text)
	}
	for _, text := range []string{"kind: X\n", "leases: {a: {target: {apiVersion: v1, kind: X}}}\n", "apiVersion: v1\nspec: {}\n"} {
		_, err := valuesfile.Read([]byte(text))
		require.NoError(t, err, "%q", text)
	}
	_, err := valuesfile.Read([]byte("leases:\n  a:\n    models: []\n---\nkind: X\nspec: {}\n"))
	require.EqualError(t, err, "line 4, column 1: a manifest begins here: put values and manifests in separate files, and give each file with -f")
}

func TestReadManifests(t *testing.T) {
	t.Parallel()
	documents, err := valuesfile.ReadManifests([]byte("# one\n---\nkind: A\nspec: {a: [1]}\n--- # two\n---\n---\nkind: B\nspec:\n  text: |\n    ---\n    b\n"))
	require.NoError(t, err)
	require.Len(t, documents, 2)
	require.Equal(t, map[string]any{"kind": "A", "spec": map[string]any{"a": []any{1.0}}}, documents[0].Value)
	require.Equal(t, map[string]any{"text": "---\nb\n"}, documents[1].Value["spec"])
	for path, wanted := range map[string][3]int{"spec.text": {10, 3, 2}, "spec.other": {9, 1, 1}, "none": {8, 1, 0}} {
		line, column, depth := documents[1].Positions.Locate(fieldpath.Parse(path))
		require.Equal(t, wanted, [3]int{line, column, depth}, path)
	}
}

func TestReadManifestsRefuses(t *testing.T) {
	t.Parallel()
	for text, message := range map[string]string{
		"kind: A\nspec: {b: 1, b: 2}\n---\nkind: B\nkind: C\nspec: {}\n": "line 2, column 14: duplicate key \"b\", first in line 2: remove one of the two\nline 5, column 1: duplicate key \"kind\", first in line 4: remove one of the two",
		"kind: A\nspec: {}\n---\nleases: {}\n":                           "line 4, column 1: not a manifest, which needs apiVersion and kind: put values and manifests in separate files, and give each file with -f",
		"kind: A\nspec: {}\n---\n- a\n":                                  "line 4, column 1: a manifest must be a mapping of keys to values",
		"kind: A\nspec: {}\n---\nkind: [\n":                              "line 5, column 1: a value is missing, or a bracket is not closed",
		"kind: A\nspec: {}\n...\nkind: B\nspec: {}\n":                    "line 4, column 1: a document begins here without a --- line before it",
		"kind: A\nspec: {a: .nan}\n":                                     "line 2, column 11: a number must be finite: .nan and .inf are not allowed",
	} {
		_, err := valuesfile.ReadManifests([]byte(text))
		require.EqualError(t, err, message, "%q", text)
	}
}
