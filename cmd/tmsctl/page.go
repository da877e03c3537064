package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
)

// page prints all of a lease for a person.
func page(w io.Writer, lease *tmsv1.Lease) error {
	writer := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(title string, cells ...string) {
		for i, cell := range cells {
			cells[i] = printable(cell)
		}
		_, _ = fmt.Fprintln(writer, title+"\t"+strings.Join(cells, "\t"))
	}
	line("Lease", lease.GetId())
	line("Namespace", lease.GetNamespace())
	line("State", stateName(lease.GetState()))
	if lease.GetMessage() != "" {
		line("Message", lease.GetMessage())
	}
	line("Address", orDash(lease.GetAddress()))
	line("Replicas", fmt.Sprintf("%d of %d serve, %d wanted", lease.GetReplicas().GetReady(), lease.GetReplicas().GetCurrent(), lease.GetReplicas().GetWanted()))
	line("Scales", scaling(lease.GetGranted()))
	line("Duration", duration(lease.GetGranted()))
	line("Created", orDash(moment(lease.GetCreatedAt())))
	line("Expires", orNever(moment(lease.GetExpiresAt())))
	// Each of the rest has columns of its own, or is a sentence.
	if err := writer.Flush(); err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	section := func(title string, rows int, row func(int) []string) {
		if rows > 0 {
			_, _ = fmt.Fprintln(writer, "\n"+title)
		}
		for i := range rows {
			line(" ", row(i)...)
		}
	}
	models, granted := lease.GetModels(), lease.GetGranted()
	section("Models", len(models), func(i int) []string {
		model := models[i]
		return []string{model.GetModel().GetName(), model.GetModel().GetUri(), strings.ToLower(strings.TrimPrefix(model.GetState().String(), "MODEL_STATE_"))}
	})
	section("Metrics", len(granted.GetMetrics()), func(i int) []string {
		metric := granted.GetMetrics()[i]
		return []string{metricName(metric.GetMetric()), fmt.Sprintf("above %d %s", metric.GetThreshold(), unit(metric.GetMetric()))}
	})
	section("Adjusted", len(granted.GetAdjustments()), func(i int) []string { return []string{adjusted(granted.GetAdjustments()[i])} })
	section("Warnings", len(granted.GetWarnings()), func(i int) []string { return []string{granted.GetWarnings()[i]} })
	if err := writer.Flush(); err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	return nil
}

func scaling(granted *tmsv1.Grant) string {
	if !granted.GetAutoscaled() {
		return "no"
	}
	return fmt.Sprintf("%d to %d replicas", granted.GetMinReplicas(), granted.GetMaxReplicas())
}

func duration(granted *tmsv1.Grant) string {
	text := "-"
	switch lasts := granted.GetDuration(); {
	case lasts == nil:
	case lasts.AsDuration() == 0:
		text = "no end"
	default:
		text = lasts.AsDuration().String()
	}
	if granted.GetAutoRenew() {
		text += ", renewed while it serves requests"
	}
	return text
}
