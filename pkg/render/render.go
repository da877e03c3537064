// Package render turns values into the Kubernetes manifests of their leases: the
// text that helm template prints for the chart, to the byte, without Helm's
// binary, a cluster or a network.
//
// The shape of the manifests is that of the chart's own templates, which run in
// Helm's engine; what each lease is granted is decided by pkg/policy, whose
// answer takes the place of the chart's twin of it.
package render

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/triton-leases/tms/charts"
	"github.com/triton-leases/tms/internal/helmchart"
	"github.com/triton-leases/tms/internal/schema"
	"github.com/triton-leases/tms/internal/source"
	"github.com/triton-leases/tms/pkg/policy"
	"github.com/triton-leases/tms/pkg/values"
)

// DefaultKubeVersion is what .Capabilities.KubeVersion says where Options names no version.
const DefaultKubeVersion = "v1.37.0"

// Options configure a Renderer. The zero value renders the embedded chart.
type Options struct {
	// Chart is the folder of another chart, which is rendered wholly by itself,
	// as helm template would: its own templates judge, not this library.
	Chart fs.FS
	// KubeVersion is the version of Kubernetes to render for, such as v1.37.0.
	KubeVersion string
}

// Renderer renders values. It is safe for concurrent use.
type Renderer struct {
	chart       *helmchart.Chart
	schema      *schema.Schema // nil where the chart has none
	foreign     bool           // the chart is not ours: it judges by itself
	kubeVersion string
}

// New returns a Renderer. It fails where the chart cannot be loaded.
func New(options Options) (*Renderer, error) {
	r := &Renderer{foreign: options.Chart != nil, kubeVersion: options.KubeVersion}
	if r.kubeVersion == "" {
		r.kubeVersion = DefaultKubeVersion
	}
	folder := options.Chart
	if folder == nil {
		folder = charts.TMS()
	}
	var err error
	if r.chart, err = helmchart.Load(folder); err != nil {
		return nil, err
	}
	if text := r.chart.Schema(); text != nil {
		if r.schema, err = schema.Compile(text); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// Render renders values files, of which a later one overrides an earlier one,
// as helm template does with several -f. Where the values are refused, the error
// is a policy.Refusal with every reason at once; a file that cannot be read as
// one YAML mapping gives another error.
func (r *Renderer) Render(release Release, files ...[]byte) (*Result, error) {
	merged, err := merge(files)
	if err != nil {
		return nil, err
	}
	return r.RenderValues(release, merged)
}

func merge(files [][]byte) (map[string]any, error) {
	merged := map[string]any{}
	for i, text := range files {
		parsed, err := source.Read(text)
		if err != nil {
			return nil, fmt.Errorf("values file %d: %w", i+1, err)
		}
		merged = helmchart.Merge(merged, parsed)
	}
	return merged, nil
}

// RenderValues is Render for values that are parsed and merged already. They
// hold only what JSON can, and are not changed.
func (r *Renderer) RenderValues(release Release, merged map[string]any) (*Result, error) {
	if r.foreign {
		return r.renderForeign(release, merged)
	}
	all, err := r.chart.Coalesce(merged)
	if err != nil {
		return nil, err
	}
	judged, err := r.judge(release, all)
	if err != nil {
		return nil, err
	}
	template, err := judged.template()
	if err != nil {
		return nil, err
	}
	// The notes are for people who install: nobody reads them here.
	chart := r.chart.With(map[string]string{policyTemplate: template, notesTemplate: ""})
	rendered, err := chart.Render(helmchart.Release(release), r.kubeVersion, all)
	if err != nil {
		return nil, err
	}
	documents, err := helmchart.SortKnown(rendered, r.kinds())
	if err != nil {
		return nil, err
	}
	return &Result{Chart: r.chart.Name(), Documents: documentsOf(documents), Leases: judged.leases, Warnings: judged.warnings}, nil
}

// judge applies the schema and the policy. Where the schema refuses a part, the
// policy still judges what does not depend on that part, so that a user sees
// all errors at once.
func (r *Renderer) judge(release Release, all map[string]any) (*judgement, error) {
	invalid := r.schema.Validate(all)
	sound := all
	if len(invalid) > 0 {
		sound = without(all, invalid)
	}
	decoded, err := values.Decode(sound)
	if err != nil {
		return nil, err
	}
	judged, err := judge(r.chart.Name(), release, decoded)
	var reasons policy.Refusal
	if err != nil && !errors.As(err, &reasons) {
		return nil, err
	}
	if len(invalid) > 0 {
		return nil, append(policy.Refusal(invalid), stillTrue(reasons, all, sound)...)
	}
	if err != nil {
		return nil, err
	}
	return judged, nil
}

// without returns values without the parts that the schema refuses: single
// leases, or whole top-level keys.
func without(all map[string]any, invalid field.ErrorList) map[string]any {
	sound := helmchart.Merge(nil, all)
	leases, _ := all["leases"].(map[string]any)
	rest := helmchart.Merge(nil, leases)
	for _, reason := range invalid {
		parts := source.Parts(reason.Field)
		if len(parts) > 1 && parts[0] == "leases" && leases != nil {
			delete(rest, parts[1])
			sound["leases"] = rest
		} else if len(parts) > 0 {
			delete(sound, parts[0])
		}
	}
	return sound
}

// stillTrue returns the reasons that do not come from a part that was left out:
// without the configuration nothing can be said about bounds, without the
// defaults of Triton nothing about resources, and without an override nothing
// about the names of objects.
func stillTrue(reasons policy.Refusal, all, sound map[string]any) policy.Refusal {
	leftOut := func(key string) bool {
		_, was := all[key]
		_, is := sound[key]
		return was && !is
	}
	return slices.DeleteFunc(reasons, func(reason *field.Error) bool {
		parts := source.Parts(reason.Field)
		return leftOut(parts[0]) ||
			len(parts) > 2 && parts[2] == "triton" && leftOut("triton") ||
			len(parts) == 2 && (leftOut("nameOverride") || leftOut("fullnameOverride"))
	})
}

// kinds says what the templates of the embedded chart render, so that nothing
// must be parsed to sort it. What is not listed is parsed.
func (r *Renderer) kinds() map[string]string {
	kinds := map[string]string{}
	for template, kind := range map[string]string{
		"deployment":          "Deployment",
		"service":             "Service",
		"poddisruptionbudget": "PodDisruptionBudget",
		"hpa":                 "HorizontalPodAutoscaler",
		"podmonitor":          "PodMonitor",
		"prometheusrule":      "PrometheusRule",
	} {
		kinds[r.chart.Path("templates/"+template+".yaml")] = kind
	}
	return kinds
}
