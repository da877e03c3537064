// Package render turns values into the Kubernetes manifests of leases: the text that
// helm template prints for the chart tms, byte for byte, without the helm binary, a
// cluster or a network.
//
// Helm's engine runs the chart's templates, which define the manifests. Package policy
// grants the leases, in place of the chart's policy templates. Leases that differ only
// in names, numbers and model URIs share a shape: the engine renders each shape once,
// with placeholders, and the values of each lease are filled in later.
//
// RenderInput is the main path: merge the values, validate and grant each lease, render
// each shape, order the documents.
package render

import (
	"cmp"
	"io/fs"
	"slices"
	"strings"

	"github.com/triton-leases/tms/charts"
	"github.com/triton-leases/tms/internal/helmchart"
	"github.com/triton-leases/tms/internal/schema"
)

// DefaultKubeVersion is .Capabilities.KubeVersion if Options name no version.
const DefaultKubeVersion = "v1.37.0"

// Options configure a Renderer. The zero value renders the embedded chart.
type Options struct {
	// Chart is the directory of another chart. It is rendered as helm template renders
	// it: its own templates grant the leases, not package policy.
	Chart fs.FS
	// KubeVersion is the version of Kubernetes to render for, such as v1.37.0.
	KubeVersion string
	// ShapeCacheBytes limits the rendered shapes that a LeaseRenderer caches, by an estimate
	// of their size. 0 means 64 MiB. Rendering a dropped shape again takes milliseconds.
	ShapeCacheBytes int
}

// Renderer renders values. It is safe for concurrent use.
type Renderer struct {
	chart *helmchart.Chart
	// perLease has the templates of kinds. shared has the other templates but those of
	// tms-server, which withServer also has. monitoring has monitoringTemplates. All have the
	// helpers that they need, and lack the chart's policy templates.
	perLease, shared, withServer *helmchart.Chart
	monitoring                   *helmchart.Chart
	schema                       *schema.Schema // nil if the chart has none
	foreign                      bool           // the chart is not the embedded one
	shapeCacheBytes              int
	imageVolumes                 bool // Kubernetes mounts images as volumes
	verdicts                     verdicts
}

// New returns a Renderer. It returns an error if the chart cannot be loaded or does not
// support the Kubernetes version.
func New(options Options) (*Renderer, error) {
	r := &Renderer{shapeCacheBytes: cmp.Or(options.ShapeCacheBytes, 64<<20), foreign: options.Chart != nil}
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
	r.imageVolumes = r.chart.Supports(">=1.33.0-0 || " + unknownVersion)
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
	isServer := func(name string) bool { return strings.HasPrefix(name, serverTemplates) }
	isShared := func(name string) bool {
		return !ofKind[name] && name != notesTemplate && (isHelper(name) || !strings.HasSuffix(name, ".tpl"))
	}
	r.perLease = r.chart.Select(func(name string) bool { return ofKind[name] || isHelper(name) && !isServer(name) })
	r.shared = r.chart.Select(func(name string) bool { return isShared(name) && !isServer(name) })
	r.withServer = r.chart.Select(isShared)
	r.monitoring = r.chart.Select(func(name string) bool {
		return slices.Contains(monitoringTemplates, name) || isHelper(name) && !isServer(name)
	})
	return r, nil
}

const (
	// unknownVersion is the version that a Helm without a cluster may assume.
	unknownVersion = "1.20.0"
	// policyTemplates is the prefix of the names of the templates that grant leases when
	// helm renders the chart.
	policyTemplates = "templates/_policy"
	// serverTemplates is the prefix of the names of the templates of tms-server. They render
	// nothing if it is not enabled.
	serverTemplates = "templates/server/"
	notesTemplate   = "templates/NOTES.txt"
)

// Render renders values files, as helm template does with several -f: a later file
// overrides an earlier one. If the values are refused, the error is a policy.Refusal
// with every reason. Other errors include a file that is not one YAML mapping.
func (r *Renderer) Render(release Release, files ...[]byte) (*Result, error) {
	input, err := inputOf(files)
	if err != nil {
		return nil, err
	}
	return r.RenderInput(release, input)
}

// RenderValues is like Render, for values that are already parsed and merged.
func (r *Renderer) RenderValues(release Release, merged map[string]any) (*Result, error) {
	input := new(Input)
	if err := input.AddValues(merged); err != nil {
		return nil, err
	}
	return r.RenderInput(release, input)
}

// RenderInput is like Render, for values from several sources. It removes the leases
// from the input, to save memory.
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

// Grant grants all leases without rendering them. It removes the leases from the input.
// The error is a policy.Refusal with every reason. Only the embedded chart is supported.
func (r *Renderer) Grant(release Release, input *Input) (*Grants, error) {
	if r.foreign {
		return nil, errForeign
	}
	_, grants, err := r.grant(release, input)
	return grants, err
}

// Lease renders one lease of values files as typed objects. To render many leases of one
// release, use a LeaseRenderer.
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
