package inputfiles

import (
	"errors"
	"fmt"
	"strings"

	"github.com/triton-leases/tms/internal/fieldpath"
	"github.com/triton-leases/tms/internal/preview"
	"github.com/triton-leases/tms/internal/valuesfile"
	"github.com/triton-leases/tms/pkg/policy"
	"github.com/triton-leases/tms/pkg/render"
)

// withPositions adds the position to each reason of a refusal.
func (in *Input) withPositions(err error) error {
	reasons := policy.Reasons(err)
	var ofLeases preview.Refusals
	errors.As(err, &ofLeases)
	switch {
	case errors.Is(err, render.ErrNoLease):
		return fmt.Errorf("--lease: %w", err)
	case len(reasons) == 0 && len(ofLeases) == 0:
		return err
	}
	var found Problems
	for _, reason := range reasons {
		at := in.Origin(reason.Field)
		at.Rule, at.Err = ruleOf(reason.Type), reason
		found = append(found, at)
	}
	for _, one := range ofLeases {
		found = append(found, Problem{in.Files[one.File], one.Line, one.Column, ruleOf(one.Reason.Type), one})
	}
	return found
}

// Origin returns the source and the position of the longest prefix of a path. If several sources
// have it, the last one wins. If none has a prefix, the value is a default of the chart, and the
// source is empty. A flag has no position.
func (in *Input) Origin(field string) Problem {
	if in.positions == nil {
		in.positions = make([]*valuesfile.Positions, len(in.Sources))
		for i, s := range in.Sources {
			in.positions[i] = valuesfile.Index(s.Text)
		}
	}
	var found Problem
	deepest, path := 0, fieldpath.Parse(field)
	for i, s := range in.Sources {
		line, column, depth := in.positions[i].Locate(path)
		if depth == 0 || depth < deepest {
			continue
		}
		deepest, found = depth, Problem{Source: s.Name, Line: line, Column: column}
		if strings.HasPrefix(s.Name, "--") {
			found.Line = 0
		}
	}
	return found
}
