package render

import (
	"fmt"
	"strconv"
)

// fillings are what the templates put in the manifests of a lease, and what is
// different in each lease of a variant: values, or the marks in their place.
type fillings struct {
	name             string
	minimum, maximum string // numbers of replicas
	thresholds       perMetric[string]
	adjustments      []string // sentences
	texts            []string // that the outline of the lease found
}

// flat returns the fillings in an order that is the same for all leases of a variant.
func (f fillings) flat() []string {
	flat := make([]string, 0, 6+len(f.adjustments)+len(f.texts))
	flat = append(flat, f.name, f.minimum, f.maximum)
	for _, threshold := range f.thresholds.All() {
		flat = append(flat, threshold)
	}
	flat = append(flat, f.adjustments...)
	return append(flat, f.texts...)
}

// newFillings returns the fillings of a lease, whose outline found the texts.
func newFillings(lease *judged, texts []string) fillings {
	f := fillings{
		name:        lease.Name,
		minimum:     strconv.FormatInt(lease.Grant.MinReplicas, 10),
		maximum:     strconv.FormatInt(lease.Grant.MaxReplicas, 10),
		adjustments: lease.adjustments,
		texts:       texts,
	}
	for _, target := range lease.Grant.Metrics {
		f.thresholds.Set(target.Metric, strconv.FormatInt(target.Threshold, 10))
	}
	return f
}

// newMarks returns the marks of the sample with a number: a word in the place of
// a text, and a number in the place of a number, one that fits an int32. Marks of
// names are ordered as their samples are.
func newMarks(sample, adjustments, texts int) fillings {
	number := int64(firstNumber)
	next := func() string {
		number++
		return strconv.FormatInt(number, 10)
	}
	marks := fillings{name: fmt.Sprintf("tmslease%06dx", sample), minimum: next(), maximum: next()}
	for metric := range marks.thresholds.All() {
		marks.thresholds.Set(metric, next())
	}
	for i := range adjustments {
		marks.adjustments = append(marks.adjustments, fmt.Sprintf("tmsadjustment%dx", i))
	}
	for i := range texts {
		marks.texts = append(marks.texts, fmt.Sprintf("tmstext%dx", i))
	}
	return marks
}

const firstNumber = 1_717_000_000

// asNumber returns the number that a mark is.
func asNumber(mark string) int64 {
	number, _ := strconv.ParseInt(mark, 10, 64)
	return number
}

// grantForm is what grants have in common that differ only in numbers and sentences.
type grantForm struct {
	autoscaled  bool
	renewed     bool
	metrics     perMetric[bool] // those in effect
	adjustments int
}

func (j *judged) grantForm() grantForm {
	form := grantForm{autoscaled: j.Grant.Autoscaled, renewed: j.Term.AutoRenew, adjustments: len(j.adjustments)}
	for _, target := range j.Grant.Metrics {
		form.metrics.Set(target.Metric, true)
	}
	return form
}
