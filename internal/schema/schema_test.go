package schema_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/triton-leases/tms/internal/schema"
)

func TestCompileRefuses(t *testing.T) {
	for _, text := range []string{`{`, `{"type": 5}`, `{"$ref": "https://example.com/schema.json"}`, `{"$ref": "file:///etc/hostname"}`} {
		_, err := schema.Compile([]byte(text))
		require.Error(t, err, text)
	}
}

// TestMessagesWithoutComment checks the messages for keywords that have no $comment.
func TestMessagesWithoutComment(t *testing.T) {
	s, err := schema.Compile([]byte(`{"properties": {
		"a": {"type": "array", "uniqueItems": true, "items": {"type": ["string", "null"], "pattern": "^x"}},
		"b/~c": {"enum": ["x", "y"]},
		"d": {"oneOf": [{"type": "string"}, {"type": "integer", "minimum": 3}]}
	}}`))
	require.NoError(t, err)
	invalid := s.Validate(map[string]any{"a": []any{"xa", 5.0, "y"}, "b/~c": "z", "d": 1.0})
	var sentences []string
	for _, err := range invalid {
		sentences = append(sentences, err.Error())
	}
	require.Equal(t, []string{
		`["b/~c"]: Unsupported value: "z": supported values: "x", "y"`,
		`a[1]: Invalid value: 5: must be a string or a null, not the number 5`,
		`a[2]: Invalid value: "y": does not match pattern '^x'`,
		`d: Invalid value: 1: must be a string, not the number 1: quote it`,
		`d: Invalid value: 1: must be at least 3`,
	}, sentences)
	require.Empty(t, s.Validate(map[string]any{"a": []any{"x", nil}, "d": 4.0}))
}
