package stencil_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/triton-leases/tms/internal/stencil"
)

func fill(s *stencil.Stencil, parameters ...string) string { return string(s.Append(nil, parameters)) }

func TestAppend(t *testing.T) {
	t.Parallel()
	p := stencil.NewPlaceholders()
	text := p.At(1) + " and " + p.At(12) + p.At(0) + ", " + p.At(1)
	parameters := make([]string, 13)
	parameters[0], parameters[1], parameters[12] = "zero", "one", p.At(0)
	require.Equal(t, "one and "+p.At(0)+"zero, one", fill(p.Cut(text), parameters...), "placeholders in parameters are not replaced")
	require.Equal(t, "none", fill(p.Cut("none")))
	require.Empty(t, fill(p.Cut("")))
	require.Equal(t, text, p.Restore(p.Cut(text)))
}

func TestPlaceholdersDiffer(t *testing.T) {
	t.Parallel()
	a, b := stencil.NewPlaceholders(), stencil.NewPlaceholders()
	require.NotEqual(t, a.At(0), b.At(0))
	require.Equal(t, b.At(0), fill(a.Cut(b.At(0))))
}

// TestCutJSON checks that JSON has quotes around strings of digits, and not around numbers.
func TestCutJSON(t *testing.T) {
	t.Parallel()
	p := stencil.NewPlaceholders()
	text := "number: " + p.At(0) + "\nstring: \"" + p.At(0) + "\"\nname: " + p.At(1) + ".x\nlist:\n  - target: " + p.At(0) + "\ntext: |-\n  a: " + p.At(0) + "\n  b: \"" + p.At(0) + "\"\n"
	s, err := p.CutJSON(text, func(text string) (string, error) {
		converted, err := yaml.YAMLToJSON([]byte(text))
		return string(converted), err
	})
	require.NoError(t, err)
	require.JSONEq(t, `{"number": 5, "string": "5", "name": "a.x", "list": [{"target": 5}], "text": "a: 5\nb: \"5\""}`, fill(s, "5", "a"))

	_, err = p.CutJSON("a: [", func(text string) (string, error) {
		converted, err := yaml.YAMLToJSON([]byte(text))
		return string(converted), err
	})
	require.Error(t, err)
}

func TestFind(t *testing.T) {
	t.Parallel()
	p := stencil.NewPlaceholders()
	index, found := p.Find("a "+p.At(3)+p.At(12)+p.At(11), 10)
	require.True(t, found)
	require.Equal(t, 12, index)
	_, found = p.Find(p.At(3), 10)
	require.False(t, found)
}
