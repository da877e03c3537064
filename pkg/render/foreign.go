package render

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/triton-leases/tms/internal/helmchart"
	"github.com/triton-leases/tms/pkg/policy"
)

const notesTemplate = "templates/NOTES.txt"

// renderForeign renders a chart that is not the embedded one. Nothing is known
// of its templates, so each document is parsed to be sorted, and its warnings
// are those of its notes.
func (r *Renderer) renderForeign(release Release, merged map[string]any) (*Result, error) {
	if reasons := release.validate(); len(reasons) > 0 {
		return nil, reasons
	}
	all, err := r.chart.Coalesce(merged)
	if err != nil {
		return nil, err
	}
	if r.schema != nil {
		if invalid := r.schema.Validate(all); len(invalid) > 0 {
			return nil, policy.Refusal(invalid)
		}
	}
	rendered, err := r.chart.Render(release.forChart(), all)
	if err != nil {
		return nil, fmt.Errorf("render chart %s: %w", r.chart.Name(), err)
	}
	notes := rendered[r.chart.Path(notesTemplate)]
	maps.DeleteFunc(rendered, func(path, _ string) bool { return strings.HasSuffix(path, "/NOTES.txt") })
	documents, err := helmchart.Sort(rendered)
	if err != nil {
		return nil, err
	}
	return &Result{Chart: r.chart.Name(), Judgement: Judgement{Warnings: warningsIn(notes)}, sections: sectionsOf(documents)}, nil
}

// warningsIn returns the lines of notes that are warnings, in the form of the embedded chart.
func warningsIn(notes string) []string {
	var warnings []string
	for line := range strings.Lines(notes) {
		if warning, ok := strings.CutPrefix(strings.TrimSpace(line), "WARNING: "); ok {
			warnings = append(warnings, warning)
		}
	}
	return slices.Clip(warnings)
}
