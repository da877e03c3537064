package controller

import (
	"strings"
	"testing"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/pkg/values"
)

func TestDepth(t *testing.T) {
	for text, want := range map[string]int{
		`1`: 0, `{}`: 1, `{"a":[{}],"b":{}}`: 3, `["{[\\\"{", "]"]`: 1,
		strings.Repeat("[", 50) + strings.Repeat("]", 50): 50,
	} {
		if got := depth([]byte(text)); got != want {
			t.Errorf("depth(%s) = %d, want %d", text, got, want)
		}
	}
}

func TestTooLarge(t *testing.T) {
	deep := any(1)
	for range 100 {
		deep = map[string]any{"a": deep}
	}
	lease := new(v1alpha1.TritonLease)
	if reasons := tooLarge(lease); reasons != nil {
		t.Errorf("an empty lease: %v", reasons)
	}
	lease.Spec.Triton = &values.Triton{Affinity: values.Verbatim(deep.(map[string]any))}
	if tooLarge(lease) == nil {
		t.Error("100 deep is accepted")
	}
	lease.Spec.Triton = &values.Triton{Args: []string{strings.Repeat("x", mostText)}}
	if tooLarge(lease) == nil {
		t.Error("a lease of more than the limit is accepted")
	}
}
