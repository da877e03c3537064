package render_test

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/triton-leases/tms/internal/testing/golden"
	"github.com/triton-leases/tms/internal/testing/randvalues"
	"github.com/triton-leases/tms/pkg/policy"
	"github.com/triton-leases/tms/pkg/render"
)

// FuzzForms holds what is filled in to what the engine renders: for any fleet,
// the text is that of the chart rendered by itself.
func FuzzForms(f *testing.F) {
	for _, seed := range seeds(150) {
		f.Add(seed)
	}
	filled, byEngine := ours(f), twin(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		text, name := randvalues.Fleet(data)
		release := render.Release{Name: name, Namespace: "ns"}
		wanted, err := byEngine.Render(release, text)
		if err != nil {
			_, got := filled.Render(release, text)
			require.Error(t, got, "only the chart refuses:\n%s", text)
			var bySchema policy.Refusal // by the schema, which both ask
			if !errors.As(err, &bySchema) {
				require.Equal(t, sentences(err), got.Error(), "%s", text)
			}
			return
		}
		got, err := filled.Render(release, text)
		require.NoError(t, err, "%s", text)
		golden.Same(t, printed(t, wanted), printed(t, got), "values:\n"+string(text))
		require.Equal(t, slices.Collect(wanted.Documents()), slices.Collect(got.Documents()))
		got, err = filled.RenderByForms(release, text)
		require.NoError(t, err, "%s", text)
		golden.Same(t, printed(t, wanted), printed(t, got), "values, all by forms:\n"+string(text))
		golden.Same(t, asJSON(t, wanted), asJSON(t, got), "as JSON, values:\n"+string(text))

		var values map[string]any
		require.NoError(t, yaml.Unmarshal(text, &values))
		got, err = filled.RenderValues(release, values)
		require.NoError(t, err, "%s", text)
		golden.Same(t, printed(t, wanted), printed(t, got), "values, parsed:\n"+string(text))
	})
}

func asJSON(t testing.TB, result *render.Result) string {
	t.Helper()
	var text strings.Builder
	require.NoError(t, result.WriteJSON(&text))
	return text.String()
}

// TestFormsAreUsed makes sure that the fuzzing is worth something: many of the
// seeds are filled in without being forced to.
func TestFormsAreUsed(t *testing.T) {
	r := ours(t)
	filled, rendered := 0, 0
	for _, data := range seeds(200) {
		text, name := randvalues.Fleet(data)
		result, err := r.Render(render.Release{Name: name, Namespace: "ns"}, text)
		switch {
		case err != nil:
		case result.ByEngine() == nil:
			filled++
		default:
			rendered++
		}
	}
	t.Log(filled, rendered)
	require.Greater(t, filled, 30)
}

// TestOneOfAForm: what is wrong with one lease of many that look like it is
// found, and said as by the schema alone.
func TestOneOfAForm(t *testing.T) {
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
			text := "server: {autoscaling: {enable: true, metrics: {queueTime: {enabled: true}}}}\nleases:\n"
			for i := range 20 {
				text += fmt.Sprintf(lease, fmt.Sprint("a", i), "m", "pvc://claim/x", "high", "4", "20000")
				text += fmt.Sprintf(lease, fmt.Sprint("z", i), "m", "s3://b", "high", "4", "20000")
			}
			_, err := ours(t).Render(release, []byte(text))
			require.NoError(t, err)
			text += fmt.Sprintf(lease, broken...)
			_, wanted := twin(t).Render(release, []byte(text))
			require.Error(t, wanted)
			_, err = ours(t).Render(release, []byte(text))
			require.EqualError(t, err, wanted.Error())
		})
	}
}

// TestCoresChangeNothing: the bytes do not depend on how many cores there are.
func TestCoresChangeNothing(t *testing.T) {
	r := ours(t)
	text := fleet(1000)
	wanted, err := r.Render(release, text)
	require.NoError(t, err)
	require.NoError(t, wanted.ByEngine())
	wantedText := printed(t, wanted)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for _, cores := range []int{1, 3, 16} {
		runtime.GOMAXPROCS(cores)
		got, err := r.Render(release, text)
		require.NoError(t, err)
		golden.Same(t, wantedText, printed(t, got), fmt.Sprint(cores, " cores"))
		require.Equal(t, wanted.Warnings, got.Warnings)
	}
}

// TestTemplatesThatFormsDoNotExplain: where a template does more than to copy,
// the samples show it, and the engine renders each lease.
func TestTemplatesThatFormsDoNotExplain(t *testing.T) {
	const each = `{{ range $lease, $grant := (include "tms.grants" . | fromJson).leases }}{{ $spec := get $.Values.leases $lease }}`
	for name, c := range map[string]struct {
		template, text string
		byForms        bool
	}{
		"copies":           {"templates/service.yaml", each + "\n---\nkind: Service\nname: {{ $lease }}\n{{ end }}", true},
		"changes":          {"templates/service.yaml", each + "\n---\nkind: Service\nname: {{ upper $lease }}\n{{ end }}", false},
		"measures":         {"templates/service.yaml", each + "\n---\nkind: Service\nname: {{ $lease }}{{ len (index $spec.models 0).uri }}\n{{ end }}", false},
		"calculates":       {"templates/service.yaml", each + "\n---\nkind: Service\nname: {{ $lease }}{{ add1 $grant.maxReplicas }}\n{{ end }}", false},
		"names none":       {"templates/service.yaml", each + "\n---\nkind: Service\n{{ end }}", false},
		"makes some":       {"templates/service.yaml", each + "{{ if ne $lease \"lease-00000\" }}\n---\nkind: Service\nname: {{ $lease }}\n{{ end }}{{ end }}", false},
		"shares":           {"templates/tests/ready.yaml", "kind: Pod\nlist:\n" + each + "- {{ $lease }}\n{{ end }}end: 1\n", true},
		"shares lengths":   {"templates/tests/ready.yaml", "kind: Pod\nlist:\n" + each + "- {{ $lease }} {{ len $lease }}\n{{ end }}end: 1\n", false},
		"counts":           {"templates/tests/ready.yaml", "kind: Pod\ncount: {{ len .Values.leases }}{{ .Values.leases | keys | first | len }}\n", false},
		"shares two lists": {"templates/tests/ready.yaml", "kind: Pod\nlist:\n" + each + "- {{ $lease }}\n{{ end }}more:\n" + each + "- {{ $lease }}\n{{ end }}", false},
	} {
		t.Run(name, func(t *testing.T) {
			r := ours(t).With(c.template, c.text)
			got, err := r.Render(release, fleet(20))
			require.NoError(t, err)
			wanted, err := r.RenderByEngine(release, fleet(20))
			require.NoError(t, err)
			require.Equal(t, printed(t, wanted), printed(t, got))
			require.Equal(t, c.byForms, got.ByEngine() == nil, "%v", got.ByEngine())
		})
	}
}

// TestLeasesThatOnlySeemAlike: what the leases of one form may not differ in, and
// values that look like marks.
func TestLeasesThatOnlySeemAlike(t *testing.T) {
	many := func(name, uri string) string {
		var models []string
		for i := range 80 {
			models = append(models, fmt.Sprintf("{name: m%d, uri: 's3://c/%d'}", i, i))
		}
		models[5] = fmt.Sprintf("{name: %s, uri: '%s'}", name, uri)
		return "{models: [" + strings.Join(models, ", ") + "]}"
	}
	for name, text := range map[string]string{
		"one claim, one text that is not plain": `
  a: {models: [{name: m, uri: 'pvc://shared/x"y'}, {name: k, uri: 'pvc://other/z'}]}
  b: {models: [{name: m, uri: 'pvc://shared/x"y'}, {name: k, uri: 'pvc://shared/z'}]}`,
		"more texts than fillings":          "\n  a: " + many("m5", "s3://c/5") + "\n  b: " + many("m5", "s3://c/70"),
		"more texts than fillings, refused": "\n  a: " + many("m5", "s3://c/5") + "\n  b: " + many("m70", "s3://c/5"),
		"a model with the name of a mark": `
  a: {models: [{name: tmstext5x, uri: 's3://b'}], triton: {env: [{name: A, value: see tmstext5x}]}}
  b: {models: [{name: m, uri: 's3://b'}], triton: {env: [{name: A, value: see tmstext5x}]}}`,
		"a lease with the name of a mark": `
  tmslease000000x: {models: [{name: m, uri: 's3://b'}], triton: {args: ['--id="tmslease000000x"']}}
  z: {models: [{name: m, uri: 's3://b'}], triton: {args: ['--id="tmslease000000x"']}}`,
		"a number that is a mark": `
  a: {models: [{name: m, uri: 's3://b'}], autoscaling: {enable: true, replicas: {minimum: 1717000000, maximum: 1717000009}}}
  b: {models: [{name: m, uri: 's3://b'}], autoscaling: {enable: true, replicas: {minimum: 5, maximum: 9}}}
kubernetes: {customLabels: {x: "1717000000"}}
server: {autoscaling: {enable: true, replicas: {limits: {maximum: 2147483647, minimum: {upperBound: 2147483647}}}, metrics: {queueTime: {enabled: true}}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			text := []byte("leases:" + text + "\n")
			wanted, err := twin(t).Render(release, text)
			if err != nil {
				_, got := ours(t).Render(release, text)
				require.EqualError(t, got, sentences(err))
				return
			}
			got, err := ours(t).Render(release, text)
			require.NoError(t, err)
			golden.Same(t, printed(t, wanted), printed(t, got), "")
		})
	}
}
