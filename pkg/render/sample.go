package render

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/triton-leases/tms/internal/cut"
	"github.com/triton-leases/tms/internal/source"
	"github.com/triton-leases/tms/pkg/policy"
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
	for i := range leases {
		v := leases[i].variant()
		if first[v] == nil {
			first[v] = new(manifests)
			samples = append(samples, &sample{judged: leases[i], manifests: first[v]})
		}
		all[i] = first[v]
	}
	return samples, all
}

// leaseMark matches the marks of names, and finds the number of the sample.
var leaseMark = regexp.MustCompile(`tmslease([0-9]{6})x`)

// sample is the first lease of its form and grant, from which the manifests of
// the others are made.
type sample struct {
	*judged
	marks     cut.Marks
	manifests *manifests
}

// mark is a lease with marks in the place of fillings. As the marks of names are
// ordered as the samples are, so are the documents.
func (s *sample) mark(n int) granted {
	s.marks = cut.Marks{fmt.Sprintf("tmslease%06dx", n)} // as leaseMark
	for i := range fillAdjustments - 1 {
		s.marks = append(s.marks, strconv.Itoa(1_717_000_000+i)) // fits an int32
	}
	for i := range len(s.fillings) - fillAdjustments {
		s.marks = append(s.marks, fmt.Sprintf("tmstext%dx", i))
	}

	var o outline
	o.read(s.source)
	marked := marker{leaves: o.leaves, marks: s.marks[fillTexts:]}
	s.source.Visit(&marked)

	marks := *s.judged
	marks.Name = s.marks[fillName]
	marks.ObjectName = strings.TrimSuffix(s.ObjectName, s.Name) + marks.Name
	marks.adjustments = s.marks[fillAdjustments : fillAdjustments+len(s.adjustments)]
	g := marks.granted()
	g.value, _ = marked.Value().(map[string]any)
	g.grant.MinReplicas, g.grant.MaxReplicas = s.number(fillMinimum), s.number(fillMaximum)
	at := fillThresholds
	for metric := range (policy.PerMetric[bool]{}).All() {
		if _, inEffect := g.grant.Metrics[metric]; inEffect {
			g.grant.Metrics[metric] = s.number(at)
		}
		at++
	}
	return g
}

func (s *sample) number(filling int) int64 {
	number, _ := strconv.ParseInt(s.marks[filling], 10, 64)
	return number
}

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
