package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// problem is an error or a warning about the input.
type problem struct {
	// source is a file, or a flag that sets values. It is empty if it is not known.
	source string
	// line and column count from 1. They are 0 if they are not known.
	line, column int
	// rule is the kind of the problem, such as syntax, forbidden or adjusted.
	rule string
	err  error
}

// Error returns the message after the source and the position, as in values.yaml:3:5.
func (p problem) Error() string {
	switch {
	case p.source == "":
		return p.err.Error()
	case p.line == 0:
		return fmt.Sprintf("%s: %v", p.source, p.err)
	}
	return fmt.Sprintf("%s:%d:%d: %v", p.source, p.line, p.column, p.err)
}

func (p problem) Unwrap() error { return p.err }

// inFile reports whether the source is a file, and not a flag or standard input.
func (p problem) inFile() bool {
	return p.source != "" && p.source != standardInput && !strings.HasPrefix(p.source, "-")
}

// problems are all errors of an input. Some have no position.
type problems []error

// joined returns the problems that are not nil as one error, or nil if there are none.
func joined(all []error) error {
	var found problems
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
func (p problems) Error() string {
	lines := make([]string, len(p))
	for i, err := range p {
		lines[i] = err.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap makes each problem visible to errors.Is and errors.As.
func (p problems) Unwrap() []error { return p }

// problemsOf returns the problems in an error. An error of another kind is one problem with
// the rule failed.
func problemsOf(err error) []problem {
	var list problems
	if errors.As(err, &list) {
		var all []problem
		for _, inner := range list {
			all = append(all, problemsOf(inner)...)
		}
		return all
	}
	var one problem
	if errors.As(err, &one) {
		return []problem{one}
	}
	return []problem{{rule: "failed", err: err}}
}

var wordStart = regexp.MustCompile(`([a-z])([A-Z])`)

// ruleOf returns the rule of a refused key: not-found for FieldValueNotFound.
func ruleOf(kind field.ErrorType) string {
	name := strings.TrimPrefix(string(kind), "FieldValue")
	return strings.ToLower(wordStart.ReplaceAllString(name, "$1-$2"))
}
