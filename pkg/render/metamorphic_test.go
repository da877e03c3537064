package render_test

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/triton-leases/tms/internal/testing/golden"
	"github.com/triton-leases/tms/internal/testing/randvalues"
	"github.com/triton-leases/tms/pkg/render"
)

// FuzzGrantedAgain asks for what was granted, and checks that nothing is adjusted and that
// the text is the same except for the annotation with the adjustments.
func FuzzGrantedAgain(f *testing.F) {
	for _, seed := range seeds(30) {
		f.Add(seed)
	}
	r := goPolicy
	f.Fuzz(func(t *testing.T, data []byte) {
		text, _ := randvalues.YAML(data)
		first, err := r.Render(release, text)
		if err != nil {
			return // refused
		}
		var values map[string]any
		require.NoError(t, yaml.Unmarshal(text, &values))
		for _, lease := range first.Leases {
			if lease.Grant.Autoscaled {
				askForGranted(values["leases"].(map[string]any)[lease.Name].(map[string]any), lease)
			}
		}
		second, err := r.RenderValues(release, values)
		require.NoError(t, err)
		for _, lease := range second.Leases {
			require.Empty(t, lease.Grant.Adjustments)
		}
		golden.Same(t, adjustments.ReplaceAllString(printed(t, first), ""), printed(t, second), "values:\n"+string(text))
	})
}

// adjustments matches the annotation of an autoscaler, and of one in the ConfigMap of a schedule.
var adjustments = regexp.MustCompile(`\n  annotations:\n    tms\.triton-leases\.dev/adjustments: \|-(\n      .*)+` +
	`|\n      annotations:\n        tms\.triton-leases\.dev/adjustments: \|-(\n          .*)+`)

func askForGranted(lease map[string]any, granted *render.GrantedLease) {
	request := lease["autoscaling"].(map[string]any)
	replicas := map[string]any{"minimum": granted.Grant.MinReplicas, "maximum": granted.Grant.MaxReplicas}
	var schedule []any
	for _, entry := range granted.Grant.Schedule {
		schedule = append(schedule, map[string]any{
			"cron": entry.Cron, "timeZone": entry.TimeZone, "minimum": entry.MinReplicas, "maximum": entry.MaxReplicas,
		})
	}
	if schedule != nil {
		replicas["schedule"] = schedule
	}
	request["replicas"] = replicas
	metrics, _ := request["metrics"].(map[string]any)
	if metrics == nil {
		metrics = map[string]any{}
		request["metrics"] = metrics
	}
	for _, target := range granted.Grant.Metrics {
		metric, _ := metrics[string(target.Metric)].(map[string]any)
		if metric == nil {
			metric = map[string]any{}
			metrics[string(target.Metric)] = metric
		}
		metric["threshold"] = target.Threshold
	}
}
