package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
)

// description writes the fields and the sections of a lease. The columns of each section
// are aligned on their own, because its title has no cells.
type description struct{ w *tabwriter.Writer }

func (d description) line(title string, cells ...string) {
	for i, cell := range cells {
		cells[i] = escape(cell)
	}
	_, _ = fmt.Fprintln(d.w, title+"\t"+strings.Join(cells, "\t"))
}

// section writes a section with one line for each item, if there is an item.
func section[T any](d description, title string, items []T, cells func(T) []string) {
	if len(items) > 0 {
		_, _ = fmt.Fprintln(d.w, "\n"+title)
	}
	for _, item := range items {
		d.line(" ", cells(item)...)
	}
}

// describeLease writes all of a lease for people.
func describeLease(w io.Writer, lease *tmsv1.Lease) error {
	d := description{tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
	replicas, granted := lease.GetReplicas(), lease.GetGranted()
	d.line("Lease", lease.GetId())
	d.line("Namespace", lease.GetNamespace())
	d.line("State", stateName(lease.GetState()))
	// The message of a refused lease repeats its refusals.
	if lease.GetMessage() != "" && (lease.GetState() != tmsv1.State_STATE_REFUSED || len(lease.GetRefusals()) == 0) {
		d.line("Message", lease.GetMessage())
	}
	d.line("Address", orDash(lease.GetAddress()))
	d.line("Replicas", fmt.Sprintf("%d of %d serve, %d wanted", replicas.GetReady(), replicas.GetCurrent(), replicas.GetWanted()))
	d.line("Scales", scaling(granted))
	if granted.GetGpus() > 0 {
		d.line("GPUs", fmt.Sprintf("%d for each replica", granted.GetGpus()))
	}
	if budget := lease.GetBudget(); budget != nil {
		d.line("Budget", fmt.Sprintf("%d GPUs charged, %d of %d GPUs of the namespace used", budget.GetCharged(), budget.GetUsed(), budget.GetGpus()))
	}
	if limits := lease.GetLimits(); limits != nil {
		d.line("Limits", limitsText(limits))
	}
	d.line("Duration", duration(granted))
	d.line("Created", createdText(lease))
	d.line("Expires", expiryText(lease))
	section(d, "Refusals", lease.GetRefusals(), func(refusal *tmsv1.Refusal) []string {
		return []string{refusal.GetField() + ": " + refusal.GetMessage()}
	})
	section(d, "Models", lease.GetModels(), func(model *tmsv1.ModelStatus) []string {
		return []string{model.GetModel().GetName(), model.GetModel().GetUri(), modelStateName(model.GetState()), model.GetMessage()}
	})
	section(d, "Metrics", granted.GetMetrics(), func(metric *tmsv1.MetricGrant) []string {
		threshold := fmt.Sprintf("above %d %s", metric.GetThreshold(), unitOf(metric.GetMetric()))
		return []string{metric.GetMetric(), strings.TrimSpace(threshold)}
	})
	section(d, "Schedule", granted.GetSchedule(), func(entry *tmsv1.ScheduledReplicas) []string {
		state, now := "", lease.GetSchedule()
		if now != nil && int(now.GetActive()) == slices.Index(granted.GetSchedule(), entry) {
			state = fmt.Sprintf("in effect since %s, until %s", formatTime(now.GetSince()), formatTime(now.GetNextTime()))
		}
		return []string{entry.GetCron(), entry.GetTimeZone(), fmt.Sprintf("%d to %d replicas", entry.GetMinimum(), entry.GetMaximum()), state}
	})
	section(d, "Adjustments", granted.GetAdjustments(), func(adjustment *tmsv1.Adjustment) []string {
		return []string{adjustmentText(adjustment)}
	})
	section(d, "Warnings", granted.GetWarnings(), func(warning *tmsv1.Warning) []string {
		return []string{warningText(warning)}
	})
	if err := d.w.Flush(); err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	return nil
}

func createdText(lease *tmsv1.Lease) string {
	if lease.GetCreatedAt() == nil {
		return "-"
	}
	return fmt.Sprintf("%s (%s ago)", formatTime(lease.GetCreatedAt()), age(lease.GetCreatedAt()))
}

func expiryText(lease *tmsv1.Lease) string {
	switch left := expiresIn(lease.GetExpiresAt()); left {
	case never:
		return never
	case due:
		return fmt.Sprintf("%s (%s)", formatTime(lease.GetExpiresAt()), due)
	default:
		return fmt.Sprintf("%s (in %s)", formatTime(lease.GetExpiresAt()), left)
	}
}

func scaling(granted *tmsv1.Grant) string {
	if !granted.GetAutoscaled() {
		return "no"
	}
	return fmt.Sprintf("%d to %d replicas", granted.GetMinReplicas(), granted.GetMaxReplicas())
}

// limitsText returns the limits of one replica, and the number of replicas of a lease that
// does not scale.
func limitsText(limits *tmsv1.Limits) string {
	parts := []string{fmt.Sprintf("%d replicas without autoscaling", limits.GetReplicas()), fmt.Sprintf("%d GPUs", limits.GetGpus())}
	if limits.GetCpus() != "" {
		parts = append(parts, limits.GetCpus()+" CPUs")
	}
	if limits.GetMemory() != "" {
		parts = append(parts, limits.GetMemory()+" memory")
	}
	return strings.Join(parts, ", ")
}

func duration(granted *tmsv1.Grant) string {
	text := "-"
	switch d := granted.GetDuration(); {
	case d == nil:
	case d.AsDuration() == 0:
		text = "unlimited"
	default:
		text = d.AsDuration().String()
	}
	if granted.GetAutoRenew() {
		text += ", renewed while it serves requests"
	}
	return text
}

func warningText(warning *tmsv1.Warning) string {
	return warning.GetField() + ": " + warning.GetMessage()
}

// adjustmentText returns the sentence of an adjustment.
func adjustmentText(a *tmsv1.Adjustment) string {
	if a.GetMessage() != "" {
		return a.GetMessage()
	}
	origin := "asked"
	if a.GetIsDefault() {
		origin = "default"
	}
	return fmt.Sprintf("%s: %s %d%s, granted %d%s (%s)", a.GetField(), origin, a.GetAsked(), a.GetUnit(), a.GetGranted(), a.GetUnit(), a.GetLimit())
}
