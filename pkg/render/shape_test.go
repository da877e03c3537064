package render_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/triton-leases/tms/internal/testing/golden"
	"github.com/triton-leases/tms/internal/testing/randvalues"
	"github.com/triton-leases/tms/pkg/policy"
	"github.com/triton-leases/tms/pkg/render"
)

// FuzzShapes checks that placeholders do not change the output: a fleet of similar leases
// renders to the same text as with chartPolicy, which runs the templates on each lease.
func FuzzShapes(f *testing.F) {
	for _, seed := range seeds(20) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		text, name := randvalues.Fleet(data)
		release := render.Release{Name: name, Namespace: "ns"}
		wanted, err := chartPolicy.Render(release, text)
		if err != nil {
			_, got := goPolicy.Render(release, text)
			require.Error(t, got, "only the chart refuses:\n%s", text)
			var bySchema policy.Refusal // both validate with the same schema
			if !errors.As(err, &bySchema) {
				require.Equal(t, failMessage(err), got.Error(), "%s", text)
			}
			return
		}
		got, err := goPolicy.Render(release, text)
		if inGoOnly(err) {
			return // Helm finds it when it installs the release
		}
		require.NoError(t, err, "%s", text)
		golden.Same(t, printed(t, wanted), printed(t, got), "values:\n"+string(text))
		require.Equal(t, slices.Collect(wanted.Documents()), slices.Collect(got.Documents()))
		golden.Same(t, asJSON(t, wanted), asJSON(t, got), "as JSON, values:\n"+string(text))
	})
}

func asJSON(t testing.TB, result *render.Result) string {
	t.Helper()
	var text strings.Builder
	require.NoError(t, result.WriteJSON(&text))
	return text.String()
}

// TestOneInvalidLease checks that one invalid lease among similar leases is reported as the
// schema reports it.
func TestOneInvalidLease(t *testing.T) {
	t.Parallel()
	const lease = `  %s:
    models:
      - name: %s
        uri: %s
    triton:
      priorityClassName: %s
    autoscaling:
      enable: true
      replicas:
        maximum: %s
      metrics:
        queueTime:
          threshold: %s
`
	for name, broken := range map[string][]any{
		"name":      {`"null"`, "m", "/m", "high", "4", "20000"},
		"upper":     {"Upper", "m", "/m", "high", "4", "20000"},
		"model":     {"b", "a/b", "/m", "high", "4", "20000"},
		"uri":       {"b", "m", "ftp://m", "high", "4", "20000"},
		"claim":     {"b", "m", "pvc://Upper/x", "high", "4", "20000"},
		"number":    {"b", "m", "/m", "high", "2147483648", "20000"},
		"fraction":  {"b", "m", "/m", "high", "4.5", "20000"},
		"threshold": {"b", "m", "/m", "high", "4", "9007199254740992"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := "server: {autoscaling: {enable: true, metrics: {queueTime: {enabled: true}}}}\nleases:\n"
			for i := range 5 {
				text += fmt.Sprintf(lease, fmt.Sprint("a", i), "m", "pvc://claim/x", "high", "4", "20000")
				text += fmt.Sprintf(lease, fmt.Sprint("z", i), "m", "s3://b", "high", "4", "20000")
			}
			_, err := goPolicy.Render(release, []byte(text))
			require.NoError(t, err)
			text += fmt.Sprintf(lease, broken...)
			_, wanted := chartPolicy.Render(release, []byte(text))
			require.Error(t, wanted)
			_, err = goPolicy.Render(release, []byte(text))
			require.EqualError(t, err, wanted.Error())
		})
	}
}

// TestSimilarLeases tests differences that placeholders could hide.
func TestSimilarLeases(t *testing.T) {
	t.Parallel()
	many := func(name, uri string) string {
		var models []string
		for i := range 80 {
			models = append(models, fmt.Sprintf("{name: m%d, uri: 's3://c/%d'}", i, i))
		}
		models[5] = fmt.Sprintf("{name: %s, uri: '%s'}", name, uri)
		return "{models: [" + strings.Join(models, ", ") + "]}"
	}
	for name, text := range map[string]string{
		"one claim twice, and a text that is escaped": `
  a: {models: [{name: m, uri: 'pvc://shared/x"y'}, {name: k, uri: 'pvc://other/z'}]}
  b: {models: [{name: m, uri: 'pvc://shared/x"y'}, {name: k, uri: 'pvc://shared/z'}]}`,
		"a path in the image where a claim is mounted": `
  a: {models: [{name: m, uri: 'pvc://shared/x'}, {name: k, uri: /mnt/models/shared/x}]}
  b: {models: [{name: m, uri: 'pvc://shared/x'}, {name: k, uri: /mnt/models/other/x}]}`,
		"a repository twice": "\n  a: " + many("m5", "s3://c/5") + "\n  b: " + many("m5", "s3://c/70"),
		"a model twice":      "\n  a: " + many("m5", "s3://c/5") + "\n  b: " + many("m70", "s3://c/5"),
		"a claim with the name of its model": `
  a: {models: [{name: m, uri: 'pvc://m/m'}]}
  b: {models: [{name: m, uri: 'pvc://n/m'}]}`,
		"a path where images and downloads are mounted": `
  a: {models: [{name: m, uri: 'oci://a//x'}, {name: k, uri: /mnt/model-images/0/x}]}
  b: {models: [{name: m, uri: 'oci://a//x'}, {name: k, uri: /mnt/model-images/1/x}]}
  c: {models: [{name: m, uri: 'oci://a'}, {name: k, uri: 'oci://a//x'}, {name: o, uri: 'oci://b'}]}
  d: {models: [{name: m, uri: 'oci://a'}, {name: k, uri: 'oci://b//x'}, {name: o, uri: 'oci://b'}]}`,
		"what JSON escapes": `
  a: {models: [{name: m, uri: 's3://b/<&>'}]}
  b: {models: [{name: m, uri: 's3://b/x'}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := []byte("leases:" + text + "\n")
			wanted, err := chartPolicy.Render(release, text)
			if err != nil {
				_, got := goPolicy.Render(release, text)
				require.EqualError(t, got, failMessage(err))
				return
			}
			got, err := goPolicy.Render(release, text)
			require.NoError(t, err)
			golden.Same(t, printed(t, wanted), printed(t, got), "")
			golden.Same(t, asJSON(t, wanted), asJSON(t, got), "")
		})
	}
}
