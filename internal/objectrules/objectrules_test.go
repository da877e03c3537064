package objectrules

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/client-go/applyconfigurations"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/triton-leases/tms/internal/testing/objectcases"
)

// apply knows the keys of lists, as server-side apply does.
var apply managedfields.TypeConverter = applyconfigurations.NewTypeConverter(scheme.Scheme)

func decode(t *testing.T, manifest []byte) runtime.Object {
	object, _, err := scheme.Codecs.UniversalDeserializer().Decode(manifest, nil, nil)
	require.NoError(t, err)
	return object
}

func TestValidObjectsAreAccepted(t *testing.T) {
	objects, err := objectcases.Valid()
	require.NoError(t, err)
	for _, manifest := range objects {
		object := decode(t, manifest)
		before := object.DeepCopyObject()
		assert.Empty(t, Validate(object), "%s", manifest)
		assert.Equal(t, before, object, "Validate changed the object")
		_, err := apply.ObjectToTyped(object)
		assert.NoError(t, err)
	}
}

func TestFaultsAreRefused(t *testing.T) {
	cases, err := objectcases.Refused()
	require.NoError(t, err)
	names := map[string]bool{}
	for _, c := range cases {
		assert.False(t, names[c.Name], "two cases have the name %q", c.Name)
		names[c.Name] = true
		t.Run(c.Name, func(t *testing.T) {
			object := decode(t, c.Manifest)
			faults := Validate(object)
			var paths []string
			for _, fault := range faults {
				paths = append(paths, fault.Field)
			}
			assert.True(t, slices.Contains(paths, c.Path), "no fault at %s, but at %q", c.Path, paths)
			assert.Equal(t, faults, Validate(object), "not deterministic")
			if c.Apply {
				_, err := apply.ObjectToTyped(object)
				assert.Error(t, err, "server-side apply accepts it")
			}
		})
	}
}

func BenchmarkValidate(b *testing.B) {
	objects, err := objectcases.Valid()
	require.NoError(b, err)
	object, _, err := scheme.Codecs.UniversalDeserializer().Decode(objects[0], nil, nil)
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		Validate(object)
	}
}
