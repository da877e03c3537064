// Package render turns values into the Kubernetes manifests of their leases: the
// text that helm template prints for the chart, to the byte, without Helm's
// binary, a cluster or a network.
//
// The shape of the manifests is that of the chart's own templates, which run in
// Helm's engine; what each lease is granted is decided by pkg/policy, whose
// answer takes the place of the chart's twin of it.
package render

import (
	"cmp"
	"errors"
	"io/fs"
	"slices"
	"sync"

	"github.com/triton-leases/tms/charts"
	"github.com/triton-leases/tms/internal/helmchart"
	"github.com/triton-leases/tms/internal/manifest"
	"github.com/triton-leases/tms/internal/schema"
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
	// Memory is about how many bytes an Installation remembers of forms of leases, and
	// as many of their objects; 0 means 64 MiB. What was forgotten is found out anew,
	// which takes milliseconds. A server with many Installations wants it small.
	Memory int
}

// Renderer renders values. It is safe for concurrent use.
type Renderer struct {
	chart   *helmchart.Chart
	schema  *schema.Schema // nil where the chart has none
	foreign bool           // the chart is not ours: it judges by itself
	memory  int
	// tritonLeases is the schema of manifests, which few need.
	tritonLeases func() (*schema.Schema, error)
}

// New returns a Renderer. It fails where the chart cannot be loaded, or is not for
// the version of Kubernetes.
func New(options Options) (*Renderer, error) {
	r := &Renderer{memory: cmp.Or(options.Memory, mostRemembered), foreign: options.Chart != nil}
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
	text := r.chart.Schema()
	r.tritonLeases = sync.OnceValues(func() (*schema.Schema, error) { return manifest.NewSchema(text) })
	switch {
	case text == nil:
	case r.foreign:
		r.schema, err = schema.Compile(text)
	default:
		r.schema, err = schema.CompileOwn(text)
	}
	return r, err
}

// Render renders values files, of which a later one overrides an earlier one,
// as helm template does with several -f. Where the values are refused, the error
// is a policy.Refusal with every reason at once; a file that cannot be read as
// one YAML mapping gives another error. A file may hold TritonLeases instead, as
// RenderInput says.
func (r *Renderer) Render(release Release, files ...[]byte) (*Result, error) {
	input, err := inputOf(files)
	if err != nil {
		return nil, err
	}
	return r.RenderInput(release, input)
}

// RenderValues is Render for values that are parsed and merged already. They are
// not changed.
func (r *Renderer) RenderValues(release Release, merged map[string]any) (*Result, error) {
	input := new(Input)
	if err := input.AddValues(merged); err != nil {
		return nil, err
	}
	return r.RenderInput(release, input)
}

// RenderInput is Render for values that come from several places. Where the input
// has TritonLeases, it renders what the controller of the release would make of
// them, and nothing else; reasons against them are Refusals.
func (r *Renderer) RenderInput(release Release, input *Input) (*Result, error) {
	if r.foreign {
		if input.manifests.given {
			return nil, errors.New("TritonLeases are rendered from the embedded chart alone")
		}
		return r.renderForeign(release, input.values.Map())
	}
	if input.manifests.given {
		return r.renderTritonLeases(release, input)
	}
	in, leases, judgement, err := r.judge(release, input)
	if err != nil {
		return nil, err
	}
	result := &Result{Chart: r.chart.Name(), Judgement: *judgement}
	result.sections, result.manifests, result.byEngine = in.byForms(leases)
	if result.byEngine == nil {
		result.leases = leases
		return result, nil
	}
	// Where the templates themselves fail they fail here too, and this says why.
	result.sections, err = in.byEngine(leases)
	return result, err
}

// byEngine renders each lease in the engine.
func (in *Installation) byEngine(leases []*judged) ([]section, error) {
	made, err := in.runAll(leases)
	if err != nil {
		return nil, err
	}
	documents := slices.Concat(made.others, in.renderer.leaseDocuments(made))
	slices.SortStableFunc(documents, helmchart.Compare)
	return sectionsOf(documents), nil
}

func (in *Installation) runAll(leases []*judged) (*rendered, error) {
	all := make([]granted, len(leases))
	for i := range leases {
		all[i] = leases[i].granted()
	}
	return in.run(all)
}

// leaseDocuments returns the documents that the engine made of leases.
func (r *Renderer) leaseDocuments(made *rendered) []helmchart.Document {
	var documents []helmchart.Document
	for t, texts := range made.ofLeases {
		for _, text := range texts {
			document := r.leaseDocument(t)
			document.Text = text
			documents = append(documents, document)
		}
	}
	return documents
}

// errFewAlike says that forms would save nothing.
var errFewAlike = errors.New("most leases have a form of their own")

// byForms renders two leases of each variant in the engine, and fills the text of
// the others. The error says why the engine has to render each lease.
func (in *Installation) byForms(leases []*judged) ([]section, []*manifests, error) {
	samples, manifests := chooseSamples(leases)
	if len(leases) < 2*len(samples) || len(leases) == 0 {
		return nil, nil, errFewAlike
	}
	sections, err := in.fillSections(leases, samples, manifests)
	return sections, manifests, err
}

func (in *Installation) fillSections(leases []*judged, samples []*sample, manifests []*manifests) ([]section, error) {
	common, err := in.cutManifests(samples)
	if err != nil {
		return nil, err
	}
	var sections []section
	for i, document := range common {
		sections = append(sections, section{document.with(i, leases, manifests), one})
	}
	sections = append(sections, in.renderer.leaseSections(samples)...)
	slices.SortStableFunc(sections, func(a, b section) int { return helmchart.Compare(a.Document, b.Document) })
	return sections, nil
}

// leaseSections returns a section for each template that makes something of a sample.
func (r *Renderer) leaseSections(samples []*sample) []section {
	var sections []section
	for t := range leaseTemplates {
		if slices.ContainsFunc(samples, func(s *sample) bool { return s.manifests.texts[t] != nil }) {
			sections = append(sections, section{r.leaseDocument(t), t})
		}
	}
	return sections
}

// leaseDocument returns a document of one of the leaseTemplates, without its text.
func (r *Renderer) leaseDocument(template int) helmchart.Document {
	return helmchart.Document{
		Source: r.chart.Path(leaseTemplates[template].file),
		Kind:   leaseTemplates[template].kind,
	}
}
