package monitoring

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
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
