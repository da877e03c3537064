package preview

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Refusal is one reason why a TritonLease is refused.
type Refusal struct {
	// File is that of the Manifest. Line and Column count from 1.
	File, Line, Column int
	// Lease is the namespace and name of the lease, as in inference/resnet50.
	Lease string
	// Reason has a path in the manifest, such as spec.autoscaling.replicas.maximum.
	Reason *field.Error
}

// Error returns the message without the position.
func (r Refusal) Error() string { return fmt.Sprintf("%s: %v", r.Lease, r.Reason) }

// Refusals are all reasons why TritonLeases are refused, in the order of the files.
type Refusals []Refusal

// Error returns one line for each reason.
func (r Refusals) Error() string {
	lines := make([]string, len(r))
	for i, one := range r {
		lines[i] = fmt.Sprintf("file %d, line %d, column %d: %v", one.File+1, one.Line, one.Column, one)
	}
	return strings.Join(lines, "\n")
}

func (r Refusals) sort() {
	slices.SortStableFunc(r, func(a, b Refusal) int {
		return cmp.Or(a.File-b.File, a.Line-b.Line, a.Column-b.Column)
	})
}
