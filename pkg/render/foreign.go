package render

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/triton-leases/tms/internal/helmchart"
	"github.com/triton-leases/tms/pkg/policy"
)

var errForeign = errors.New("only the embedded chart is supported: pkg/policy does not grant the leases of another chart")

// renderForeign renders a chart that is not the embedded one. Nothing is known about its
// templates: each document is parsed to sort it, and the warnings come from NOTES.txt.
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
	result := &Result{Chart: r.chart.Name(), Grants: Grants{Warnings: warningsIn(notes)}}
	result.add(documents)
	return result, nil
}

// warningsIn returns the warnings in a rendered NOTES.txt that has the format of the
// embedded chart's.
func warningsIn(notes string) []string {
	var warnings []string
	for line := range strings.Lines(notes) {
		if warning, ok := strings.CutPrefix(strings.TrimSpace(line), "WARNING: "); ok {
			warnings = append(warnings, warning)
		}
	}
	return slices.Clip(warnings)
}
