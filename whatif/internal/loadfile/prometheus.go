package loadfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// matrix is the result of a range query.
type matrix []struct {
	Metric     map[string]string `json:"metric"`
	Values     []sample          `json:"values"`
	Histograms []json.RawMessage `json:"histograms"`
}

// sample is a time in seconds and a value.
type sample struct{ at, value float64 }

// UnmarshalJSON reads a sample such as [1780131600.5,"12.5"].
func (s *sample) UnmarshalJSON(text []byte) error {
	var value string
	pair := []any{&s.at, &value}
	if err := json.Unmarshal(text, &pair); err != nil {
		return err
	}
	if len(pair) != 2 {
		return fmt.Errorf("%s: a sample must be a time and a value", text)
	}
	var err error
	s.value, err = strconv.ParseFloat(value, 64)
	return err
}

// parseJSON reads the result of a range query, as promtool prints it, or in the envelope of
// Prometheus's HTTP API.
func parseJSON(text []byte) ([]point, error) {
	var series matrix
	if err := json.Unmarshal(text, &series); err != nil {
		var envelope struct {
			Status string `json:"status"`
			Error  string `json:"error"`
			Data   struct {
				ResultType string          `json:"resultType"`
				Result     json.RawMessage `json:"result"`
			} `json:"data"`
		}
		if envelopeErr := json.Unmarshal(text, &envelope); envelopeErr != nil {
			return nil, fmt.Errorf("is no result of a range query: %w", err)
		}
		switch {
		case envelope.Status != "success":
			return nil, fmt.Errorf("is no result of a range query: status %q, error %q", envelope.Status, envelope.Error)
		case envelope.Data.ResultType != "matrix":
			return nil, fmt.Errorf("has a result of type %q: run a range query, which has type matrix", envelope.Data.ResultType)
		}
		if err := json.Unmarshal(envelope.Data.Result, &series); err != nil {
			return nil, fmt.Errorf("is no result of a range query: %w", err)
		}
	}
	switch {
	case len(series) == 0:
		return nil, errors.New("has no series: check the query and its time range")
	case len(series) > 1:
		return nil, fmt.Errorf("has %d series: add them up in the query, as in sum(rate(nv_inference_request_success[1m]))", len(series))
	case len(series[0].Histograms) > 0:
		return nil, errors.New("has histograms: query a rate in requests per second")
	}
	points := make([]point, len(series[0].Values))
	for i, s := range series[0].Values {
		points[i] = point{fmt.Sprintf("value %d", i+1), s.at, s.value}
	}
	return points, nil
}
