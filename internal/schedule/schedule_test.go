package schedule_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/robfig/cron/v3"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/schedule"
)

func at(t *testing.T, text string) time.Time {
	t.Helper()
	moment, err := time.Parse(time.RFC3339, text)
	require.NoError(t, err)
	return moment
}

// TestTimes checks times around changes of the clock, in UTC.
func TestTimes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, cron, zone, now, last, next string }{
		{"a working day", "0 8 * * 1-5", "Europe/Berlin", "2026-11-30T09:00:00Z", "2026-11-30T07:00:00Z", "2026-12-01T07:00:00Z"},
		{"the default zone", "0 8 * * *", "", "2026-11-30T09:00:00Z", "2026-11-30T08:00:00Z", "2026-12-01T08:00:00Z"},
		{"exactly now", "0 8 * * *", "", "2026-11-30T08:00:00Z", "2026-11-30T08:00:00Z", "2026-12-01T08:00:00Z"},
		{"a second before", "0 8 * * *", "", "2026-11-30T07:59:59Z", "2026-11-29T08:00:00Z", "2026-11-30T08:00:00Z"},
		{"either day", "0 0 13 * 5", "", "2026-02-14T00:00:00Z", "2026-02-13T00:00:00Z", "2026-02-20T00:00:00Z"},
		{"a name", "@monthly", "Asia/Tokyo", "2026-02-14T00:00:00Z", "2026-01-31T15:00:00Z", "2026-02-28T15:00:00Z"},
		{"a leap day", "0 0 29 2 *", "", "2098-01-01T00:00:00Z", "2096-02-29T00:00:00Z", "2104-02-29T00:00:00Z"},
		// 2 to 3 o'clock is skipped on 29 March, and shown twice on 25 October.
		{"Berlin, skipped, before", "30 2 * * *", "Europe/Berlin", "2026-03-29T00:59:59Z", "2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z"},
		{"Berlin, skipped, after", "30 2 * * *", "Europe/Berlin", "2026-03-29T01:00:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"},
		{"Berlin, first", "30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"},
		{"Berlin, second", "30 2 * * *", "Europe/Berlin", "2026-10-25T01:15:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"},
		{"Berlin, between", "*/10 * * * *", "Europe/Berlin", "2026-10-25T01:15:00Z", "2026-10-25T00:50:00Z", "2026-10-25T02:00:00Z"},
		{"New York, skipped", "0 2 * * *", "America/New_York", "2026-03-08T12:00:00Z", "2026-03-08T07:00:00Z", "2026-03-09T06:00:00Z"},
		{"New York, twice", "0 1 * * *", "America/New_York", "2026-11-01T06:30:00Z", "2026-11-01T05:00:00Z", "2026-11-02T06:00:00Z"},
		// The clock goes forward and back by half an hour, at 2 o'clock.
		{"Lord Howe, skipped", "15 2 * * *", "Australia/Lord_Howe", "2026-10-04T00:00:00Z", "2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"},
		{"Lord Howe, twice", "45 1 * * *", "Australia/Lord_Howe", "2026-04-04T15:14:00Z", "2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"},
		{"Samoa, a skipped day", "0 9 30 12 *", "Pacific/Apia", "2012-01-01T00:00:00Z", "2011-12-30T10:00:00Z", "2012-12-29T19:00:00Z"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			times, err := schedule.Parse(test.cron, test.zone)
			require.NoError(t, err)
			now := at(t, test.now)
			require.Equal(t, test.last, times.Last(now).Format(time.RFC3339), "last")
			require.Equal(t, test.next, times.Next(now).Format(time.RFC3339), "next")
		})
	}
}

// oracle returns the times of an expression in a zone. It steps a clock minute by minute.
func oracle(t *testing.T, expression, zone string, from, to time.Time) []time.Time {
	t.Helper()
	location, err := time.LoadLocation(zone)
	require.NoError(t, err)
	spec, err := cron.ParseStandard(expression)
	require.NoError(t, err)
	matches := func(wall time.Time) bool { return spec.Next(wall.Add(-time.Second)).Equal(wall) }
	shows := func(moment time.Time) time.Time {
		m := moment.In(location)
		return time.Date(m.Year(), m.Month(), m.Day(), m.Hour(), m.Minute(), 0, 0, time.UTC)
	}
	var times []time.Time
	latest := shows(from).Add(-time.Minute)
	for moment := from; moment.Before(to); moment = moment.Add(time.Minute) {
		found := false
		for now := shows(moment); latest.Before(now); { // several minutes if the clock skips some
			latest = latest.Add(time.Minute)
			found = found || matches(latest)
		}
		if found {
			times = append(times, moment)
		}
	}
	return times
}

// TestTimesAgainstOracle compares random expressions around changes of the clock with oracle.
func TestTimesAgainstOracle(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(17, 4))
	pick := func(options ...string) string { return options[random.IntN(len(options))] }
	changes := []struct{ zone, change string }{
		{"Europe/Berlin", "2026-03-29T01:00:00Z"},
		{"Europe/Berlin", "2026-10-25T01:00:00Z"},
		{"America/New_York", "2026-03-08T07:00:00Z"},
		{"America/New_York", "2026-11-01T06:00:00Z"},
		{"Australia/Lord_Howe", "2026-04-04T15:00:00Z"},
		{"Australia/Lord_Howe", "2026-10-03T15:30:00Z"},
		{"Etc/UTC", "2026-12-31T23:00:00Z"},
	}
	for i := range 70 {
		c := changes[i%len(changes)]
		change := at(t, c.change)
		expression := fmt.Sprint(
			pick("*", "0", "15", "45", "*/20", "7-50/9", fmt.Sprint(random.IntN(60))), " ",
			pick("*", "1", "2", "3", "1-3", "*/2", "2,23", fmt.Sprint(random.IntN(24))), " ",
			pick("*", "*", "*", "1", "*/2", "25-31", "5"), " ", pick("*", "*", "*", "3,10,12", "*/3"), " ", pick("*", "*", "*", "0", "sun-TUE", "6", "*/2"))
		from, to := change.AddDate(0, 0, -8), change.AddDate(0, 0, 8)
		wanted := oracle(t, expression, c.zone, from, to)
		times, err := schedule.Parse(expression, c.zone)
		require.NoError(t, err, expression)
		for range 100 {
			now := change.Add(time.Duration(random.Int64N(int64(12*time.Hour))) - 6*time.Hour).Truncate(time.Second)
			if random.IntN(4) == 0 {
				now = change.Add(time.Duration(random.IntN(7)-3) * time.Second)
			}
			var last, next time.Time
			for _, moment := range wanted {
				if !moment.After(now) {
					last = moment
				} else if next.IsZero() {
					next = moment
				}
			}
			message := fmt.Sprintf("%q in %s at %s", expression, c.zone, now)
			if !last.IsZero() {
				require.Equal(t, last, times.Last(now), message)
			} else {
				require.True(t, times.Last(now).Before(from), message)
			}
			if !next.IsZero() {
				require.Equal(t, next, times.Next(now), message)
			} else {
				require.False(t, times.Next(now).Before(to), message)
			}
		}
	}
}

func TestAt(t *testing.T) {
	t.Parallel()
	office := []v1alpha1.ScheduledReplicas{
		{Cron: "0 8 * * 1-5", TimeZone: "Europe/Berlin"},
		{Cron: "0 20 * * 1-5", TimeZone: "Europe/Berlin"},
		{Cron: "0 20 24 12 *", TimeZone: "Europe/Berlin"}, // a Thursday in 2026
	}
	for _, test := range []struct {
		now         string
		active      int
		since, next string
	}{
		{"2026-11-30T07:00:00Z", 0, "2026-11-30T07:00:00Z", "2026-11-30T19:00:00Z"},
		{"2026-11-30T18:59:59Z", 0, "2026-11-30T07:00:00Z", "2026-11-30T19:00:00Z"},
		{"2026-11-30T19:00:00Z", 1, "2026-11-30T19:00:00Z", "2026-12-01T07:00:00Z"},
		{"2026-11-29T12:00:00Z", 1, "2026-11-27T19:00:00Z", "2026-11-30T07:00:00Z"}, // since Friday
		{"2026-12-24T20:00:00Z", 2, "2026-12-24T19:00:00Z", "2026-12-25T07:00:00Z"}, // the later entry wins
		{"2026-07-01T06:30:00Z", 0, "2026-07-01T06:00:00Z", "2026-07-01T18:00:00Z"}, // summer
	} {
		state, err := schedule.At(office, at(t, test.now))
		require.NoError(t, err)
		require.Equal(t, schedule.State{Active: test.active, Since: at(t, test.since), Next: at(t, test.next)}, state, test.now)
	}
	_, err := schedule.At([]v1alpha1.ScheduledReplicas{{Cron: "x"}}, at(t, "2026-01-01T00:00:00Z"))
	require.ErrorContains(t, err, `cron expression "x": must be a cron expression with five fields`)
	_, err = schedule.At([]v1alpha1.ScheduledReplicas{{Cron: "@daily", TimeZone: "x"}}, at(t, "2026-01-01T00:00:00Z"))
	require.ErrorContains(t, err, `time zone "x": must be the name of a time zone`)
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ cron, zone, wanted string }{
		{"0 8 * * 1-5", "Europe/Berlin", ""},
		{"@daily", "", ""},
		{"0 0 29 2 *", "UTC", ""},
		{"0 0 30 2 *", "", "s[0].cron: Invalid value: \"0 0 30 2 *\": must match a day: no day of any year matches"},
		{", * * * *", "", "must match a day"},
		{"0 8 * *", "", "must be a cron expression with five fields, such as 0 8 * * 1-5: expected exactly 5 fields, found 4"},
		{"0 24 * * *", "", "end of range (24) above maximum (23)"},
		{"0 0 8 * * *", "", "expected exactly 5 fields, found 6"},
		{"@every 1h", "", "must be a cron expression with five fields"},
		{"@reboot", "", "must be a cron expression with five fields"},
		{"TZ=UTC", "", "must not name a time zone: set timeZone instead"},
		{"0 8 * * *", "Europe/Bonn", "s[0].timeZone: Invalid value: \"Europe/Bonn\": must be the name of a time zone of the IANA database, such as Europe/Berlin"},
		{"0 8 * * *", "Local", "must be the name of a time zone"},
	} {
		faults := schedule.Check(field.NewPath("s"), []v1alpha1.ScheduledRange{{Cron: test.cron, TimeZone: test.zone}})
		if test.wanted == "" {
			require.Empty(t, faults, test.cron)
			continue
		}
		require.Len(t, faults, 1, test.cron)
		require.ErrorContains(t, faults[0], test.wanted)
	}
}
