package v1alpha1

import (
	"regexp"
	"strconv"
	"time"
)

// Duration is a duration as Prometheus spells it: hours, minutes, seconds and
// milliseconds in this order, each at most once, such as 15s, 1m or 1m30s.
type Duration string

var durationPattern = regexp.MustCompile(`^(?:([0-9]{1,4})h)?(?:([0-9]{1,6})m)?(?:([0-9]{1,8})s)?(?:([0-9]{1,9})ms)?$`)

// Valid reports whether d is a duration. The empty string is not.
func (d Duration) Valid() bool { return d != "" && durationPattern.MatchString(string(d)) }

// Value returns the length of d, and 0 if d is not valid.
func (d Duration) Value() time.Duration {
	parts := durationPattern.FindStringSubmatch(string(d))
	if parts == nil {
		return 0
	}
	var total time.Duration
	for i, unit := range []time.Duration{time.Hour, time.Minute, time.Second, time.Millisecond} {
		n, _ := strconv.ParseInt(parts[i+1], 10, 32) // an absent part is empty and counts as 0
		total += time.Duration(n) * unit
	}
	return total
}
