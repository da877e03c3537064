// Package render turns values into the Kubernetes manifests of leases: the text that
// helm template prints for the chart tms, byte for byte, without the helm binary, a
// cluster or a network.
//
// The chart's templates define the shape of the manifests, and Helm's engine runs
// them. pkg/policy grants each lease its numbers, in place of the chart's own policy
// templates. Leases that differ only in names, numbers and model URIs share a shape:
// the engine renders each shape once, with placeholders.
//
// The way of a fleet is that of RenderInput: merge the values, validate and grant
// each lease, render each shape, order the documents.
package render

import (
	"cmp"
	"io/fs"
	"strings"

	"github.com/triton-leases/tms/charts"
	"github.com/triton-leases/tms/internal/helmchart"
	"github.com/triton-leases/tms/internal/schema"
)

// DefaultKubeVersion is .Capabilities.KubeVersion if Options name no version.
const DefaultKubeVersion = "v1.37.0"

// Options configure a Renderer. The zero value renders the embedded chart.
type Options struct {
	// Chart is the folder of another chart. It is rendered as helm template renders it:
	// its own templates grant, not pkg/policy.
	Chart fs.FS
	// KubeVersion is the version of Kubernetes to render for, such as v1.37.0.
	KubeVersion string
	// Memory is about how many bytes a LeaseRenderer keeps of shapes; 0 means 64 MiB.
	// A shape that was dropped is rendered again, which takes milliseconds.
	Memory int
}

// Renderer renders values. It is safe for concurrent use.
type Renderer struct {
	chart *helmchart.Chart
	// perLease has the templates of Kinds, and shared has the others, both with the
	// helpers that they need, and without the chart's own policy.
	perLease, shared *helmchart.Chart
	schema           *schema.Schema // nil if the chart has none
	foreign          bool           // the chart is not the embedded one
	memory           int
}

// New returns a Renderer. It fails if the chart cannot be loaded, or does not support
// the version of Kubernetes.
func New(options Options) (*Renderer, error) {
	r := &Renderer{memory: cmp.Or(options.Memory, 64<<20), foreign: options.Chart != nil}
	folder := options.Chart
	if folder == nil {
		folder = charts.TMS()
	}
	var err error
	if r.chart, err = helmchart.Load(folder); err != nil {
		return nil, err
	}
	if r.chart, err = r.chart.For(cmp.Or(options.KubeVersion, DefaultKubeVersion)); err != nil {
		return nil, err
	}
	if text := r.chart.Schema(); text != nil {
		if r.schema, err = schema.Compile(text); err != nil {
			return nil, err
		}
	}
	ofKind := map[string]bool{}
	for _, kind := range kinds {
		ofKind[kind.Template] = true
	}
	isHelper := func(name string) bool {
		return strings.HasSuffix(name, ".tpl") && !strings.HasPrefix(name, policyTemplates)
	}
	r.perLease = r.chart.Select(func(name string) bool { return ofKind[name] || isHelper(name) })
	r.shared = r.chart.Select(func(name string) bool {
		return !ofKind[name] && name != notesTemplate && (isHelper(name) || !strings.HasSuffix(name, ".tpl"))
	})
	return r, nil
}

const (
	// policyTemplates is the beginning of the names of the templates that grant leases
	// where helm installs the chart.
	policyTemplates = "templates/_policy"
	notesTemplate   = "templates/NOTES.txt"
)

// Render renders values files, as helm template does with several -f: a later file
// overrides an earlier one. If the values are refused, the error is a policy.Refusal
// with every reason. A file that is not one YAML mapping gives another error.
func (r *Renderer) Render(release Release, files ...[]byte) (*Result, error) {
	input, err := inputOf(files)
	if err != nil {
		return nil, err
	}
	return r.RenderInput(release, input)
}

// RenderValues is Render for values that are parsed and merged already.
func (r *Renderer) RenderValues(release Release, merged map[string]any) (*Result, error) {
	input := new(Input)
	if err := input.AddValues(merged); err != nil {
		return nil, err
	}
	return r.RenderInput(release, input)
}

// RenderInput is Render for values that come from several places.
func (r *Renderer) RenderInput(release Release, input *Input) (*Result, error) {
	if r.foreign {
		return r.renderForeign(release, input.values)
	}
	lr, grants, err := r.grant(release, input)
	if err != nil {
		return nil, err
	}
	result, err := lr.Manifests(grants.Leases...)
	if err != nil {
		return nil, err
	}
	shared, err := lr.renderShared(grants.Leases)
	if err != nil {
		return nil, err
	}
	result.Warnings = grants.Warnings
	result.add(shared)
	return result, nil
}

// Grant returns what each lease is granted, without rendering it. The error is a
// policy.Refusal with every reason. It works for the embedded chart only.
func (r *Renderer) Grant(release Release, input *Input) (*Grants, error) {
	if r.foreign {
		return nil, errForeign
	}
	_, grants, err := r.grant(release, input)
	return grants, err
}

// Lease renders one lease of values files as typed objects. A server, which renders
// many leases, uses a LeaseRenderer.
func (r *Renderer) Lease(release Release, name string, files ...[]byte) (*Objects, error) {
	if r.foreign {
		return nil, errForeign
	}
	input, err := inputOf(files)
	if err != nil {
		return nil, err
	}
	if err := input.Only(name); err != nil {
		return nil, err
	}
	lr, grants, err := r.grant(release, input)
	if err != nil {
		return nil, err
	}
	return lr.Objects(grants.Leases[0])
}
