package render_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/triton-leases/tms/charts"
	"github.com/triton-leases/tms/internal/testing/golden"
	"github.com/triton-leases/tms/internal/testing/randvalues"
	"github.com/triton-leases/tms/pkg/policy"
	"github.com/triton-leases/tms/pkg/render"
)

// ours grants with pkg/policy, and twin with the templates of the chart. All tests share
// them: a Renderer is safe for concurrent use.
var (
	ours = newRenderer(render.Options{})
	twin = newRenderer(render.Options{Chart: charts.TMS()})
)

func newRenderer(options render.Options) *render.Renderer {
	r, err := render.New(options)
	if err != nil {
		panic(err)
	}
	return r
}

// FuzzAgreement holds pkg/policy and its twin in the chart together: for any values
// they render the same text with the same warnings, or refuse with the same messages.
func FuzzAgreement(f *testing.F) {
	for _, seed := range seeds(60) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		text, name := randvalues.YAML(data)
		release := render.Release{Name: name, Namespace: "ns"}
		got, err := ours.Render(release, text)
		wanted, wantedErr := twin.Render(release, text)
		if wantedErr != nil {
			var refusal policy.Refusal
			require.ErrorAs(t, err, &refusal, "only the chart refuses:\n%s\n%v", text, wantedErr)
			require.Equal(t, sentences(wantedErr), refusal.Error(), "values:\n%s", text)
			return
		}
		require.NoError(t, err, "only Go refuses:\n%s", text)
		golden.Same(t, printed(t, wanted), printed(t, got), "values:\n"+string(text))
		require.Equal(t, wanted.Warnings, got.Warnings, "values:\n%s", text)
		require.Equal(t, slices.Collect(wanted.Documents()), slices.Collect(got.Documents()), "the documents are sorted without being parsed")
		decodesStrictly(t, got)
	})
}

// seeds returns bytes to make values of, the same on every run. The first are none.
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

// sentences returns what the chart's fail said, without where it stood.
func sentences(err error) string {
	_, said, _ := strings.Cut(err.Error(), "): \n")
	return said
}

func printed(t testing.TB, result *render.Result) string {
	t.Helper()
	var text strings.Builder
	n, err := result.WriteTo(&text)
	require.NoError(t, err)
	require.Equal(t, int64(text.Len()), n)
	return text.String()
}

// TestAgreementReachesAll makes sure that the fuzzing is worth something: the
// seeds reach every outcome often.
func TestAgreementReachesAll(t *testing.T) {
	t.Parallel()
	r := ours
	outcomes := map[string]int{}
	for _, data := range seeds(150) {
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
		for _, lease := range result.Leases {
			if lease.Grant.Autoscaled {
				outcomes["autoscaled"]++
			}
			if len(lease.Grant.Adjustments) > 0 {
				outcomes["adjusted"]++
			}
		}
	}
	t.Log(outcomes)
	for _, outcome := range []string{"refused", "warned", "rendered", "autoscaled", "adjusted", "target"} {
		require.Greater(t, outcomes[outcome], 5, outcome)
	}
}

func read(t testing.TB, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return text
}
