package policy_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"

	"github.com/triton-leases/tms/pkg/policy"
)

// TestRandomLeases compares the judgement of random requests under random bounds
// with a simple reading of the bounds: fields as texts, volumes by the Go types of
// Kubernetes and tolerations by the taints that they tolerate.
func TestRandomLeases(t *testing.T) {
	t.Parallel()
	r := random{rand.New(rand.NewPCG(7, 8))}
	allowed, refused := 0, 0
	for range 3000 {
		config := r.leaseConfig()
		bounds := leaseBounds(t, config)
		triton := r.triton()
		want := slices.Concat(
			unlistedFields(triton, config.AllowedFields),
			otherVolumes(t, "spec.triton", triton, config.AllowedVolumes),
			unmatchedTolerations(t, "spec.triton", triton, config.AllowedTolerations),
		)
		if template, has := triton["podTemplate"].(map[string]any); has {
			inner := template["spec"].(map[string]any)
			want = append(want, otherVolumes(t, "spec.triton.podTemplate.spec", inner, config.AllowedVolumes)...)
			want = append(want, unmatchedTolerations(t, "spec.triton.podTemplate.spec", inner, config.AllowedTolerations)...)
		}
		got := []string{}
		for _, reason := range bounds.CheckRequest(spec, policy.LeaseRequest{Triton: triton}, nil) {
			got = append(got, reason.Field)
		}
		require.ElementsMatch(t, want, got, "%v\n%+v", triton, config)
		if len(got) == 0 {
			allowed++
		} else {
			refused++
		}

		replicas := r.Int64N(20)
		granted, adjustments := bounds.GrantReplicas(spec, replicas, false)
		require.LessOrEqual(t, granted, config.Limits.Replicas)
		require.Equal(t, granted != replicas, len(adjustments) == 1)
		require.True(t, granted == replicas || granted == config.Limits.Replicas)
	}
	t.Log(allowed, refused)
	require.Greater(t, allowed, 300)
	require.Greater(t, refused, 300)
}

type random struct{ *rand.Rand }

func (r random) pick(options ...string) string { return options[r.IntN(len(options))] }

// some returns some of the options.
func (r random) some(options ...string) []string {
	return slices.DeleteFunc(options, func(string) bool { return r.IntN(2) == 0 })
}

func (r random) leaseConfig() policy.LeaseConfig {
	config := policy.LeaseConfig{
		AllowedFields:  r.some("args", "tolerations", "volumes", "podTemplate.spec.volumes", "podTemplate.spec.dnsConfig", "podTemplate.metadata", "podTemplate.spec.tolerations"),
		AllowedVolumes: r.some("emptyDir", "persistentVolumeClaim", "hostPath"),
		Limits:         policy.LimitsConfig{Replicas: 1 + r.Int64N(10)},
	}
	if r.IntN(3) == 0 {
		config.AllowedFields = append(config.AllowedFields, "podTemplate")
	}
	for range r.IntN(3) {
		config.AllowedTolerations = append(config.AllowedTolerations, policy.AllowedToleration{
			Key: r.pick("", "a", "b"), Value: r.pick("", "", "x"), Effect: r.pick("", "", "NoSchedule"),
		})
	}
	return config
}

func (r random) triton() map[string]any {
	triton := map[string]any{}
	r.maybe(triton, "args", []any{"a"})
	r.maybe(triton, "volumes", r.volumes())
	r.maybe(triton, "tolerations", r.tolerations())
	if r.IntN(2) == 0 {
		inner := map[string]any{"dnsConfig": map[string]any{"options": []any{}}}
		r.maybe(inner, "volumes", r.volumes())
		r.maybe(inner, "tolerations", r.tolerations())
		r.maybe(inner, "dnsConfigs", "a")
		template := map[string]any{"spec": inner}
		r.maybe(template, "metadata", map[string]any{"labels": map[string]any{"a/b.c": "d"}})
		triton["podTemplate"] = template
	}
	return triton
}

func (r random) maybe(object map[string]any, key string, value any) {
	if r.IntN(3) == 0 {
		object[key] = value
	}
}

func (r random) volumes() any {
	volumes := []any{}
	for range r.IntN(3) {
		volumes = append(volumes, map[string]any{"name": "a", r.pick("emptyDir", "emptyDir", "persistentVolumeClaim", "hostPath", "nfs"): map[string]any{}})
	}
	return volumes
}

// tolerations returns tolerations that Kubernetes accepts.
func (r random) tolerations() any {
	tolerations := []any{}
	for range r.IntN(3) {
		toleration := map[string]any{"key": r.pick("a", "b", "c"), "value": r.pick("", "x", "y"), "effect": r.pick("", "NoSchedule", "NoExecute")}
		if r.IntN(2) == 0 {
			toleration["operator"], toleration["value"] = "Exists", ""
			toleration["key"] = r.pick("", "a", "b")
		}
		tolerations = append(tolerations, toleration)
	}
	return tolerations
}

// unlistedFields returns the paths of all fields that no entry is a prefix of.
func unlistedFields(triton map[string]any, entries []string) []string {
	var texts []string
	var flatten func(path string, value any)
	flatten = func(path string, value any) {
		if object, isMap := value.(map[string]any); isMap && strings.HasPrefix(path, "podTemplate") {
			for key, inner := range object {
				if strings.Contains(key, ".") {
					key = "[" + key + "]"
				}
				flatten(path+"."+key, inner)
			}
			return
		}
		texts = append(texts, path)
	}
	for key, value := range triton {
		flatten(key, value)
	}
	var unlisted []string
	for _, text := range texts {
		if !slices.ContainsFunc(entries, func(entry string) bool { return strings.HasPrefix(text+".", entry+".") }) {
			unlisted = append(unlisted, "spec.triton."+strings.ReplaceAll(text, ".[a/b.c]", ".a/b.c"))
		}
	}
	return unlisted
}

func decodeList[T any](t *testing.T, list any) []T {
	t.Helper()
	text, err := json.Marshal(list)
	require.NoError(t, err)
	var items []T
	require.NoError(t, json.Unmarshal(text, &items))
	return items
}

// otherVolumes returns the paths of volumes of types that are not in the list.
func otherVolumes(t *testing.T, path string, pod map[string]any, types []string) []string {
	var others []string
	for i, volume := range decodeList[corev1.Volume](t, pod["volumes"]) {
		source := reflect.ValueOf(volume.VolumeSource)
		for k := range source.NumField() {
			name, _, _ := strings.Cut(source.Type().Field(k).Tag.Get("json"), ",")
			if !source.Field(k).IsNil() && !slices.Contains(types, name) {
				others = append(others, fmt.Sprintf("%s.volumes[%d].%s", path, i, name))
			}
		}
	}
	return others
}

// unmatchedTolerations returns the paths of the tolerations that are not allowed. A
// toleration is allowed if one entry matches all taints that it tolerates.
func unmatchedTolerations(t *testing.T, path string, pod map[string]any, entries []policy.AllowedToleration) []string {
	var taints []corev1.Taint
	for _, key := range []string{"a", "b", "c", "other"} {
		for _, value := range []string{"", "x", "y", "other"} {
			for _, effect := range []corev1.TaintEffect{"NoSchedule", "PreferNoSchedule", "NoExecute"} {
				taints = append(taints, corev1.Taint{Key: key, Value: value, Effect: effect})
			}
		}
	}
	var unmatched []string
	for i, toleration := range decodeList[corev1.Toleration](t, pod["tolerations"]) {
		matched := slices.ContainsFunc(entries, func(e policy.AllowedToleration) bool {
			return !slices.ContainsFunc(taints, func(taint corev1.Taint) bool {
				within := (e.Key == "" || e.Key == taint.Key) && (e.Value == "" || e.Value == taint.Value) && (e.Effect == "" || e.Effect == string(taint.Effect))
				return toleration.ToleratesTaint(klog.Background(), &taint, false) && !within
			})
		})
		if !matched {
			unmatched = append(unmatched, fmt.Sprintf("%s.tolerations[%d]", path, i))
		}
	}
	return unmatched
}
