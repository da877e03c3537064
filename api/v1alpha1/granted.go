package v1alpha1

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Grant is what a lease has within the administrator's bounds.
type Grant struct {
	// Autoscaled reports whether the lease scales. If it is false, only Warnings may
	// be set.
	Autoscaled bool `json:"autoscaled"`
	// MinReplicas and MaxReplicas bound the number of replicas. In the status of a lease with
	// a Schedule they are those of the entry in effect.
	MinReplicas int64 `json:"minReplicas,omitempty"`
	MaxReplicas int64 `json:"maxReplicas,omitempty"`
	// Schedule are the bounds at certain times, in the order of the request.
	Schedule []ScheduledReplicas `json:"schedule,omitempty"`
	// Replicas is the number of replicas of a TritonLease that does not scale.
	Replicas int64 `json:"replicas,omitempty"`
	// GPUs is the number of GPUs of one replica of a TritonLease.
	GPUs int64 `json:"gpus,omitempty"`
	// Metrics are those in effect, in the order of policy.Policy.Metrics.
	Metrics []MetricThreshold `json:"metrics,omitempty"`
	// Adjustments are the numbers that differ from what the lease asked for:
	// replicas.minimum, replicas.maximum, those of the schedule, then the thresholds in the
	// order of Metrics.
	Adjustments []Adjustment `json:"adjustments,omitempty"`
	// Warnings are about a grant that may not be what was meant.
	Warnings []Warning `json:"warnings,omitempty"`
}

// HighestReplicas returns the highest minimum and the highest maximum that the grant has at
// any time.
func (g *Grant) HighestReplicas() (minimum, maximum int64) {
	if len(g.Schedule) == 0 {
		return g.MinReplicas, g.MaxReplicas
	}
	for _, entry := range g.Schedule {
		minimum, maximum = max(minimum, entry.MinReplicas), max(maximum, entry.MaxReplicas)
	}
	return minimum, maximum
}

// SetInForce sets MinReplicas and MaxReplicas to those of an entry of the schedule.
func (g *Grant) SetInForce(entry int) {
	g.MinReplicas, g.MaxReplicas = g.Schedule[entry].MinReplicas, g.Schedule[entry].MaxReplicas
}

// ScheduledReplicas are the granted bounds of one entry of a schedule.
type ScheduledReplicas struct {
	Cron string `json:"cron"`
	// TimeZone is never empty.
	TimeZone    string `json:"timeZone"`
	MinReplicas int64  `json:"minReplicas"`
	MaxReplicas int64  `json:"maxReplicas"`
}

// Warning is a problem of a lease that is no reason to refuse it.
type Warning struct {
	// Field is the path of the key, such as leases.resnet50.triton.replicas.
	Field string `json:"field"`
	// Message says what is wrong with it.
	Message string `json:"message"`
}

// String returns the sentence that warnings, NOTES.txt and conditions show.
func (w Warning) String() string { return w.Field + ": " + w.Message }

// UnmarshalJSON decodes a Warning. It also accepts a string, which earlier versions stored
// in the status: one object that does not decode stops the controller from listing all.
func (w *Warning) UnmarshalJSON(text []byte) error {
	var sentence string
	if json.Unmarshal(text, &sentence) == nil {
		field, message, found := strings.Cut(sentence, ": ")
		if !found {
			field, message = "", sentence
		}
		*w = Warning{Field: field, Message: message}
		return nil
	}
	type plain Warning // without this method
	return json.Unmarshal(text, (*plain)(w))
}

// Refusal is one reason why a lease is refused.
type Refusal struct {
	// Field is the path of the key, such as spec.image.
	Field string `json:"field"`
	// Reason is the kind of error: a field.ErrorType, such as FieldValueInvalid.
	Reason string `json:"reason"`
	// Message says what is wrong, without the path.
	Message string `json:"message"`
}

// String returns the sentence that conditions and events show.
func (r Refusal) String() string { return r.Field + ": " + r.Message }

// MetricThreshold is a metric in effect and its threshold, in the metric's unit.
type MetricThreshold struct {
	Metric    MetricName `json:"metric"`
	Threshold int64      `json:"threshold"`
}

// Threshold returns the threshold of a metric, and whether the metric is in effect.
func (g *Grant) Threshold(metric MetricName) (int64, bool) {
	for _, m := range g.Metrics {
		if m.Metric == metric {
			return m.Threshold, true
		}
	}
	return 0, false
}

// Adjustment is one number that was not granted as the lease asked for it.
type Adjustment struct {
	// Field is the path of the number, such as leases.resnet50.autoscaling.replicas.maximum.
	Field string `json:"field"`
	// Asked is the number that the lease asked for, or the administrator's default.
	Asked int64 `json:"asked"`
	// Default reports whether Asked is the administrator's default.
	Default bool `json:"default,omitempty"`
	// Granted is the number that the lease has instead.
	Granted int64 `json:"granted"`
	// Unit is the unit of both numbers if the field does not imply it: s, for seconds.
	Unit string `json:"unit,omitempty"`
	// Limit is the path of the bound that decided.
	Limit string `json:"limit"`
	// Reason says why the bound decided, if that depends on other leases: they use a budget.
	Reason string `json:"reason,omitempty"`
}

// String returns the sentence that warnings, NOTES.txt and annotations show.
func (a Adjustment) String() string {
	origin := "asked"
	if a.Default {
		origin = "default"
	}
	limit := a.Limit
	if a.Reason != "" {
		limit += ": " + a.Reason
	}
	return fmt.Sprintf("%s: %s %d%s, granted %d%s (%s)", a.Field, origin, a.Asked, a.Unit, a.Granted, a.Unit, limit)
}

// Term is how long a lease lasts.
type Term struct {
	// Duration counts from the creation of the lease, or from its last renewal. 0
	// means that the lease does not expire.
	Duration Duration `json:"duration,omitempty"`
	// AutoRenew extends the lease while it serves requests.
	AutoRenew bool `json:"autoRenew,omitempty"`
}

// Granted is what a TritonLease has, and for how long.
type Granted struct {
	Grant `json:",inline"`
	Term  `json:",inline"`
}

// Limits are the most that one TritonLease may have.
type Limits struct {
	// Replicas is the highest number of replicas of a lease that does not scale.
	Replicas int64 `json:"replicas,omitempty"`
	// GPUs is the highest number of GPUs of one replica.
	GPUs int64 `json:"gpus"`
	// CPU and Memory are quantities of one replica. Empty means no limit.
	CPU    string `json:"cpu,omitempty"`
	Memory string `json:"memory,omitempty"`
}

// Budget is the GPU budget of a namespace, and what its leases use of it, in GPUs.
type Budget struct {
	// GPUs is the budget.
	GPUs int64 `json:"gpus"`
	// Charged is the part of this lease: its highest number of replicas times the GPUs of
	// one replica.
	Charged int64 `json:"charged"`
	// Used is the part of all leases of the namespace.
	Used int64 `json:"used"`
}
