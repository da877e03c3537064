package policy

import (
	"fmt"
	"math"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// TermRequest is how long a TritonLease asks to last. A nil pointer means that it does
// not ask.
type TermRequest struct {
	Duration  *v1alpha1.Duration
	AutoRenew *bool
}

const (
	durationMaximum  = "server.leases.duration.maximum"
	autoRenewAllowed = "server.leases.autoRenew.allowed"
)

// validateTerm checks the durations of a configuration.
func validateTerm(path *field.Path, config LeaseConfig, rateWindow v1alpha1.Duration) field.ErrorList {
	var reasons field.ErrorList
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
	return reasons
}

// Interval returns the period before the expiry in which a request renews the lease.
func (b *LeaseBounds) Interval() time.Duration { return b.config.AutoRenew.Interval.Value() }

// GrantTerm grants how long a lease lasts. The path is that of the lease, such as spec. A
// duration outside the bounds is clamped and reported as an Adjustment in seconds. The
// error is a Refusal.
func (b *LeaseBounds) GrantTerm(path *field.Path, request TermRequest) (v1alpha1.Term, []v1alpha1.Adjustment, error) {
	term := v1alpha1.Term{Duration: b.config.Duration.Default, AutoRenew: b.config.AutoRenew.Default}
	var adjustments []v1alpha1.Adjustment
	if requested := request.Duration; requested != nil {
		if !requested.Valid() {
			return v1alpha1.Term{}, nil, Refusal{field.Invalid(path.Child("duration"), string(*requested), "must be a duration such as 30m or 8h")}
		}
		term.Duration = *requested
		if length(*requested) > length(b.config.Duration.Maximum) {
			term.Duration = b.config.Duration.Maximum
			adjustments = []v1alpha1.Adjustment{{
				Field: path.Child("duration").String(), Asked: seconds(*requested), Granted: seconds(term.Duration), Unit: "s", Limit: durationMaximum,
			}}
		}
	}
	if requested := request.AutoRenew; requested != nil && *requested != term.AutoRenew {
		if !b.config.AutoRenew.Allowed {
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
