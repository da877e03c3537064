package render_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"

	"github.com/triton-leases/tms/charts"
	"github.com/triton-leases/tms/internal/testing/golden"
	"github.com/triton-leases/tms/internal/testing/randvalues"
	"github.com/triton-leases/tms/pkg/policy"
	"github.com/triton-leases/tms/pkg/render"
)

// goPolicy renders the chart with package policy, chartPolicy with the chart's own policy
// templates. All tests share them: a Renderer is safe for concurrent use.
var (
	goPolicy    = newRenderer(render.Options{})
	chartPolicy = newRenderer(render.Options{Chart: charts.TMS()})
)

func newRenderer(options render.Options) *render.Renderer {
	r, err := render.New(options)
	if err != nil {
		panic(err)
	}
	return r
}

// FuzzAgreement compares package policy with the policy templates of the chart: for any
// values, both render the same text with the same warnings, or refuse with the same
// messages.
func FuzzAgreement(f *testing.F) {
	for _, seed := range seeds(60) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		text, name := randvalues.YAML(data)
		release := render.Release{Name: name, Namespace: "ns"}
		got, err := goPolicy.Render(release, text)
		wanted, wantedErr := chartPolicy.Render(release, text)
		if wantedErr != nil {
			var refusal policy.Refusal
			require.ErrorAs(t, err, &refusal, "only the chart refuses:\n%s\n%v", text, wantedErr)
			require.Equal(t, failMessage(wantedErr), refusal.Error(), "values:\n%s", text)
			return
		}
		if inGoOnly(err) {
			return // Helm finds it when it installs the release, or tms-server does
		}
		require.NoError(t, err, "only Go refuses:\n%s", text)
		golden.Same(t, printed(t, wanted), printed(t, got), "values:\n"+string(text))
		require.Equal(t, wanted.Warnings, got.Warnings, "values:\n%s", text)
		require.Equal(t, slices.Collect(wanted.Documents()), slices.Collect(got.Documents()), "the documents are sorted without being parsed")
		decodesStrictly(t, got)
	})
}

// inGoOnly reports whether all reasons of a refusal are rules that the chart does not have.
func inGoOnly(err error) bool {
	reasons := policy.Reasons(err)
	return len(reasons) > 0 && !slices.ContainsFunc(reasons, func(r *field.Error) bool { return r.Origin == "" })
}

// seeds returns n inputs for package randvalues, the same on every run. The first is
// empty.
func seeds(n int) [][]byte {
	random := rand.New(rand.NewPCG(1, 2))
	all := make([][]byte, n)
	for i := range all[1:] {
		all[i+1] = make([]byte, 40+random.IntN(400))
		for j := range all[i+1] {
			all[i+1][j] = byte(random.UintN(256))
		}
	}
	return all
}

// failMessage returns the message of the chart's fail, without the position that Helm
// puts before it.
func failMessage(err error) string {
	_, message, _ := strings.Cut(err.Error(), "): \n")
	return message
}

func printed(t testing.TB, result *render.Result) string {
	t.Helper()
	var text strings.Builder
	n, err := result.WriteTo(&text)
	require.NoError(t, err)
	require.Equal(t, int64(text.Len()), n)
	return text.String()
}

// TestSeedsReachOutcomes checks that the seeds of FuzzAgreement reach every outcome often.
func TestSeedsReachOutcomes(t *testing.T) {
	t.Parallel()
	r := goPolicy
	outcomes := map[string]int{}
	for _, data := range seeds(300) {
		text, name := randvalues.YAML(data)
		result, err := r.Render(render.Release{Name: name, Namespace: "ns"}, text)
		var refusal policy.Refusal
		switch {
		case errors.As(err, &refusal):
			outcomes["refused"]++
		case err != nil:
			t.Fatalf("%v\n%s", err, text)
		case len(result.Warnings) > 0:
			outcomes["warned"]++
		default:
			outcomes["rendered"]++
		}
		if result == nil {
			continue
		}
		if strings.Contains(string(text), "target:") {
			outcomes["target"]++
		}
		if strings.Contains(string(text), "uri: repo://") {
			outcomes["named repository"]++
		}
		for _, lease := range result.Leases {
			if lease.Grant.Autoscaled {
				outcomes["autoscaled"]++
			}
			if len(lease.Grant.Adjustments) > 0 {
				outcomes["adjusted"]++
			}
			if len(lease.Grant.Schedule) > 0 {
				outcomes["scheduled"]++
			}
		}
	}
	t.Log(outcomes)
	for _, outcome := range []string{"refused", "warned", "rendered", "autoscaled", "adjusted", "target", "named repository", "scheduled"} {
		require.Greater(t, outcomes[outcome], 5, outcome)
	}
}

func read(t testing.TB, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return text
}

// TestWithoutDefaults removes each default of triton, and checks that the chart and Go still
// agree.
func TestWithoutDefaults(t *testing.T) {
	t.Parallel()
	var defaults map[string]any
	require.NoError(t, yaml.Unmarshal(read(t, "../../charts/tms/values.yaml"), &defaults))
	const lease = `leases: {a: {models: [{name: m, uri: /models}]}}`
	for key := range defaults["triton"].(map[string]any) {
		removed := []byte("triton: {" + key + ": null}")
		wanted, err := chartPolicy.Render(release, []byte(lease), removed)
		require.NoError(t, err, key)
		got, err := goPolicy.Render(release, []byte(lease), removed)
		require.NoError(t, err, key)
		golden.Same(t, printed(t, wanted), printed(t, got), key)
	}
}
