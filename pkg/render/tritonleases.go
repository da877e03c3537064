package render

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/helmchart"
	"github.com/triton-leases/tms/pkg/policy"
)

// previews are the TritonLeases of one namespace, by name, and the Installation
// that the controller would render them with.
type previews struct {
	in     *Installation
	leases []*judged
}

// judgeTritonLeases decides about the TritonLeases of the input as the controller
// of the release would. The values say what the administrator says: their own
// leases are not looked at. What is wrong with the values, and what is wrong with
// manifests by themselves, is said at once; without sound values nothing more can
// be said.
func (r *Renderer) judgeTritonLeases(release Release, input *Input) ([]previews, *Judgement, error) {
	release.Controller, release.IsUpgrade = true, false
	_, values, warnings, err := r.install(release, input)
	if err != nil {
		return nil, nil, err
	}
	all, refused, err := r.readTritonLeases(release, &input.manifests)
	if err != nil {
		return nil, nil, err
	}
	reasons := values.all()
	var groups []previews
	if len(reasons) == 0 {
		var byPolicy Refusals
		if groups, byPolicy, err = r.judgeEach(release, input.configuration(), all); err != nil {
			return nil, nil, err
		}
		refused = append(refused, byPolicy...)
	}
	if len(reasons)+len(refused) > 0 {
		return nil, nil, joined(reasons, refused.sorted())
	}
	judgement := &Judgement{Leases: make([]*Lease, 0, len(all)), Warnings: warnings}
	for _, p := range all {
		judgement.Leases = append(judgement.Leases, &p.judged.Lease)
		for _, adjustment := range p.judged.Grant.Adjustments {
			judgement.Warnings = append(judgement.Warnings, fmt.Sprintf("%s: %s", p, adjustment))
		}
		for _, warning := range p.judged.Grant.Warnings {
			judgement.Warnings = append(judgement.Warnings, fmt.Sprintf("%s: %s", p, warning))
		}
	}
	return groups, judgement, nil
}

// judgeEach judges the TritonLeases that are sound, which are ordered.
func (r *Renderer) judgeEach(release Release, input *Input, all []*preview) ([]previews, Refusals, error) {
	sound := slices.DeleteFunc(slices.Clone(all), func(p *preview) bool { return !p.sound })
	var groups []previews
	var refused Refusals
	for len(sound) > 0 {
		release.Namespace = sound[0].lease.Namespace
		others := slices.IndexFunc(sound, func(p *preview) bool { return p.lease.Namespace != release.Namespace })
		if others < 0 {
			others = len(sound)
		}
		group, reasons, err := r.judgeNamespace(release, input, sound[:others])
		if err != nil {
			return nil, nil, err
		}
		groups, refused = append(groups, group), append(refused, reasons...)
		sound = sound[others:]
	}
	return groups, refused, nil
}

// judgeNamespace judges the TritonLeases of the namespace of a release.
func (r *Renderer) judgeNamespace(release Release, input *Input, all []*preview) (previews, Refusals, error) {
	in, _, _, err := r.install(release, input) // with values that are known to be right
	if err != nil {
		return previews{}, nil, err
	}
	group := previews{in: in}
	var refused Refusals
	for _, p := range all {
		var reasons policy.Refusal
		if p.judged, reasons, err = in.judgeTritonLease(p.lease); err != nil {
			return previews{}, nil, err
		}
		refused = append(refused, p.refuse(reasons...)...)
		group.leases = append(group.leases, p.judged)
	}
	return group, append(refused, refuseTargets(all)...), nil
}

// refuseTargets refuses all TritonLeases of one workload but the oldest, which the
// controller lets have it. Those that are not in the cluster yet are the youngest.
func refuseTargets(inNamespace []*preview) Refusals {
	byAge := slices.Clone(inNamespace)
	slices.SortStableFunc(byAge, func(a, b *preview) int {
		return created(a.lease).Compare(created(b.lease))
	})
	var refused Refusals
	oldest := map[string]*preview{}
	for _, p := range byAge {
		target := p.judged.target
		if target == "" {
			continue
		}
		if first := oldest[target]; first != nil {
			refused = append(refused, p.refuse(p.judged.duplicateTarget(first.lease.Name))...)
			continue
		}
		oldest[target] = p
	}
	return refused
}

func created(lease *v1alpha1.TritonLease) time.Time {
	if lease.CreationTimestamp.IsZero() {
		return time.Unix(1<<40, 0)
	}
	return lease.CreationTimestamp.Time
}

// renderTritonLeases renders what the controller of the release would make of the
// TritonLeases of the input.
func (r *Renderer) renderTritonLeases(release Release, input *Input) (*Result, error) {
	groups, judgement, err := r.judgeTritonLeases(release, input)
	if err != nil {
		return nil, err
	}
	result := &Result{Chart: r.chart.Name(), Judgement: *judgement}
	var samples []*sample
	for _, group := range groups {
		chosen, manifests := chooseSamples(group.leases)
		samples = append(samples, chosen...)
		result.leases = append(result.leases, group.leases...)
		result.manifests = append(result.manifests, manifests...)
		if result.byEngine == nil {
			_, result.byEngine = group.in.cutManifests(chosen)
		}
	}
	if result.byEngine == nil {
		result.sections = r.leaseSections(samples)
	} else if result.sections, err = r.engineSections(groups); err != nil {
		return nil, err
	}
	slices.SortStableFunc(result.sections, func(a, b section) int { return helmchart.Compare(a.Document, b.Document) })
	return result, nil
}

// engineSections renders each TritonLease in the engine.
func (r *Renderer) engineSections(groups []previews) ([]section, error) {
	var documents []helmchart.Document
	for _, group := range groups {
		made, err := group.in.runAll(group.leases)
		if err != nil {
			return nil, err
		}
		documents = append(documents, r.leaseDocuments(made)...)
	}
	return sectionsOf(documents), nil
}

// joined returns one error with the reasons of both kinds that there are.
func joined(reasons policy.Refusal, refused Refusals) error {
	var all []error
	if len(reasons) > 0 {
		all = append(all, reasons)
	}
	if len(refused) > 0 {
		all = append(all, refused)
	}
	return errors.Join(all...)
}
