package render

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/triton-leases/tms/api/v1alpha1"
)

func TestDepth(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		`1`: 0, `{}`: 1, `{"a":[{}],"b":{}}`: 3, `["{[\\\"{", "]"]`: 1,
		strings.Repeat("[", 50) + strings.Repeat("]", 50): 50,
	} {
		require.Equal(t, want, depth([]byte(text)), text)
	}
}

func TestCheckSize(t *testing.T) {
	t.Parallel()
	deep := any(1)
	for range 100 {
		deep = map[string]any{"a": deep}
	}
	lease := new(v1alpha1.TritonLease)
	require.Empty(t, checkSize(lease))
	lease.Spec.Triton = &v1alpha1.Triton{Affinity: v1alpha1.Raw(deep)}
	require.EqualError(t, checkSize(lease), "spec: Forbidden: must not be nested more than 32 deep")
	lease.Spec.Triton = &v1alpha1.Triton{Args: []string{strings.Repeat("x", maxSpecBytes)}}
	require.EqualError(t, checkSize(lease), "spec: Too long: may not be more than 262144 bytes")
}
