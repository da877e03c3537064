package main

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"google.golang.org/protobuf/types/known/timestamppb"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
)

// table prints rows: in aligned columns with a header for people, or tab-separated for
// scripts.
type table struct {
	w io.Writer
	// flushWriter flushes w.
	flushWriter func() error
}

func newTable(w io.Writer, porcelain bool, header ...string) *table {
	if porcelain {
		buffer := bufio.NewWriter(w)
		return &table{w: buffer, flushWriter: buffer.Flush}
	}
	writer := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(writer, strings.Join(header, "\t"))
	return &table{w: writer, flushWriter: writer.Flush}
}

// row prints one row. An empty cell is printed as "-", so that scripts can split a row at
// spaces, too.
func (t *table) row(cells ...string) {
	for i, cell := range cells {
		cells[i] = orDash(escape(cell))
	}
	_, _ = fmt.Fprintln(t.w, strings.Join(cells, "\t"))
}

func (t *table) flush() error {
	if err := t.flushWriter(); err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	return nil
}

func orDash(text string) string { return cmp.Or(text, "-") }

// formatTime returns a time as Kubernetes prints it, and "" for nil.
func formatTime(t *timestamppb.Timestamp) string {
	if t == nil {
		return ""
	}
	return t.AsTime().UTC().Format("2006-01-02T15:04:05Z")
}

func stateName(state tmsv1.State) string {
	return strings.ToLower(strings.TrimPrefix(state.String(), "STATE_"))
}

// stateText returns the state of a lease with its message.
func stateText(lease *tmsv1.Lease) string {
	if lease.GetMessage() == "" {
		return stateName(lease.GetState())
	}
	return stateName(lease.GetState()) + ": " + lease.GetMessage()
}

func modelStateName(state tmsv1.ModelState) string {
	return strings.ToLower(strings.TrimPrefix(state.String(), "MODEL_STATE_"))
}

func modelNames(lease *tmsv1.Lease) string {
	var names []string
	for _, model := range lease.GetModels() {
		names = append(names, model.GetModel().GetName())
	}
	return strings.Join(names, ",")
}

// replicaBounds returns empty strings for a lease that does not scale.
func replicaBounds(granted *tmsv1.Grant) (minimum, maximum string) {
	if !granted.GetAutoscaled() {
		return "", ""
	}
	return fmt.Sprint(granted.GetMinReplicas()), fmt.Sprint(granted.GetMaxReplicas())
}

// gpus returns the GPUs of one replica, and an empty string for none.
func gpus(lease *tmsv1.Lease) string {
	if lease.GetGranted().GetGpus() == 0 {
		return ""
	}
	return fmt.Sprint(lease.GetGranted().GetGpus())
}

// chargedGPUs returns an empty string for a lease that no budget applies to.
func chargedGPUs(lease *tmsv1.Lease) string {
	if lease.GetBudget() == nil {
		return ""
	}
	return fmt.Sprint(lease.GetBudget().GetCharged())
}

// porcelainLeases prints leases for scripts. leaseColumns documents the columns.
func porcelainLeases(w io.Writer, leases ...*tmsv1.Lease) error {
	t := newTable(w, true)
	for _, lease := range leases {
		replicas := lease.GetReplicas()
		minimum, maximum := replicaBounds(lease.GetGranted())
		t.row(
			lease.GetId(), lease.GetNamespace(), stateName(lease.GetState()), modelNames(lease),
			fmt.Sprint(replicas.GetReady()), fmt.Sprint(replicas.GetCurrent()), fmt.Sprint(replicas.GetWanted()), minimum, maximum,
			formatTime(lease.GetExpiresAt()), lease.GetAddress(), formatTime(lease.GetCreatedAt()), chargedGPUs(lease),
		)
	}
	return t.flush()
}
