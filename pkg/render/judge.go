package render

import (
	"errors"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/parallel"
	"github.com/triton-leases/tms/internal/schema"
	"github.com/triton-leases/tms/internal/source"
	"github.com/triton-leases/tms/pkg/policy"
	"github.com/triton-leases/tms/pkg/values"
)

// judged is one lease on its way from what it says to its manifests.
type judged struct {
	Lease
	source source.Lease
	form   *form
	// fillings are what the templates put in the manifests of its variant.
	fillings []string
	// adjustments are the sentences about its grant.
	adjustments []string
	// target names the workload that it scales, where somebody else deploys that.
	target string

	// Why it is refused. The first reasons of the policy are about names.
	bySchema field.ErrorList
	byPolicy policy.Refusal
	misnamed int
}

// refusals are all reasons why values are refused.
type refusals struct {
	bySchema field.ErrorList
	byPolicy policy.Refusal
	// leftOut says which keys were not considered, because the schema refuses them.
	leftOut func(key string) bool
}

// all returns the reasons in order: those of the schema by path, then those of
// the policy that do not come from a part that was left out. Without the
// configuration nothing can be said about bounds, without the defaults of Triton
// nothing about resources, and without an override nothing about the names of
// objects.
func (r *refusals) all() policy.Refusal {
	reasons := policy.Refusal(schema.Sort(r.bySchema))
	for _, reason := range r.byPolicy {
		parts := source.Parts(reason.Field)
		unfounded := r.leftOut(parts[0]) ||
			len(parts) > 2 && parts[2] == "triton" && r.leftOut("triton") ||
			len(parts) == 2 && (r.leftOut("nameOverride") || r.leftOut("fullnameOverride"))
		if !unfounded {
			reasons = append(reasons, reason)
		}
	}
	return reasons
}

// Judge decides what each lease is granted. The error is a policy.Refusal with
// every reason at once, joined with Refusals of TritonLeases. It works for the
// embedded chart alone.
func (r *Renderer) Judge(release Release, input *Input) (*Judgement, error) {
	if r.foreign {
		return nil, errForeign
	}
	if input.manifests.given {
		_, judgement, err := r.judgeTritonLeases(release, input)
		return judgement, err
	}
	_, _, judgement, err := r.judge(release, input)
	return judgement, err
}

var errForeign = errors.New("only the embedded chart can be judged and typed: another one judges by itself")

func (r *Renderer) judge(release Release, input *Input) (*Installation, []*judged, *Judgement, error) {
	in, refused, warnings, err := r.install(release, input)
	if err != nil {
		return nil, nil, nil, err
	}
	leases := in.judgeAll(input.values.Leases())
	judgement := &Judgement{Leases: make([]*Lease, len(leases)), Warnings: warnings}
	targets := map[string]bool{}
	for i, lease := range leases {
		judgement.Leases[i] = &lease.Lease
		judgement.Warnings = append(judgement.Warnings, lease.adjustments...)
		for _, w := range lease.Grant.Warnings {
			judgement.Warnings = append(judgement.Warnings, w.String())
		}
		if lease.target != "" && targets[lease.target] {
			lease.refuseTarget()
		}
		targets[lease.target] = true
		refused.bySchema = append(refused.bySchema, lease.bySchema...)
		refused.byPolicy = append(refused.byPolicy, lease.byPolicy...)
	}
	if reasons := refused.all(); len(reasons) > 0 {
		return nil, nil, nil, reasons
	}
	return in, leases, judgement, nil
}

// judgeAll judges leases, several at once. What is said of one does not depend on another.
func (in *Installation) judgeAll(leases []source.Lease) []*judged {
	all := make([]*judged, len(leases))
	parallel.Do(len(leases), func(first, end int) {
		var o outline
		for i := first; i < end; i++ {
			all[i] = in.judge(leases[i], &o)
		}
	})
	return all
}

// judge judges one lease. The outline is scratch space.
func (in *Installation) judge(lease source.Lease, o *outline) *judged {
	j := &judged{source: lease}
	o.read(j.source)
	f := in.form(o, j.source)
	j.form = f
	j.Name, j.ObjectName, j.path = j.source.Name, in.prefix+"-"+j.source.Name, in.path(j.source.Name)
	if !f.accepts(j.Name, o.leaves) || !in.named(j.ObjectName) {
		in.judgeByValue(j)
	} else {
		j.Request = f.request(o.leaves)
		if f.lease.Target != nil && j.Request.Enable {
			target := v1alpha1.Target{APIVersion: f.text(o.leaves, "target.apiVersion"), Kind: f.text(o.leaves, "target.kind"), Name: f.text(o.leaves, "target.name")}
			j.target = target.Workload()
		}
		in.grant(j, f.text(o.leaves, "image"), f.pod)
	}
	j.fillings = newFillings(j, o.texts).flat()
	return j
}

// judgeOne judges one lease by itself, and how long it lasts where it asks for
// that. It returns the reasons against it, if any.
func (in *Installation) judgeOne(lease source.Lease, asked *policy.TermRequest) (*judged, policy.Refusal) {
	j := in.judge(lease, new(outline))
	reasons := append(policy.Refusal(schema.Sort(j.bySchema)), j.byPolicy...)
	if asked != nil {
		term, adjustments, err := in.terms.Grant(j.path, *asked)
		reasons = append(reasons, refusal(err)...)
		j.Term, j.Grant.Adjustments = term, append(j.Grant.Adjustments, adjustments...)
		j.atRunTime = &atRunTime{namespace: in.release.Namespace, asked: *asked}
	}
	if in.release.Controller {
		for _, reason := range reasons {
			if rest, ok := strings.CutPrefix(reason.Field, leasesKey+j.Name); ok {
				reason.Field = "spec" + rest
			}
		}
	}
	return j, reasons
}

// named says whether an object name is legal of which the lease's part is: that
// can only make it too long.
func (in *Installation) named(name string) bool {
	return in.prefixed && len(name) <= mostName && name != in.server
}

// judgeByValue judges a lease of which something is wrong, or may be.
func (in *Installation) judgeByValue(j *judged) {
	j.bySchema = in.renderer.schema.Validate(map[string]any{"leases": map[string]any{j.Name: j.source.Value()}})
	if len(j.bySchema) > 0 {
		return
	}
	lease, err := values.DecodeLease(j.source.Value())
	if err != nil {
		j.byPolicy = policy.Refusal{field.InternalError(j.path, err)}
		return
	}
	j.byPolicy = in.checkNames(j.Lease, lease)
	j.misnamed = len(j.byPolicy)
	j.Request = lease.Autoscaling
	if t := lease.Target; t != nil && j.Request.Enable {
		j.target = t.Workload()
	}
	in.grant(j, lease.Image, in.pod(lease))
}

func (in *Installation) grant(j *judged, image string, pod *policy.Pod) {
	j.byPolicy = append(j.byPolicy, refusal(in.images.Check(j.path, image))...)
	if in.policy == nil {
		return
	}
	var err error
	j.Grant, err = in.policy.Grant(j.path, j.Request, pod)
	j.byPolicy = append(j.byPolicy, refusal(err)...)
	for _, adjustment := range j.Grant.Adjustments {
		j.adjustments = append(j.adjustments, adjustment.String())
	}
}

// refusal returns the reasons in an error of pkg/policy.
func refusal(err error) policy.Refusal {
	var reasons policy.Refusal
	errors.As(err, &reasons)
	return reasons
}

// refuseTarget refuses a second lease of one workload.
func (j *judged) refuseTarget() {
	j.byPolicy = slices.Insert(j.byPolicy, j.misnamed, j.duplicateTarget(""))
}

func (j *judged) duplicateTarget(other string) *field.Error {
	return policy.DuplicateTarget(j.path, j.target[strings.LastIndexByte(j.target, ' ')+1:], other)
}

// pod returns what the policy must know of the lease's pods, nil where somebody
// else deploys them.
func (in *Installation) pod(lease *v1alpha1.LeaseSpec) *policy.Pod {
	if len(lease.Models) == 0 {
		return nil
	}
	var own v1alpha1.Triton
	if lease.Triton != nil {
		own = *lease.Triton
	}
	defaults := in.decoded.Triton
	return &policy.Pod{
		CPURequest:    values.RequestsCPU(own.Resources, defaults.Resources),
		GPULimit:      values.LimitsGPU(own.Resources, defaults.Resources),
		FixedReplicas: own.Replicas != nil,
	}
}
