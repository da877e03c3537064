package render

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// LeaseRefusal is one reason why a TritonLease of an Input is refused.
type LeaseRefusal struct {
	// File counts the files that were added to the Input, from 0. Line and Column,
	// which count from 1, are the place of what is wrong in it.
	File, Line, Column int
	// Lease is its namespace and name, as in inference/resnet50.
	Lease string
	// Reason has a path of the manifest, such as spec.autoscaling.replicas.maximum.
	Reason *field.Error
}

// Error says it for a person who knows the file.
func (l LeaseRefusal) Error() string { return fmt.Sprintf("%s: %v", l.Lease, l.Reason) }

// Unwrap returns the reason.
func (l LeaseRefusal) Unwrap() error { return l.Reason }

// Refusals are all of them, in the order of the files.
type Refusals []LeaseRefusal

// Error has one line for each reason.
func (r Refusals) Error() string {
	lines := make([]string, len(r))
	for i, one := range r {
		lines[i] = fmt.Sprintf("file %d, line %d, column %d: %v", one.File+1, one.Line, one.Column, one)
	}
	return strings.Join(lines, "\n")
}

// Unwrap makes each reason visible to errors.As.
func (r Refusals) Unwrap() []error {
	reasons := make([]error, len(r))
	for i, one := range r {
		reasons[i] = one
	}
	return reasons
}

func (r Refusals) sorted() Refusals {
	slices.SortStableFunc(r, func(a, b LeaseRefusal) int {
		return cmp.Or(a.File-b.File, a.Line-b.Line, a.Column-b.Column)
	})
	return r
}
