package fieldpath_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/triton-leases/tms/internal/fieldpath"
)

func TestParseAndString(t *testing.T) {
	t.Parallel()
	for text, path := range map[string]fieldpath.Path{
		"":                        nil,
		"leases":                  fieldpath.New("leases"),
		"leases.a.models[0].uri":  fieldpath.New("leases", "a", "models").Child(fieldpath.Index(0), fieldpath.Key("uri")),
		"labels[a.io/b]":          fieldpath.New("labels", "a.io/b"),
		`labels["a b"].x`:         fieldpath.New("labels", "a b", "x"),
		`labels["say \"hi\"]"]`:   fieldpath.New("labels", `say "hi"]`),
		"resources.limits[x/gpu]": fieldpath.New("resources", "limits", "x/gpu"),
	} {
		require.Equal(t, path, fieldpath.Parse(text), text)
		require.Equal(t, text, path.String())
	}
}

func FuzzParse(f *testing.F) {
	f.Add("a", "b.c", 3)
	f.Fuzz(func(t *testing.T, first, second string, index int) {
		path := fieldpath.New(first, second).Child(fieldpath.Index(max(index, 0)))
		require.Equal(t, path, fieldpath.Parse(path.String()), path.String())
	})
}

func TestRebase(t *testing.T) {
	t.Parallel()
	spec := fieldpath.New("spec")
	moved, ok := fieldpath.Parse("leases.a.models[0]").Rebase(fieldpath.New("leases", "a"), spec)
	require.True(t, ok)
	require.Equal(t, "spec.models[0]", moved.String())

	other, ok := fieldpath.Parse("leases.ab.models[0]").Rebase(fieldpath.New("leases", "a"), spec)
	require.False(t, ok, "the key a is not a prefix of ab")
	require.Equal(t, "leases.ab.models[0]", other.String())
}
