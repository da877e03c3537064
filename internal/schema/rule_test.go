package schema

import (
	"math/rand/v2"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/triton-leases/tms/internal/testing/randvalues"
)

// TestRuleDecidesAsValidator holds the short cut to the validator: both accept,
// or both refuse, the values of all tests, and thousands that were broken at a
// random place.
func TestRuleDecidesAsValidator(t *testing.T) {
	text, err := os.ReadFile("../../charts/tms/values.schema.json")
	require.NoError(t, err)
	s, err := CompileOwn(text)
	require.NoError(t, err)
	require.NotNil(t, s.rule, "the schema has a keyword that rule.go does not know")
	validator, err := s.validator()
	require.NoError(t, err)

	accepted, refused := 0, 0
	random := rand.New(rand.NewPCG(9, 10))
	corpus, err := randvalues.Corpus("../..", 100)
	require.NoError(t, err)
	for _, text := range corpus {
		for broken := range 40 {
			var values map[string]any
			require.NoError(t, yaml.Unmarshal(text, &values))
			for range min(broken, 2) {
				randvalues.Break(random, values)
			}
			err := validator.Validate(values)
			require.Equal(t, err == nil, s.rule.accepts(values), "%v: %v", values, err)
			if err == nil {
				accepted++
			} else {
				refused++
			}
		}
	}
	require.Greater(t, accepted, 350)
	require.Greater(t, refused, 3000)
}

// TestRuleKnowsItsLimits: a schema with other keywords is the validator's alone.
func TestRuleKnowsItsLimits(t *testing.T) {
	for _, text := range []string{
		`{"properties": {"a": {"format": "date"}}}`, `{"items": [{}]}`, `{"additionalProperties": true, "dependencies": {"a": ["b"]}}`,
		`{"const": 1}`, `{"properties": {"a": true}}`, `{"$ref": "#foo"}`, `{"anyOf": [{}]}`, `{"exclusiveMinimum": 1}`, `{"else": {}}`, `{"maximum": "1"}`, `{"type": "string", "pattern": 1}`,
	} {
		s, err := CompileOwn([]byte(`{"$schema": "http://json-schema.org/draft-07/schema#", "properties": {"x": ` + text + `}}`))
		require.NoError(t, err)
		require.Nil(t, s.rule, text)
	}
}

func TestLeaf(t *testing.T) {
	s, err := CompileOwn([]byte(`{
		"$schema": "http://json-schema.org/draft-07/schema#",
		"propertyNames": {"pattern": "^[a-z]"},
		"properties": {
			"a": {"additionalProperties": {"allOf": [{"minimum": 2}], "maximum": 5}},
			"b": {"items": {"pattern": "^x", "not": {"enum": ["xx"]}}},
			"c": {"oneOf": [{"properties": {"d": {"minimum": 1}}}, {"required": ["e"]}], "properties": {"e": {}}}
		}}`))
	require.NoError(t, err)
	number, ok := s.Leaf("a", "k")
	require.True(t, ok)
	for value, accepted := range map[float64]bool{1: false, 2: true, 5: true, 6: false} {
		require.Equal(t, accepted, number.AcceptsNumber(value), value)
	}
	text, ok := s.Leaf("b", "0")
	require.True(t, ok)
	for value, accepted := range map[string]bool{"x": true, "y": false, "xx": false} {
		require.Equal(t, accepted, text.AcceptsText(value), value)
	}
	_, ok = s.Leaf("c", "d")
	require.False(t, ok, "it depends on other values")
	_, ok = s.Leaf("c", "e")
	require.True(t, ok)
	keys, ok := s.Key()
	require.True(t, ok)
	require.True(t, keys.AcceptsText("a"))
	require.False(t, keys.AcceptsText("A"))
}

// TestOthersAreCompiled: of a schema that is not ours nothing is taken for granted.
func TestOthersAreCompiled(t *testing.T) {
	for _, text := range []string{
		`{"properties": {"a": {"pattern": "^(?!x)"}}}`, `{"type": "foo"}`, `{"minimum": "1"}`,
	} {
		_, err := Compile([]byte(text))
		require.ErrorContains(t, err, "compile values.schema.json", text)
	}
	for _, text := range []string{
		`{"$defs": {"n": {"type": "integer"}}, "properties": {"a": {"$ref": "#/$defs/n", "minimum": 5}}}`,
		`{"properties": {"a": {"type": "integer", "minimum": 5}}}`,
	} {
		s, err := Compile([]byte(text))
		require.NoError(t, err)
		require.Nil(t, s.rule)
		require.NotEmpty(t, s.Validate(map[string]any{"a": 1.0}), text)
	}
}
