package inputfiles

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Problem is an error or a warning about the input.
type Problem struct {
	// Source is a file, or a flag that sets values. It is empty if it is not known.
	Source string
	// Line and Column count from 1. They are 0 if they are not known.
	Line, Column int
	// Rule is the kind of the problem, such as syntax, forbidden or adjusted.
	Rule string
	Err  error
}

// Error returns the message after the source and the position, as in values.yaml:3:5.
func (p Problem) Error() string {
	switch {
	case p.Source == "":
		return p.Err.Error()
	case p.Line == 0:
		return fmt.Sprintf("%s: %v", p.Source, p.Err)
	}
	return fmt.Sprintf("%s:%d:%d: %v", p.Source, p.Line, p.Column, p.Err)
}

func (p Problem) Unwrap() error { return p.Err }

// InFile reports whether the source is a file, and not a flag or standard input.
func (p Problem) InFile() bool {
	return p.Source != "" && p.Source != standardInput && !strings.HasPrefix(p.Source, "-")
}

// Problems are all errors of an input. Some have no position.
type Problems []error

// Joined returns the problems that are not nil as one error, or nil if there are none.
func Joined(all []error) error {
	var found Problems
	for _, err := range all {
		if err != nil {
			found = append(found, err)
		}
	}
	if len(found) == 0 {
		return nil
	}
	return found
}

// Error has one line for each problem.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, err := range p {
		lines[i] = err.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap makes each problem visible to errors.Is and errors.As.
func (p Problems) Unwrap() []error { return p }

// ProblemsOf returns the problems in an error. An error of another kind is one problem with
// the rule failed.
func ProblemsOf(err error) []Problem {
	var list Problems
	if errors.As(err, &list) {
		var all []Problem
		for _, inner := range list {
			all = append(all, ProblemsOf(inner)...)
		}
		return all
	}
	var one Problem
	if errors.As(err, &one) {
		return []Problem{one}
	}
	return []Problem{{Rule: "failed", Err: err}}
}

var wordStart = regexp.MustCompile(`([a-z])([A-Z])`)

// ruleOf returns the rule of a refused key: not-found for FieldValueNotFound.
func ruleOf(kind field.ErrorType) string {
	name := strings.TrimPrefix(string(kind), "FieldValue")
	return strings.ToLower(wordStart.ReplaceAllString(name, "$1-$2"))
}
