package render

import (
	"regexp"
	"strings"

	"github.com/triton-leases/tms/internal/cut"
	"github.com/triton-leases/tms/internal/source"
)

// variant is what leases have in common that share their manifests.
type variant struct {
	form  *form
	grant grantForm
}

func (j *judged) variant() variant { return variant{j.form, j.grantForm()} }

// chooseSamples returns the first lease of each variant, and for each lease the
// manifests of its variant.
func chooseSamples(leases []*judged) ([]*sample, []*manifests) {
	var samples []*sample
	first := map[variant]*manifests{}
	all := make([]*manifests, len(leases))
	for i, lease := range leases {
		v := lease.variant()
		if first[v] == nil {
			first[v] = new(manifests)
			samples = append(samples, &sample{judged: lease, manifests: first[v]})
		}
		all[i] = first[v]
	}
	return samples, all
}

// sample is the first lease of its variant, from which the manifests of the others
// are made.
type sample struct {
	*judged
	marks     cut.Marks
	manifests *manifests
}

// mark returns the sample with marks in the place of its fillings.
func (s *sample) mark(n int) granted {
	var o outline
	o.read(s.source)
	marks := newMarks(n, len(s.adjustments), len(o.texts))
	s.marks = marks.flat()

	value := marker{leaves: o.leaves, marks: marks.texts}
	s.source.Visit(&value)
	g := s.granted()
	g.name = marks.name
	g.value, _ = value.Value().(map[string]any)
	if strings.HasPrefix(g.grant.Path, leasesKey) {
		g.grant.Path = leasesKey + marks.name
	}
	g.grant.Name = strings.TrimSuffix(s.ObjectName, s.Name) + marks.name
	g.grant.MinReplicas, g.grant.MaxReplicas = asNumber(marks.minimum), asNumber(marks.maximum)
	for metric := range g.grant.Metrics {
		g.grant.Metrics[metric] = asNumber(marks.thresholds.Get(metric))
	}
	g.grant.Adjustments = marks.adjustments
	return g
}

// leasesKey is what the paths of leases in values begin with.
const leasesKey = "leases."

// leaseMark matches the marks of names, and finds the number of the sample.
var leaseMark = regexp.MustCompile(`tmslease([0-9]{6})x`)

// marker is a source.Visitor that builds the value of a lease with marks in it.
type marker struct {
	source.Builder
	leaves []leaf
	marks  []string
}

func (m *marker) next() (text string) {
	text, m.leaves = m.leaves[0].with(m.marks), m.leaves[1:]
	return text
}

// String puts a mark in the place of a text that is copied.
func (m *marker) String(string) { m.Builder.String(m.next()) }

// Number keeps the number.
func (m *marker) Number(string) { m.Builder.Number(m.next()) }
