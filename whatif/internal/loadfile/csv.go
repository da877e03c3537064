package loadfile

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// parseCSV reads rows of a time and a rate in requests per second. A time is in seconds, or
// in RFC 3339. The first row may be a header. Lines that begin with # are comments.
func parseCSV(text []byte) ([]point, error) {
	r := csv.NewReader(bytes.NewReader(text))
	r.Comment, r.FieldsPerRecord, r.TrimLeadingSpace = '#', -1, true
	rows, err := r.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("is no CSV file: %w", err)
	}
	var points []point
	var faults []error
	for i, row := range rows {
		source := fmt.Sprintf("row %d", i+1)
		if len(row) != 2 {
			faults = append(faults, fmt.Errorf("%s: has %d columns: must have 2, a time and the requests per second", source, len(row)))
			continue
		}
		at, atErr := parseTime(strings.TrimSpace(row[0]))
		rate, rateErr := strconv.ParseFloat(strings.TrimSpace(row[1]), 64)
		if i == 0 && atErr != nil && rateErr != nil {
			continue // a header
		}
		if atErr != nil {
			faults = append(faults, fmt.Errorf("%s: the time %q must be in seconds, or as in 2026-11-30T09:30:00Z", source, row[0]))
		}
		if rateErr != nil {
			faults = append(faults, fmt.Errorf("%s: the rate %q must be a number, in requests per second", source, row[1]))
		}
		points = append(points, point{source, at, rate})
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return points, nil
}

func parseTime(text string) (float64, error) {
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		return seconds, nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	return float64(t.UnixMilli()) / 1e3, err
}
