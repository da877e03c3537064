package schedule

import (
	"cmp"
	"errors"
	"fmt"
	"math/bits"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // the image of tms-server has no time zones

	"github.com/robfig/cron/v3"

	"github.com/triton-leases/tms/pkg/policy"
)

// Times are the times of a cron expression in a time zone.
//
// The expression matches local times. If the clock skips a time, the time is the moment right
// after the change of the clock. If the clock shows a time twice, it is the first of the two
// moments.
type Times struct {
	cron *cron.SpecSchedule
	zone *time.Location
}

// Parse parses a cron expression with five fields, or one such as @daily, and the name of a
// time zone of the IANA database. An empty name means policy.DefaultTimeZone. The expression has
// a time at least every eight years.
func Parse(expression, timeZone string) (*Times, error) {
	parsed, err := parseCron(expression)
	if err != nil {
		return nil, fmt.Errorf("cron expression %q: %w", expression, err)
	}
	zone, err := parseZone(timeZone)
	if err != nil {
		return nil, fmt.Errorf("time zone %q: %w", timeZone, err)
	}
	return &Times{parsed, zone}, nil
}

// parser is the parser of the CronJobs of Kubernetes.
var parser = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)

func parseCron(expression string) (*cron.SpecSchedule, error) {
	if strings.Contains(expression, "=") { // TZ=
		return nil, errors.New("must not name a time zone: set timeZone instead")
	}
	parsed, err := parser.Parse(expression)
	if err != nil {
		return nil, fmt.Errorf("must be a cron expression with five fields, such as 0 8 * * 1-5: %w", err)
	}
	spec, ok := parsed.(*cron.SpecSchedule)
	if !ok { // @every has no times of its own
		return nil, errors.New("must be a cron expression with five fields, such as 0 8 * * 1-5")
	}
	leapYear := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	if _, found := (&Times{cron: spec}).onOrAfter(leapYear, 366); !found {
		return nil, errors.New("must match a day: no day of any year matches")
	}
	return spec, nil
}

// zones caches time zones by name, because time.LoadLocation reads a file.
var zones sync.Map

func parseZone(name string) (*time.Location, error) {
	name = cmp.Or(name, policy.DefaultTimeZone)
	if zone, known := zones.Load(name); known {
		return zone.(*time.Location), nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		return nil, errors.New("must be the name of a time zone of the IANA database, such as Europe/Berlin")
	}
	zones.Store(name, zone)
	return zone, nil
}

// Last returns the last time that is not after now.
func (t *Times) Last(now time.Time) time.Time {
	wall, _ := t.onOrBefore(t.shown(now), maxDays)
	return t.moment(wall)
}

// Next returns the first time after now.
func (t *Times) Next(now time.Time) time.Time {
	wall, _ := t.onOrAfter(t.shown(now).Add(time.Minute), maxDays)
	return t.moment(wall)
}

// maxDays is the longest time between two times of an expression: from 29 February 2096
// to 29 February 2104.
const maxDays = 8*366 + 1

// In the functions below, wall is a local minute, as a time in UTC.

// shown returns the latest minute that the clock of the zone has shown until now.
func (t *Times) shown(now time.Time) time.Time {
	now = now.In(t.zone)
	latest := wallOf(now).Truncate(time.Minute)
	if start, _ := now.ZoneBounds(); !start.IsZero() {
		// The minute before the clock was set back.
		if before := wallOf(start.Add(-time.Minute)); before.After(latest) {
			return before
		}
	}
	return latest
}

// moment returns the first moment at which the clock of the zone shows wall or a later minute.
func (t *Times) moment(wall time.Time) time.Time {
	moment := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), 0, 0, t.zone)
	start, end := moment.ZoneBounds()
	switch shown := wallOf(moment); {
	case shown.After(wall): // the clock skips the minute
		return start.UTC()
	case shown.Before(wall):
		return end.UTC()
	}
	if !start.IsZero() {
		_, offset := moment.Zone()
		_, before := start.Add(-time.Second).Zone()
		if first := moment.Add(time.Duration(offset-before) * time.Second); first.Before(start) {
			return first.UTC()
		}
	}
	return moment.UTC()
}

// wallOf returns what the clock shows at a moment.
func wallOf(moment time.Time) time.Time {
	return time.Date(moment.Year(), moment.Month(), moment.Day(), moment.Hour(), moment.Minute(), moment.Second(), 0, time.UTC)
}

// onOrAfter returns the first minute of the expression within some days.
func (t *Times) onOrAfter(wall time.Time, days int) (time.Time, bool) {
	day, from := wall.Truncate(24*time.Hour), wall.Hour()*60+wall.Minute()
	for range days {
		if t.hasDay(day) {
			for hour := from / 60; hour < 24; hour++ {
				minutes := t.cron.Minute
				if hour == from/60 {
					minutes &= ^uint64(0) << (from % 60)
				}
				if minute := bits.TrailingZeros64(minutes); t.cron.Hour&(1<<hour) != 0 && minute < 60 {
					return day.Add(time.Duration(hour*60+minute) * time.Minute), true
				}
			}
		}
		day, from = day.AddDate(0, 0, 1), 0
	}
	return time.Time{}, false
}

// onOrBefore returns the last minute of the expression within some days.
func (t *Times) onOrBefore(wall time.Time, days int) (time.Time, bool) {
	const allMinutes = 1<<60 - 1 // without the bit that stands for *
	day, from := wall.Truncate(24*time.Hour), wall.Hour()*60+wall.Minute()
	for range days {
		if t.hasDay(day) {
			for hour := from / 60; hour >= 0; hour-- {
				minutes := t.cron.Minute & allMinutes
				if hour == from/60 {
					minutes &= 1<<(from%60+1) - 1
				}
				if t.cron.Hour&(1<<hour) != 0 && minutes != 0 {
					return day.Add(time.Duration(hour*60+bits.Len64(minutes)-1) * time.Minute), true
				}
			}
		}
		day, from = day.AddDate(0, 0, -1), 24*60-1
	}
	return time.Time{}, false
}

// hasDay reports whether a day matches, as cron defines it: if both the day of the month
// and the day of the week are restricted, one of them must match.
func (t *Times) hasDay(day time.Time) bool {
	const star = 1 << 63
	dom := t.cron.Dom&(1<<day.Day()) != 0
	dow := t.cron.Dow&(1<<day.Weekday()) != 0
	matches := dom && dow
	if t.cron.Dom&star == 0 && t.cron.Dow&star == 0 {
		matches = dom || dow
	}
	return matches && t.cron.Month&(1<<day.Month()) != 0
}
