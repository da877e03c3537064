package render

import (
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestVerdicts checks that verdicts forget rather than grow without a bound.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	var v verdicts
	key := func(i int) [sha256.Size]byte { return sha256.Sum256(fmt.Append(nil, i)) }
	for i := range maxVerdicts {
		v.add(key(i))
	}
	require.True(t, v.has(key(0)))
	require.False(t, v.has(key(maxVerdicts)))
	v.add(key(maxVerdicts))
	require.True(t, v.has(key(maxVerdicts)))
	require.Len(t, v.accepted, 1)
}

// TestValidateAgain checks that an accepted lease does not let through another spec or another
// name, and that a refused lease is refused again.
func TestValidateAgain(t *testing.T) {
	t.Parallel()
	r, err := New(Options{})
	require.NoError(t, err)
	lr, err := r.LeaseRenderer(Release{Name: "tms", Namespace: "ns"}, new(Input))
	require.NoError(t, err)
	good := map[string]any{"models": []any{map[string]any{"name": "m", "uri": "/m"}}}
	bad := map[string]any{"models": []any{map[string]any{"name": "m", "uri": 1.0}}}
	for range 2 {
		for _, test := range []struct {
			name     string
			value    map[string]any
			accepted bool
		}{{"a", good, true}, {"a", bad, false}, {"A", good, false}} {
			refused, err := lr.validateAgain(test.name, test.value)
			require.NoError(t, err)
			require.Equal(t, test.accepted, len(refused) == 0, "%s: %v", test.name, refused)
		}
	}
	require.Len(t, r.verdicts.accepted, 1)
}
