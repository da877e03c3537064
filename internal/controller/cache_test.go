package controller

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// trimmedLease returns what the cache holds of a lease.
func trimmedLease(t *testing.T, lease *v1alpha1.TritonLease) *v1alpha1.TritonLease {
	t.Helper()
	trimmed, err := trim(lease)
	require.NoError(t, err)
	return trimmed.(*v1alpha1.TritonLease)
}

// TestLargeLeasesInCache checks that the cache holds little of leases that are refused for
// their size, or have much metadata.
func TestLargeLeasesInCache(t *testing.T) {
	const count, size = 100, 300 << 10 // bytes of each large part
	heap := func() int {
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return int(stats.HeapAlloc)
	}
	before := heap()
	var cached []any
	for i := range count {
		large := strings.Repeat("x", size)
		text := fmt.Sprintf(`{"metadata": {"name": "a%d", "annotations": {%q: %q}, "labels": {"a": %q}, "finalizers": [%q, "orphan"]},
			"spec": {"models": [{"name": "m", "uri": %q}], "triton": {"args": [%q]}, "duration": "1h"}}`,
			i, corev1.LastAppliedConfigAnnotation, large, large, large, large, large)
		lease := new(v1alpha1.TritonLease)
		require.NoError(t, json.Unmarshal([]byte(text), lease))
		trimmed := trimmedLease(t, lease)
		require.Equal(t, []string{metav1.FinalizerOrphanDependents}, trimmed.Finalizers)
		cached = append(cached, trimmed)
	}
	require.Less(t, heap()-before, 5<<20, "of more than 150 MiB")
	runtime.KeepAlive(cached)
}

// TestCachedOversizedLease checks that the controller refuses an oversized lease that it
// reads from the cache, and writes none of its other fields.
func TestCachedOversizedLease(t *testing.T) {
	t.Parallel()
	lease := newLease(t, "a", `{models: [{name: m, uri: /m}], duration: 1h, triton: {args: [`+strings.Repeat("x", 300_000)+`]}}`)
	lease.Labels, lease.Annotations, lease.Finalizers = map[string]string{"team": "vision"}, map[string]string{"note": "n"}, []string{"example.com/keep"}
	e := newEnvironment(t, scales, lease)
	stored := e.lease("a")
	for range 2 {
		require.Zero(t, e.reconcile("a"))
		require.Equal(t, "False Refused: spec: Too long: may not be more than 262144 bytes", e.condition("a", v1alpha1.ConditionGranted))
		now := e.lease("a")
		require.Equal(t, stored.Spec, now.Spec)
		require.Equal(t, stored.Labels, now.Labels)
		require.Equal(t, stored.Annotations, now.Annotations)
		require.Equal(t, stored.Finalizers, now.Finalizers)
	}
	require.Equal(t, []string{"update status TritonLease a"}, e.written())

	// A granted lease that becomes too large keeps its term.
	e.editSpec("a", fixed)
	e.reconcile("a")
	e.editSpec("a", `{models: [{name: m, uri: /m}], duration: 2h, triton: {args: [`+strings.Repeat("x", 300_000)+`]}}`)
	e.reconcile("a")
	require.Contains(t, e.condition("a", v1alpha1.ConditionGranted), "False Refused: spec: Too long")
	require.Equal(t, v1alpha1.Duration("2h"), e.lease("a").Status.Granted.Duration)
	require.NotEmpty(t, e.objects("tms-a"))
}
