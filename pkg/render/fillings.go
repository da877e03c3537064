package render

import (
	"strconv"

	"github.com/triton-leases/tms/pkg/policy"
)

// grantForm is what grants have in common that differ only in numbers and sentences.
type grantForm struct {
	autoscaled  bool
	metrics     policy.PerMetric[bool] // those in effect
	adjustments int
}

func (j *judged) grantForm() grantForm {
	form := grantForm{autoscaled: j.Grant.Autoscaled, adjustments: len(j.adjustments)}
	for _, target := range j.Grant.Metrics {
		form.metrics.Set(target.Metric, true)
	}
	return form
}

// The fillings of manifests: the name of the lease, two numbers of replicas, the
// threshold of each metric, the sentences about adjustments, and the texts that
// its outline found.
const (
	fillName = iota
	fillMinimum
	fillMaximum
	fillThresholds
	fillAdjustments = fillThresholds + 3
	fillTexts       = fillAdjustments + 5
)

// fill notes the fillings of the lease.
func (j *judged) fill(o *outline) {
	j.fillings = make([]string, fillTexts+len(o.fillings))
	j.fillings[fillName] = j.Name
	j.fillings[fillMinimum] = strconv.FormatInt(j.Grant.MinReplicas, 10)
	j.fillings[fillMaximum] = strconv.FormatInt(j.Grant.MaxReplicas, 10)
	var thresholds policy.PerMetric[string]
	for _, target := range j.Grant.Metrics {
		thresholds.Set(target.Metric, strconv.FormatInt(target.Threshold, 10))
	}
	at := fillThresholds
	for _, threshold := range thresholds.All() {
		j.fillings[at] = threshold
		at++
	}
	copy(j.fillings[fillAdjustments:], j.adjustments)
	copy(j.fillings[fillTexts:], o.fillings)
}
