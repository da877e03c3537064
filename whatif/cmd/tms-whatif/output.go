package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// write prints the report as a table, json or csv.
func (r report) write(w io.Writer, format string) error {
	switch format {
	case "json":
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		return encoder.Encode(r)
	case "csv":
		return r.csv(w)
	}
	return r.table(w)
}

func (r report) table(w io.Writer) error {
	writer := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(writer, "%s: %d requests in %s (%s), %.4g requests/s for each replica\n\n",
		r.Lease, r.Traffic.Requests, duration(r.Traffic.Seconds), r.Traffic.Name, r.ReplicaCapacity)
	_, _ = fmt.Fprintln(writer, "ALTERNATIVE\tWAIT MEAN\tP50\tP99\tMAX\tREPLICA-HOURS\tGPU-HOURS\tCOST\tCHANGES\tAT MAXIMUM")
	for _, one := range r.Results {
		cells := []string{
			one.Alternative, duration(one.Waiting.Mean), duration(one.Waiting.P50), duration(one.Waiting.P99), duration(one.Waiting.Maximum),
			fmt.Sprintf("%.1f", one.ReplicaHours), optional(one.GPUHours, 1), optional(one.Cost, 2),
			strconv.Itoa(one.Changes), duration(one.SecondsAtMaximum),
		}
		_, _ = fmt.Fprintln(writer, strings.Join(cells, "\t"))
	}
	return writer.Flush()
}

func (r report) csv(w io.Writer) error {
	writer := csv.NewWriter(w)
	rows := [][]string{{
		"alternative", "waiting_mean_seconds", "waiting_p50_seconds", "waiting_p99_seconds", "waiting_max_seconds",
		"replica_hours", "gpu_hours", "cost", "changes", "at_maximum_seconds",
	}}
	number := func(value *float64) string {
		if value == nil {
			return ""
		}
		return strconv.FormatFloat(*value, 'g', 6, 64)
	}
	for _, one := range r.Results {
		rows = append(rows, []string{
			one.Alternative, number(&one.Waiting.Mean), number(&one.Waiting.P50), number(&one.Waiting.P99), number(&one.Waiting.Maximum),
			number(&one.ReplicaHours), number(one.GPUHours), number(one.Cost), strconv.Itoa(one.Changes), number(&one.SecondsAtMaximum),
		})
	}
	return writer.WriteAll(rows)
}

// optional returns a number with decimals, or "-" if there is none.
func optional(value *float64, decimals int) string {
	if value == nil {
		return "-"
	}
	return strconv.FormatFloat(*value, 'f', decimals, 64)
}

// duration formats seconds with about three digits, such as 12.3ms or 1h5m0s.
func duration(seconds float64) string {
	unit := time.Second
	for _, smaller := range []struct {
		below float64
		unit  time.Duration
	}{{0.01, 10 * time.Microsecond}, {0.1, 100 * time.Microsecond}, {1, time.Millisecond}, {10, 10 * time.Millisecond}, {100, 100 * time.Millisecond}} {
		if seconds < smaller.below {
			unit = smaller.unit
			break
		}
	}
	return time.Duration(math.Round(seconds * 1e9)).Round(unit).String()
}
