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

// twin returns a renderer in which the chart judges by its own templates.
func twin(t testing.TB) *render.Renderer {
	t.Helper()
	r, err := render.New(render.Options{Chart: charts.TMS()})
	require.NoError(t, err)
	return r
}

func ours(t testing.TB) *render.Renderer {
	t.Helper()
	r, err := render.New(render.Options{})
	require.NoError(t, err)
	return r
}

// FuzzAgreement is the first of the ties between the judgement of Go and its
// twin in the chart: for any values they render the same text and say the same
// sentences, or refuse with the same sentences.
func FuzzAgreement(f *testing.F) {
	for _, seed := range seeds(200) {
		f.Add(seed)
	}
	judgedByGo, judgedByChart := ours(f), twin(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		text, name := randvalues.YAML(data)
		release := render.Release{Name: name, Namespace: "ns"}
		got, err := judgedByGo.Render(release, text)
		wanted, wantedErr := judgedByChart.Render(release, text)
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
	r := ours(t)
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
		require.Greater(t, outcomes[outcome], 15, outcome)
	}
}

func read(t testing.TB, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return text
}
