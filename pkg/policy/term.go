package policy

import (
	"fmt"
	"math"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// TermConfig is how long leases at run time may last: the values key server.leases.
// Its defaults live in the values.yaml of the chart.
type TermConfig struct {
	Duration  DurationBounds `json:"duration"`
	AutoRenew RenewalBounds  `json:"autoRenew"`
}

// DurationBounds are how long a lease lasts from its creation or its last renewal.
// A duration of 0 has no end.
type DurationBounds struct {
	// Default is the duration of a lease that names none.
	Default v1alpha1.Duration `json:"default"`
	// Maximum is the longest duration; 0 means no upper limit.
	Maximum v1alpha1.Duration `json:"maximum"`
}

// RenewalBounds is what the administrator says of leases that are extended while
// they serve requests.
type RenewalBounds struct {
	// Default is for leases that do not say.
	Default bool `json:"default"`
	// Allowed lets a lease turn it on or off.
	Allowed bool `json:"allowed"`
	// Interval is how far back a request counts, and how long before its end a
	// lease is looked at.
	Interval v1alpha1.Duration `json:"interval"`
}

// TermRequest is how long a lease asks to last. A nil pointer means that it does not ask.
type TermRequest struct {
	Duration  *v1alpha1.Duration
	AutoRenew *bool
}

// Terms is an administrator's TermConfig that was found coherent.
type Terms struct{ config TermConfig }

const (
	durationMaximum  = "server.leases.duration.maximum"
	autoRenewAllowed = "server.leases.autoRenew.allowed"
)

// NewTerms returns the terms of a configuration, or a Refusal with every
// incoherence at once. A renewal looks back over a rate, so its interval may not
// be shorter than the window over which rates are taken.
func NewTerms(config TermConfig, rateWindow v1alpha1.Duration) (*Terms, error) {
	var reasons field.ErrorList
	path := field.NewPath("server", "leases")
	if standard := path.Child("duration", "default"); endless(config.Duration.Default) && !endless(config.Duration.Maximum) {
		reasons = append(reasons, field.Invalid(standard, string(config.Duration.Default),
			fmt.Sprintf("has no end, which %s (%s) does not allow", durationMaximum, config.Duration.Maximum)))
	} else if length(config.Duration.Default) > length(config.Duration.Maximum) {
		reasons = append(reasons, field.Invalid(standard, string(config.Duration.Default),
			fmt.Sprintf("must not exceed %s (%s)", durationMaximum, config.Duration.Maximum)))
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

// Interval is how far back a request counts for a renewal.
func (t *Terms) Interval() time.Duration { return t.config.AutoRenew.Interval.Value() }

// Grant judges one request. The path is where the lease stands, such as spec. A
// duration out of bounds is clamped, and an Adjustment in seconds says so. The
// error is a Refusal.
func (t *Terms) Grant(path *field.Path, request TermRequest) (v1alpha1.Term, []v1alpha1.Adjustment, error) {
	term := v1alpha1.Term{Duration: t.config.Duration.Default, AutoRenew: t.config.AutoRenew.Default}
	var adjustments []v1alpha1.Adjustment
	if asked := request.Duration; asked != nil {
		if !asked.Valid() {
			return v1alpha1.Term{}, nil, Refusal{field.Invalid(path.Child("duration"), string(*asked), "must be a duration such as 30m or 8h")}
		}
		if term.Duration = *asked; length(*asked) > length(t.config.Duration.Maximum) {
			term.Duration = t.config.Duration.Maximum
			adjustments = []v1alpha1.Adjustment{{
				Field: path.Child("duration").String(), Asked: seconds(*asked), Granted: seconds(term.Duration), Unit: "s", Limit: durationMaximum,
			}}
		}
	}
	if asked := request.AutoRenew; asked != nil && *asked != term.AutoRenew {
		if term.AutoRenew = *asked; !t.config.AutoRenew.Allowed {
			return v1alpha1.Term{}, nil, Refusal{field.Forbidden(path.Child("autoRenew"),
				fmt.Sprintf("a lease may not turn automatic renewal %s (%s is false)", onOff(*asked), autoRenewAllowed))}
		}
	}
	return term, adjustments, nil
}

func endless(d v1alpha1.Duration) bool { return d.Value() == 0 }

// length orders durations: one without an end is the longest.
func length(d v1alpha1.Duration) time.Duration {
	if endless(d) {
		return math.MaxInt64
	}
	return d.Value()
}

func seconds(d v1alpha1.Duration) int64 { return int64(d.Value() / time.Second) }
