package v1alpha1_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/randfill"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// full returns a TritonLease in which every field is set.
func full(t *testing.T) *v1alpha1.TritonLease {
	t.Helper()
	lease := new(v1alpha1.TritonLease)
	randfill.NewWithSeed(1).NilChance(0).NumElements(2, 2).Funcs(
		func(v *v1alpha1.RawJSON, _ randfill.Continue) {
			*v = v1alpha1.Raw(map[string]any{"deep": map[string]any{"list": []any{"a", 1.0}}})
		},
		func(v *metav1.FieldsV1, _ randfill.Continue) { v.SetRawString("{}") },
	).Fill(lease)
	return lease
}

// TestDeepCopy checks that a copy is equal and shares no memory.
func TestDeepCopy(t *testing.T) {
	t.Parallel()
	lease := full(t)
	copied, ok := lease.DeepCopyObject().(*v1alpha1.TritonLease)
	require.True(t, ok)
	require.Equal(t, lease, copied)
	requireApart(t, "", reflect.ValueOf(lease), reflect.ValueOf(copied))

	list := &v1alpha1.TritonLeaseList{Items: []v1alpha1.TritonLease{*lease}}
	copiedList, ok := list.DeepCopyObject().(*v1alpha1.TritonLeaseList)
	require.True(t, ok)
	require.Equal(t, list, copiedList)
	requireApart(t, "", reflect.ValueOf(list), reflect.ValueOf(copiedList))
	require.Equal(t, new(v1alpha1.TritonLease), new(v1alpha1.TritonLease).DeepCopy(), "an empty lease stays empty")
}

// requireApart requires that two values share no memory.
func requireApart(t *testing.T, path string, a, b reflect.Value) {
	t.Helper()
	switch a.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice:
		if a.IsNil() {
			return
		}
		require.NotEqual(t, a.UnsafePointer(), b.UnsafePointer(), path)
	}
	switch a.Kind() {
	case reflect.Pointer, reflect.Interface:
		requireApart(t, path, a.Elem(), b.Elem())
	case reflect.Struct:
		if a.Type() == reflect.TypeFor[metav1.Time]() {
			return // its location is shared by all times
		}
		for i := range a.NumField() {
			requireApart(t, path+"."+a.Type().Field(i).Name, a.Field(i), b.Field(i))
		}
	case reflect.Slice:
		for i := range a.Len() {
			requireApart(t, path+"[]", a.Index(i), b.Index(i))
		}
	case reflect.Map:
		for entry := a.MapRange(); entry.Next(); {
			requireApart(t, path+"[*]", entry.Value(), b.MapIndex(entry.Key()))
		}
	}
}

// TestJSON checks that decoding reverses encoding.
func TestJSON(t *testing.T) {
	t.Parallel()
	lease := full(t)
	text, err := json.Marshal(lease)
	require.NoError(t, err)
	read := new(v1alpha1.TritonLease)
	require.NoError(t, json.Unmarshal(text, read))
	again, err := json.Marshal(read)
	require.NoError(t, err)
	require.JSONEq(t, string(text), string(again))
}

func TestAddToScheme(t *testing.T) {
	t.Parallel()
	scheme := runtime.NewScheme()
	require.NoError(t, v1alpha1.AddToScheme(scheme))
	kinds, _, err := scheme.ObjectKinds(&v1alpha1.TritonLease{})
	require.NoError(t, err)
	require.Equal(t, "tms.triton-leases.dev/v1alpha1, Kind=TritonLease", kinds[0].String())
}

// TestStoredWarnings checks that a status with the warnings of earlier versions decodes.
func TestStoredWarnings(t *testing.T) {
	t.Parallel()
	const stored = `{"status": {"granted": {"autoscaled": true, "warnings": [
		"spec.triton.replicas: ignored: it is autoscaled", "a sentence", {"field": "spec.image", "message": "is old"}]}}}`
	lease := new(v1alpha1.TritonLease)
	require.NoError(t, json.Unmarshal([]byte(stored), lease))
	require.Equal(t, []v1alpha1.Warning{
		{Field: "spec.triton.replicas", Message: "ignored: it is autoscaled"},
		{Message: "a sentence"},
		{Field: "spec.image", Message: "is old"},
	}, lease.Status.Granted.Warnings)
	require.Error(t, json.Unmarshal([]byte(`{"status": {"granted": {"warnings": [1]}}}`), lease))
}
