package main

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/types/known/timestamppb"
	shortly "k8s.io/apimachinery/pkg/util/duration"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
)

// now returns the time to which ages and expiries are relative. Scripts of the tests set it.
var now = time.Now

// age returns the time since t, such as 3h.
func age(t *timestamppb.Timestamp) string {
	if t == nil {
		return ""
	}
	return shortly.HumanDuration(max(0, now().Sub(t.AsTime())))
}

// What expiresIn returns for a lease that does not expire, and for one that expires now.
const (
	never = "never"
	due   = "now"
)

// expiresIn returns the time until t, such as 3h.
func expiresIn(t *timestamppb.Timestamp) string {
	if t == nil {
		return never
	}
	left := t.AsTime().Sub(now())
	if left <= 0 {
		return due
	}
	return shortly.HumanDuration(left)
}

// listing chooses the columns of lists of leases for people.
type listing struct{ namespaces, wide bool }

const listingHelp = `REPLICAS is the number of replicas that serve, and the number that is wanted. MIN and MAX
are the granted numbers, and GPUS is the number of one replica. MESSAGE explains why a lease
does not serve. -o wide adds the GPUs that are charged to the budget of the namespace, the
address, and the whole message.`

func (l listing) header() []string {
	header := []string{"ID", "MODELS", "STATE", "REPLICAS", "MIN", "MAX", "GPUS", "AGE", "EXPIRES IN"}
	if l.namespaces {
		header = append([]string{"NAMESPACE"}, header...)
	}
	if l.wide {
		header = append(header, "CHARGED", "ADDRESS")
	}
	return append(header, "MESSAGE")
}

// maxMessage is the number of characters of a message that a list without -o wide shows.
const maxMessage = 60

// cells returns the cells of a lease, ready to print.
func (l listing) cells(lease *tmsv1.Lease) []string {
	minimum, maximum := replicaBounds(lease.GetGranted())
	cells := []string{
		lease.GetId(), modelNames(lease), stateName(lease.GetState()),
		fmt.Sprintf("%d/%d", lease.GetReplicas().GetReady(), lease.GetReplicas().GetWanted()),
		minimum, maximum, gpus(lease), age(lease.GetCreatedAt()), expiresIn(lease.GetExpiresAt()),
	}
	if l.namespaces {
		cells = append([]string{lease.GetNamespace()}, cells...)
	}
	if l.wide {
		cells = append(cells, chargedGPUs(lease), lease.GetAddress())
	}
	message := ""
	if lease.GetState() != tmsv1.State_STATE_SERVING {
		message = lease.GetMessage()
	}
	cells = append(cells, message)
	for i, cell := range cells {
		cells[i] = orDash(escape(cell))
	}
	if last := &cells[len(cells)-1]; !l.wide && utf8.RuneCountInString(*last) > maxMessage {
		*last = string([]rune(*last)[:maxMessage-1]) + "…"
	}
	return cells
}

// columns aligns rows. A column keeps its width from one call of print to the next.
type columns struct{ widths []int }

// print prints rows, which have as many cells as the first one.
func (c *columns) print(w io.Writer, rows ...[]string) error {
	for _, row := range rows {
		for i, cell := range row {
			if i == len(c.widths) {
				c.widths = append(c.widths, 0)
			}
			c.widths[i] = max(c.widths[i], utf8.RuneCountInString(cell))
		}
	}
	var text strings.Builder
	for _, row := range rows {
		for i, cell := range row[:len(row)-1] {
			text.WriteString(cell + strings.Repeat(" ", c.widths[i]-utf8.RuneCountInString(cell)+2))
		}
		text.WriteString(row[len(row)-1] + "\n")
	}
	if _, err := io.WriteString(w, text.String()); err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	return nil
}

// print prints a header and leases.
func (l listing) print(w io.Writer, leases []*tmsv1.Lease) error {
	rows := [][]string{l.header()}
	for _, lease := range leases {
		rows = append(rows, l.cells(lease))
	}
	return new(columns).print(w, rows...)
}
