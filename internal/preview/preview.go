package preview

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/charts"
	"github.com/triton-leases/tms/internal/fieldpath"
	"github.com/triton-leases/tms/pkg/policy"
	"github.com/triton-leases/tms/pkg/render"
)

// lease is one TritonLease: its manifest, its object and its grant.
type lease struct {
	*Manifest
	object  *v1alpha1.TritonLease
	valid   bool // reports whether the manifest is valid
	granted *render.GrantedLease
}

func (l *lease) String() string { return l.object.Namespace + "/" + cmp.Or(l.object.Name, "?") }

func (l *lease) refuse(reasons ...*field.Error) Refusals {
	refused := make(Refusals, len(reasons))
	for i, reason := range reasons {
		line, column := l.position(fieldpath.Parse(reason.Field))
		refused[i] = Refusal{File: l.File, Line: line, Column: column, Lease: l.String(), Reason: reason}
	}
	return refused
}

// Render renders TritonLeases as the tms-server of a release would. The input has the
// values of the release; its leases are ignored. If names is not nil, Render renders only
// the leases that it names, as <name> or <namespace>/<name>.
//
// The error joins a policy.Refusal of the values and Refusals of the manifests, each
// with every reason. If the values are refused, the leases are not granted.
func Render(renderer *render.Renderer, release render.Release, input *render.Input, manifests []*Manifest, names []string) (*render.Result, error) {
	all, refused, err := parse(release, manifests)
	if err != nil {
		return nil, err
	}
	if all, refused, err = choose(all, refused, names); err != nil {
		return nil, err
	}
	defaults, err := renderer.Grant(release, input.WithoutLeases())
	if reasons := policy.Reasons(err); len(reasons) > 0 {
		return nil, join(reasons, refused)
	} else if err != nil {
		return nil, err
	}
	release.Controller, release.IsUpgrade = true, false
	lr, err := renderer.LeaseRenderer(release, input)
	if err != nil {
		return nil, err
	}
	more, err := grant(lr, all)
	if err != nil {
		return nil, err
	}
	refused = append(refused, more...)
	more, notes := fitBudgets(lr, all)
	refused = append(refused, more...)
	if len(refused) > 0 {
		return nil, join(nil, refused)
	}
	granted := make([]*render.GrantedLease, len(all))
	for i, l := range all {
		granted[i] = l.granted
	}
	result, err := lr.Manifests(granted...)
	if err != nil {
		return nil, err
	}
	if err := result.AddMonitoring(); err != nil {
		return nil, err
	}
	result.Warnings = slices.Concat(defaults.Warnings, warnings(all), notes)
	return result, nil
}

// parse returns the TritonLeases, ordered by namespace and name, and the reasons why
// manifests are invalid.
func parse(release render.Release, manifests []*Manifest) ([]*lease, Refusals, error) {
	text, err := fs.ReadFile(charts.TMS(), "values.schema.json")
	if err != nil {
		return nil, nil, err
	}
	rules, err := newSchema(text)
	if err != nil {
		return nil, nil, err
	}
	var refused Refusals
	all := make([]*lease, len(manifests))
	first := map[string]*lease{}
	for i, manifest := range manifests {
		object, wrong := manifest.lease(rules)
		object.Namespace = cmp.Or(object.Namespace, release.Namespace)
		l := &lease{Manifest: manifest, object: object, valid: len(wrong) == 0}
		all[i] = l
		refused = append(refused, l.refuse(wrong...)...)
		if object.Name == "" {
			continue
		}
		if other := first[l.String()]; other != nil {
			duplicate := field.Duplicate(field.NewPath("metadata", "name"), object.Name)
			if !other.duplicate(refused) {
				refused = append(refused, other.refuse(duplicate)...)
			}
			refused = append(refused, l.refuse(duplicate)...)
		} else {
			first[l.String()] = l
		}
	}
	slices.SortStableFunc(all, func(a, b *lease) int {
		return cmp.Or(strings.Compare(a.object.Namespace, b.object.Namespace), strings.Compare(a.object.Name, b.object.Name))
	})
	return all, refused, nil
}

// duplicate reports whether the lease is already refused as a duplicate.
func (l *lease) duplicate(refused Refusals) bool {
	return slices.ContainsFunc(refused, func(r Refusal) bool {
		return r.Lease == l.String() && r.Reason.Type == field.ErrorTypeDuplicate
	})
}

// choose returns the named leases and their refusals, or all of them if names is nil.
func choose(all []*lease, refused Refusals, names []string) ([]*lease, Refusals, error) {
	if names == nil {
		return all, refused, nil
	}
	short, long := map[string]bool{}, map[string]bool{}
	for _, l := range all {
		if l.object.Name != "" {
			short[l.object.Name], long[l.String()] = true, true
		}
	}
	for _, name := range names {
		known := short
		if strings.Contains(name, "/") {
			known = long
		}
		if !known[name] {
			return nil, nil, render.UnknownLease(name, slices.Sorted(maps.Keys(known)))
		}
	}
	chosen := map[string]bool{}
	all = slices.DeleteFunc(all, func(l *lease) bool {
		isNamed := slices.Contains(names, l.object.Name) || slices.Contains(names, l.String())
		chosen[l.String()] = isNamed
		return !isNamed
	})
	refused = slices.DeleteFunc(refused, func(r Refusal) bool { return !chosen[r.Lease] })
	return all, refused, nil
}

// grant grants the valid leases, and returns the refusals.
func grant(lr *render.LeaseRenderer, all []*lease) (Refusals, error) {
	var refused Refusals
	for _, l := range all {
		if !l.valid {
			continue
		}
		var err error
		l.granted, err = lr.GrantTritonLease(l.object)
		reasons := policy.Reasons(err)
		if err != nil && len(reasons) == 0 {
			return nil, err
		}
		refused = append(refused, l.refuse(reasons...)...)
	}
	return append(refused, refuseTargets(all)...), nil
}

// refuseTargets refuses all leases that scale the same workload, except the oldest.
// Leases that are not in the cluster yet count as the youngest.
func refuseTargets(all []*lease) Refusals {
	byAge := slices.DeleteFunc(slices.Clone(all), func(l *lease) bool { return l.granted == nil || l.granted.Workload == "" })
	slices.SortStableFunc(byAge, func(a, b *lease) int { return created(a.object).Compare(created(b.object)) })
	var refused Refusals
	oldest := map[string]*lease{}
	for _, l := range byAge {
		workload := l.object.Namespace + " " + l.granted.Workload
		if other := oldest[workload]; other != nil {
			refused = append(refused, l.refuse(policy.DuplicateTarget(field.NewPath("spec"), l.object.Spec.Target.Name, other.object.Name))...)
		} else {
			oldest[workload] = l
		}
	}
	return refused
}

func created(lease *v1alpha1.TritonLease) time.Time {
	if lease.CreationTimestamp.IsZero() {
		return time.Unix(1<<40, 0) // later than any real time
	}
	return lease.CreationTimestamp.Time
}

// warnings returns the adjustments and warnings of the grants.
func warnings(all []*lease) []string {
	var sentences []string
	for _, l := range all {
		for _, adjustment := range l.granted.Grant.Adjustments {
			sentences = append(sentences, fmt.Sprintf("%s: %s", l, adjustment))
		}
		for _, warning := range l.granted.Grant.Warnings {
			sentences = append(sentences, fmt.Sprintf("%s: %s", l, warning))
		}
	}
	return sentences
}

// join returns one error with all reasons.
func join(values policy.Refusal, leases Refusals) error {
	leases.sort()
	switch {
	case len(values) == 0:
		return leases
	case len(leases) == 0:
		return values
	default:
		return errors.Join(values, leases)
	}
}
