package render

// ByEngine says why the engine rendered each lease, nil where they were filled in.
func (res *Result) ByEngine() error { return res.byEngine }

// RenderByForms fills the leases in, however few they are of a form, and fails
// where forms do not explain what the templates make of them.
func (r *Renderer) RenderByForms(release Release, files ...[]byte) (*Result, error) {
	return r.renderBy(release, files, func(in *Installation, result *Result) (err error) {
		samples, manifests := chooseSamples(result.leases)
		result.manifests = manifests
		result.sections, err = in.fillSections(result.leases, samples, manifests)
		return err
	})
}

// RenderByEngine renders each lease in the engine.
func (r *Renderer) RenderByEngine(release Release, files ...[]byte) (*Result, error) {
	return r.renderBy(release, files, func(in *Installation, result *Result) (err error) {
		result.sections, err = in.byEngine(result.leases)
		return err
	})
}

func (r *Renderer) renderBy(release Release, files [][]byte, way func(*Installation, *Result) error) (*Result, error) {
	input, err := inputOf(files)
	if err != nil {
		return nil, err
	}
	in, leases, judgement, err := r.judge(release, input)
	if err != nil {
		return nil, err
	}
	result := &Result{Chart: r.chart.Name(), Judgement: *judgement, leases: leases}
	return result, way(in, result)
}

// With returns a renderer of the same chart with another text for one template.
func (r *Renderer) With(template, text string) *Renderer {
	changed := *r
	changed.chart = r.chart.With(map[string]string{template: text})
	return &changed
}
