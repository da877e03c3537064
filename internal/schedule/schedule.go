// Package schedule computes which entry of a schedule of replicas is in effect.
//
// An entry takes effect at the times of its cron expression, and stays in effect until the
// next time of any entry. The result depends only on the entries and the current time, so no
// state is kept. All functions are safe for concurrent use.
package schedule

import (
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// State is the entry of a schedule in effect at one time.
type State struct {
	// Active is the index of the entry in effect. If several entries took effect at the same
	// time, it is the last of them.
	Active int
	// Since is when the entry took effect, and Next is the next time of any entry.
	Since, Next time.Time
}

// At returns the state of a granted schedule at a time. The error is that of Parse. The
// schedule must not be empty.
func At(entries []v1alpha1.ScheduledReplicas, now time.Time) (State, error) {
	var state State
	for i, entry := range entries {
		times, err := Parse(entry.Cron, entry.TimeZone)
		if err != nil {
			return State{}, err
		}
		if last := times.Last(now); i == 0 || !last.Before(state.Since) {
			state.Active, state.Since = i, last
		}
		if next := times.Next(now); i == 0 || next.Before(state.Next) {
			state.Next = next
		}
	}
	return state, nil
}

// Check returns the faults of the entries that a lease asks for. path is the path of the
// list. The schema of the chart checks only the characters of cron expressions and of time
// zones.
func Check(path *field.Path, entries []v1alpha1.ScheduledRange) field.ErrorList {
	var faults field.ErrorList
	for i, entry := range entries {
		if _, err := parseCron(entry.Cron); err != nil {
			faults = append(faults, field.Invalid(path.Index(i).Child("cron"), entry.Cron, err.Error()))
		}
		if _, err := parseZone(entry.TimeZone); err != nil {
			faults = append(faults, field.Invalid(path.Index(i).Child("timeZone"), entry.TimeZone, err.Error()))
		}
	}
	return faults
}
