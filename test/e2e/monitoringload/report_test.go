package main

import (
	"slices"
	"strings"
	"testing"
)

func TestParseFleets(t *testing.T) {
	t.Parallel()
	got, err := parseFleets("1000/20,1000/1")
	if want := []fleet{{1000, 20}, {1000, 1}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if none, err := parseFleets(""); err != nil || none != nil {
		t.Errorf("an empty list is %v, %v", none, err)
	}
	for _, wrong := range []string{"1000", "1000/", "1000/0", "a/1", "1/2/3"} {
		if got, err := parseFleets(wrong); err == nil {
			t.Errorf("%q is %v", wrong, got)
		}
	}
}

func TestReportCosts(t *testing.T) {
	t.Parallel()
	f := fleet{1000, 20}
	text := reportCosts([][]cost{{
		{fleet: f, form: form{name: "perLease"}, cpu: 0.2, evaluating: 0.5, resident: 300 << 20},
		{fleet: f, form: form{name: "shared"}, cpu: 0.1, evaluating: 0.025, resident: 300 << 20},
	}})
	rows := strings.Split(strings.TrimSpace(text), "\n")
	for _, part := range []string{"1,000", "shared", "0.100 cores (1/2.0)", "300 MiB (1.0×)", "1.50 s/min (1/20)"} {
		if !strings.Contains(rows[len(rows)-1], part) {
			t.Errorf("%q is not in %s", part, rows[len(rows)-1])
		}
	}
}

// TestReportSyncs checks that a setting without a measurement has a dash.
func TestReportSyncs(t *testing.T) {
	t.Parallel()
	text := reportSyncs([]syncs{
		{setting: settings[0], autoscalers: 100, period: 20, calls: 3},
		{setting: settings[1], autoscalers: 100, period: 15.1, calls: 3},
		{setting: settings[1], autoscalers: 400, period: 21, calls: 3},
	})
	rows := strings.Split(strings.TrimSpace(text), "\n")
	for i, want := range map[int]string{2: "100|400", 4: "20.0|-", 5: "15.1|21.0"} {
		cells := strings.Split(strings.ReplaceAll(rows[i], " ", ""), "|")
		if got := strings.Join(cells[2:4], "|"); got != want {
			t.Errorf("row %d: got %s, want %s\n%s", i, got, want, text)
		}
	}
}
