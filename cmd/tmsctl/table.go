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

// table prints rows: in columns with a header for people, and for scripts with tabs
// between what is not aligned.
type table struct {
	w      io.Writer
	ending func() error
}

func newTable(w io.Writer, porcelain bool, header ...string) *table {
	if porcelain {
		buffer := bufio.NewWriter(w)
		return &table{w: buffer, ending: buffer.Flush}
	}
	writer := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(writer, strings.Join(header, "\t"))
	return &table{w: writer, ending: writer.Flush}
}

// row prints one row. What there is not is -, which scripts can tell from the end.
func (t *table) row(cells ...string) {
	for i, cell := range cells {
		cells[i] = orDash(printable(cell))
	}
	_, _ = fmt.Fprintln(t.w, strings.Join(cells, "\t"))
}

func (t *table) flush() error {
	if err := t.ending(); err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	return nil
}

func orDash(text string) string  { return cmp.Or(text, "-") }
func orNever(text string) string { return cmp.Or(text, "never") }

// moment returns a time as Kubernetes prints it, and nothing where there is none.
func moment(t *timestamppb.Timestamp) string {
	if t == nil {
		return ""
	}
	return t.AsTime().UTC().Format("2006-01-02T15:04:05Z")
}

func stateName(state tmsv1.State) string {
	return strings.ToLower(strings.TrimPrefix(state.String(), "STATE_"))
}

func modelNames(lease *tmsv1.Lease) string {
	var names []string
	for _, model := range lease.GetModels() {
		names = append(names, model.GetModel().GetName())
	}
	return strings.Join(names, ",")
}

// bounds returns the fewest and the most replicas, where the lease scales.
func bounds(granted *tmsv1.Grant) (minimum, maximum string) {
	if !granted.GetAutoscaled() {
		return "", ""
	}
	return fmt.Sprint(granted.GetMinReplicas()), fmt.Sprint(granted.GetMaxReplicas())
}

// porcelainLease prints leases for scripts: leaseColumns says how.
func porcelainLease(w io.Writer, leases ...*tmsv1.Lease) error {
	t := newTable(w, true)
	for _, lease := range leases {
		replicas := lease.GetReplicas()
		minimum, maximum := bounds(lease.GetGranted())
		t.row(
			lease.GetId(), lease.GetNamespace(), stateName(lease.GetState()), modelNames(lease),
			fmt.Sprint(replicas.GetReady()), fmt.Sprint(replicas.GetCurrent()), fmt.Sprint(replicas.GetWanted()), minimum, maximum,
			moment(lease.GetExpiresAt()), lease.GetAddress(), moment(lease.GetCreatedAt()),
		)
	}
	return t.flush()
}

// listing prints leases for people: of the replicas those that serve, of those that
// are wanted.
func listing(w io.Writer, leases []*tmsv1.Lease, namespaces bool) error {
	header := []string{"ID", "MODELS", "STATE", "REPLICAS", "MIN", "MAX", "EXPIRES"}
	if namespaces {
		header = append([]string{"NAMESPACE"}, header...)
	}
	t := newTable(w, false, header...)
	for _, lease := range leases {
		minimum, maximum := bounds(lease.GetGranted())
		cells := []string{
			lease.GetId(), modelNames(lease), stateName(lease.GetState()),
			fmt.Sprintf("%d/%d", lease.GetReplicas().GetReady(), lease.GetReplicas().GetWanted()),
			minimum, maximum, orNever(moment(lease.GetExpiresAt())),
		}
		if namespaces {
			cells = append([]string{lease.GetNamespace()}, cells...)
		}
		t.row(cells...)
	}
	return t.flush()
}
