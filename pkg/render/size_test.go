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

// TestDropOversize checks that a lease that is refused for its size is refused with the same
// message without its large parts, and that no other lease changes.
func TestDropOversize(t *testing.T) {
	t.Parallel()
	deep := any(1)
	for range 100 {
		deep = map[string]any{"a": deep}
	}
	large := strings.Repeat("x", maxSpecBytes)
	duration, longDuration := v1alpha1.Duration("1h"), v1alpha1.Duration(large)
	target := v1alpha1.Target{Name: "triton", Selector: map[string]string{"app": "triton"}}
	for name, test := range map[string]struct {
		spec, want v1alpha1.TritonLeaseSpec
	}{
		"long": {
			v1alpha1.TritonLeaseSpec{Duration: &duration, LeaseSpec: v1alpha1.LeaseSpec{Image: large, Target: &target, Autoscaling: v1alpha1.Autoscaling{Enable: true}}},
			v1alpha1.TritonLeaseSpec{Duration: &duration, LeaseSpec: v1alpha1.LeaseSpec{Target: &target, Autoscaling: v1alpha1.Autoscaling{Enable: true}}},
		},
		"deep":     {v1alpha1.TritonLeaseSpec{LeaseSpec: v1alpha1.LeaseSpec{Triton: &v1alpha1.Triton{Affinity: v1alpha1.Raw(deep)}}}, v1alpha1.TritonLeaseSpec{}},
		"duration": {v1alpha1.TritonLeaseSpec{Duration: &longDuration}, v1alpha1.TritonLeaseSpec{}},
		"target":   {v1alpha1.TritonLeaseSpec{LeaseSpec: v1alpha1.LeaseSpec{Target: &v1alpha1.Target{Name: large}}}, v1alpha1.TritonLeaseSpec{}},
	} {
		lease := &v1alpha1.TritonLease{Spec: test.spec}
		refusal := checkSize(lease)
		require.NotEmpty(t, refusal, name)
		DropOversize(lease)
		require.Equal(t, test.want, lease.Spec, name)
		require.Equal(t, refusal, checkSize(lease), name)
	}

	// A user cannot set the annotation.
	lease := &v1alpha1.TritonLease{Spec: v1alpha1.TritonLeaseSpec{Duration: &duration}}
	lease.Annotations = map[string]string{droppedAnnotation: tooLong}
	DropOversize(lease)
	require.Empty(t, lease.Annotations)
	require.Empty(t, checkSize(lease))
	require.Equal(t, &duration, lease.Spec.Duration)
}
