package monitoring

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Prometheus is a client of the API of a Prometheus.
type Prometheus struct {
	// Address returns its current address, which changes when its pod is replaced.
	Address func() (string, error)
}

// Sample is one sample of a result.
type Sample struct {
	Metric map[string]string `json:"metric"`
	Value  [2]any            `json:"value"`
}

// Alert is an active alert.
type Alert struct {
	Labels map[string]string `json:"labels"`
	State  string            `json:"state"` // pending or firing
}

// Query evaluates an expression now.
func (p Prometheus) Query(ctx context.Context, expression string) ([]Sample, error) {
	var answer struct {
		Result []Sample `json:"result"`
	}
	err := p.get(ctx, "/api/v1/query?query="+url.QueryEscape(expression), &answer)
	return answer.Result, err
}

// Point is a sample of a range query.
type Point struct {
	Time  time.Time
	Value float64
}

// Series is one series of the result of a range query.
type Series struct {
	Metric map[string]string
	Points []Point
}

// Number returns the value of a sample.
func (s Sample) Number() (float64, error) {
	text, _ := s.Value[1].(string)
	return strconv.ParseFloat(text, 64)
}

// QueryRange evaluates an expression at each step from start to end.
func (p Prometheus) QueryRange(ctx context.Context, expression string, start, end time.Time, step time.Duration) ([]Series, error) {
	var answer struct {
		Result []struct {
			Metric map[string]string
			Values [][2]any
		}
	}
	parameters := url.Values{
		"query": {expression}, "start": {start.Format(time.RFC3339Nano)}, "end": {end.Format(time.RFC3339Nano)},
		"step": {strconv.FormatFloat(step.Seconds(), 'f', -1, 64)},
	}
	if err := p.get(ctx, "/api/v1/query_range?"+parameters.Encode(), &answer); err != nil {
		return nil, err
	}
	all := make([]Series, len(answer.Result))
	for i, result := range answer.Result {
		all[i].Metric = result.Metric
		for _, value := range result.Values {
			number, err := Sample{Value: value}.Number()
			if err != nil {
				return nil, fmt.Errorf("query Prometheus: %w", err)
			}
			seconds, _ := value[0].(float64)
			all[i].Points = append(all[i].Points, Point{time.UnixMilli(int64(seconds * 1000)), number})
		}
	}
	return all, nil
}

// LabelValues returns the values of a label of the series that match a selector between
// start and end.
func (p Prometheus) LabelValues(ctx context.Context, selector, label string, start, end time.Time) ([]string, error) {
	var values []string
	parameters := url.Values{"match[]": {selector}, "start": {start.Format(time.RFC3339Nano)}, "end": {end.Format(time.RFC3339Nano)}}
	err := p.get(ctx, "/api/v1/label/"+url.PathEscape(label)+"/values?"+parameters.Encode(), &values)
	return values, err
}

// Alerts returns the states (pending or firing) of the active alerts with a label, by name.
func (p Prometheus) Alerts(ctx context.Context, label, value string) (map[string]string, error) {
	var answer struct {
		Alerts []Alert `json:"alerts"`
	}
	if err := p.get(ctx, "/api/v1/alerts", &answer); err != nil {
		return nil, err
	}
	states := map[string]string{}
	for _, alert := range answer.Alerts {
		if alert.Labels[label] == value {
			states[alert.Labels["alertname"]] = alert.State
		}
	}
	return states, nil
}

func (p Prometheus) get(ctx context.Context, path string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	address, err := p.Address()
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		return fmt.Errorf("query Prometheus: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("query Prometheus: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("query Prometheus: %w", err)
	}
	answer := struct {
		Status, Error string
		Data          json.RawMessage
	}{}
	if err := json.Unmarshal(text, &answer); err != nil {
		return fmt.Errorf("query Prometheus: %s: %.200s", response.Status, text)
	}
	if answer.Status != "success" {
		return fmt.Errorf("query Prometheus: %s", answer.Error)
	}
	return json.Unmarshal(answer.Data, into)
}
