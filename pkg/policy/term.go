package policy

import (
	"fmt"
	"math"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// LeaseConfig are the bounds of TritonLeases, besides those of autoscaling: the values key
// server.leases. Its defaults are in the chart's values.yaml. Leases of the values are the
// administrator's own, and not bound by them.
type LeaseConfig struct {
	// AllowedFields are the keys of spec.triton that a TritonLease may set, parts of
	// podTemplate such as podTemplate.spec.dnsConfig, and keys of spec.service such as
	// service.type.
	AllowedFields []string `json:"allowedFields,omitempty"`
	// AllowedSecrets are the secrets that a lease may refer to; * stands for all.
	AllowedSecrets []string `json:"allowedSecrets,omitempty"`
	// AllowedVolumes are the types of volumes that a lease may have, such as emptyDir.
	AllowedVolumes     []string            `json:"allowedVolumes,omitempty"`
	AllowedTolerations []AllowedToleration `json:"allowedTolerations,omitempty"`
	// AllowedTargets is Labelled, All or None.
	AllowedTargets string `json:"allowedTargets,omitempty"`
	// PodSecurityStandard is restricted, baseline or privileged.
	PodSecurityStandard string       `json:"podSecurityStandard,omitempty"`
	Limits              LimitsConfig `json:"limits"`
	Budget              BudgetConfig `json:"budget"`

	Duration  DurationBounds `json:"duration"`
	AutoRenew RenewalBounds  `json:"autoRenew"`
}

// LimitsConfig are the most that one TritonLease may have.
type LimitsConfig struct {
	// Replicas is the highest number of replicas of a lease that does not scale.
	Replicas int64 `json:"replicas"`
	// GPUs is the highest number of GPUs of one replica.
	GPUs int64 `json:"gpus"`
	// CPU and Memory are quantities of one replica. An absent quantity, or an empty string,
	// is no limit.
	CPU    v1alpha1.RawJSON `json:"cpu,omitempty"`
	Memory v1alpha1.RawJSON `json:"memory,omitempty"`
}

// AllowedToleration matches tolerations that a TritonLease may have. An empty field
// matches everything.
type AllowedToleration struct {
	Key      string `json:"key,omitempty"`
	Operator string `json:"operator,omitempty"`
	Value    string `json:"value,omitempty"`
	Effect   string `json:"effect,omitempty"`
}

// BudgetConfig is how many GPUs the TritonLeases of a namespace may have together.
type BudgetConfig struct {
	// GPUs is the budget of each namespace. Nil means no budget.
	GPUs *int64 `json:"gpus,omitempty"`
	// Namespaces replace GPUs for single namespaces.
	Namespaces map[string]NamespaceBudget `json:"namespaces,omitempty"`
}

// NamespaceBudget is the budget of one namespace. Nil means no budget.
type NamespaceBudget struct {
	GPUs *int64 `json:"gpus,omitempty"`
}

// DurationBounds are how long a TritonLease lasts from its creation or its last renewal.
// A duration of 0 means that it does not expire.
type DurationBounds struct {
	// Default is the duration of a lease that names none.
	Default v1alpha1.Duration `json:"default"`
	// Maximum is the longest duration; 0 means no upper limit.
	Maximum v1alpha1.Duration `json:"maximum"`
}

// RenewalBounds configure the automatic renewal of TritonLeases that serve requests.
type RenewalBounds struct {
	// Default is for leases that do not ask.
	Default bool `json:"default"`
	// Allowed lets a lease turn automatic renewal on or off.
	Allowed bool `json:"allowed"`
	// Interval is how long before the expiry of a lease the checks for requests begin,
	// and the period in which a request counts.
	Interval v1alpha1.Duration `json:"interval"`
}

// TermRequest is how long a TritonLease asks to last. A nil pointer means that it does
// not ask.
type TermRequest struct {
	Duration  *v1alpha1.Duration
	AutoRenew *bool
}

// Terms is a valid LeaseConfig.
type Terms struct{ config LeaseConfig }

const (
	durationMaximum  = "server.leases.duration.maximum"
	autoRenewAllowed = "server.leases.autoRenew.allowed"
)

// NewTerms returns the terms of a configuration. If the configuration is invalid, the error
// is a Refusal with every reason. The interval of renewals must not be shorter than the
// rate window, because a renewal reads a rate over that window.
func NewTerms(config LeaseConfig, rateWindow v1alpha1.Duration) (*Terms, error) {
	var reasons field.ErrorList
	path := field.NewPath("server", "leases")
	defaultPath, duration, maximum := path.Child("duration", "default"), config.Duration.Default, config.Duration.Maximum
	switch {
	case endless(duration) && !endless(maximum):
		reasons = append(reasons, field.Invalid(defaultPath, string(duration),
			fmt.Sprintf("must be longer than 0s, which means no expiry, because %s is %s", durationMaximum, maximum)))
	case length(duration) > length(maximum):
		reasons = append(reasons, field.Invalid(defaultPath, string(duration), fmt.Sprintf("must not exceed %s (%s)", durationMaximum, maximum)))
	}
	if config.AutoRenew.Interval.Value() < rateWindow.Value() {
		reasons = append(reasons, field.Invalid(path.Child("autoRenew", "interval"), string(config.AutoRenew.Interval),
			fmt.Sprintf("must be at least server.autoscaling.prometheus.rateWindow (%s)", rateWindow)))
	}
	if len(reasons) > 0 {
		return nil, Refusal(reasons)
	}
	return &Terms{config}, nil
}

// Interval returns the period before the expiry in which a request renews the lease.
func (t *Terms) Interval() time.Duration { return t.config.AutoRenew.Interval.Value() }

// Grant grants one request. The path is that of the lease, such as spec. A duration
// outside the bounds is clamped and reported as an Adjustment in seconds. The error is a
// Refusal.
func (t *Terms) Grant(path *field.Path, request TermRequest) (v1alpha1.Term, []v1alpha1.Adjustment, error) {
	term := v1alpha1.Term{Duration: t.config.Duration.Default, AutoRenew: t.config.AutoRenew.Default}
	var adjustments []v1alpha1.Adjustment
	if requested := request.Duration; requested != nil {
		if !requested.Valid() {
			return v1alpha1.Term{}, nil, Refusal{field.Invalid(path.Child("duration"), string(*requested), "must be a duration such as 30m or 8h")}
		}
		term.Duration = *requested
		if length(*requested) > length(t.config.Duration.Maximum) {
			term.Duration = t.config.Duration.Maximum
			adjustments = []v1alpha1.Adjustment{{
				Field: path.Child("duration").String(), Asked: seconds(*requested), Granted: seconds(term.Duration), Unit: "s", Limit: durationMaximum,
			}}
		}
	}
	if requested := request.AutoRenew; requested != nil && *requested != term.AutoRenew {
		if !t.config.AutoRenew.Allowed {
			return v1alpha1.Term{}, nil, Refusal{field.Forbidden(path.Child("autoRenew"),
				fmt.Sprintf("a lease may not turn automatic renewal %s (%s is false)", onOff(*requested), autoRenewAllowed))}
		}
		term.AutoRenew = *requested
	}
	return term, adjustments, nil
}

func endless(d v1alpha1.Duration) bool { return d.Value() == 0 }

// length returns the length of a duration. A duration without an end is the longest.
func length(d v1alpha1.Duration) time.Duration {
	if endless(d) {
		return math.MaxInt64
	}
	return d.Value()
}

func seconds(d v1alpha1.Duration) int64 { return int64(d.Value() / time.Second) }
