package controller

import (
	"context"
	"errors"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/shorten"
	"github.com/triton-leases/tms/pkg/policy"
	"github.com/triton-leases/tms/pkg/render"
)

// evaluate grants or refuses the lease, and writes the result to the status. It returns nil
// objects if the lease is refused, and if its objects are known to be up to date. Then its
// existing objects stay as they are.
func (r *reconciliation) evaluate(ctx context.Context, renderer *render.LeaseRenderer) (objects *render.Objects, err error) {
	asked, reloadedAt := *r.lease, r.latest(r.lease.Status.ReloadedAt, r.lease.Spec.ReloadTime)
	asked.Spec.ReloadTime = reloadedAt
	granted, err := renderer.GrantTritonLease(&asked)
	refusal := refusalOf(err)
	if len(refusal) == 0 {
		if err := r.checkTarget(ctx, renderer.Bounds()); errors.As(err, &refusal) {
			granted = nil
		} else if err != nil {
			return nil, err
		}
	}
	if granted != nil {
		if entry, scheduled, err := r.activeEntry(granted.Grant); err != nil {
			return nil, err
		} else if scheduled {
			renderer.SetInForce(granted, entry)
		}
	}
	tooMany, err := r.count(ctx, renderer.Bounds(), granted != nil)
	if err != nil {
		return nil, err
	}
	if len(tooMany) > 0 {
		granted, refusal = nil, tooMany
	}
	unaffordable, err := r.reserve(ctx, renderer, granted)
	if err != nil {
		return nil, err
	}
	refusal = append(refusal, unaffordable...)
	if len(refusal) == 0 {
		objects, err := r.render(renderer, granted)
		if err == nil {
			r.grant(granted)
			r.recordSchedule(granted.Grant)
			r.status.ReloadedAt = reloadedAt
			return objects, nil
		}
		refusal = refusalOf(err)
	}
	r.refuse(refusal)
	return nil, nil
}

// render renders a granted lease, unless its objects are known to be up to date.
func (r *reconciliation) render(renderer *render.LeaseRenderer, granted *render.GrantedLease) (*render.Objects, error) {
	var err error
	if r.manifests, err = renderer.Fingerprint(granted); err != nil {
		return nil, err
	}
	current, err := r.inputsOf(r.manifests, granted.Grant, r.ownedObjects())
	if err != nil {
		return nil, err
	}
	if r.charge == nil && r.status.Installation != "" && r.reconciled.has(r.lease, current) {
		return nil, nil
	}
	return renderer.Objects(granted)
}

// refusalOf returns the reasons of an error of a LeaseRenderer. If a template fails, the
// spec of the lease is the cause, and a retry cannot help: the lease is refused.
func refusalOf(err error) (refusal policy.Refusal) {
	if err != nil && !errors.As(err, &refusal) {
		refusal = policy.Refusal{field.Invalid(field.NewPath("spec"), field.OmitValueType{}, err.Error())}
	}
	return refusal
}

// maxModelNames bounds the bytes of the model names that kubectl get prints.
const maxModelNames = 1000

// grant writes the grant of the lease to the status.
func (r *reconciliation) grant(lease *render.GrantedLease) {
	r.granted = lease
	granted := &v1alpha1.Granted{Grant: lease.Grant, Term: lease.Term}
	names := make([]string, len(r.lease.Spec.Models))
	for i, model := range r.lease.Spec.Models {
		names[i] = model.Name
	}
	r.status.Models = shorten.End(strings.Join(names, ","), maxModelNames)
	sentences := make([]string, 0, len(granted.Adjustments)+len(granted.Warnings))
	for _, adjustment := range granted.Adjustments {
		sentences = append(sentences, adjustment.String())
	}
	for _, warning := range granted.Warnings {
		sentences = append(sentences, warning.String())
	}
	reason, message := "Granted", strings.Join(sentences, "\n")
	if len(granted.Adjustments) > 0 {
		reason = "Adjusted"
	}
	if message == "" {
		message = "the lease has what it asks for"
	}
	r.setCondition(v1alpha1.ConditionGranted, metav1.ConditionTrue, reason, message)
	r.recordCondition(v1alpha1.ConditionGranted)
	r.status.Granted, r.status.Refusals = granted, nil
}

const (
	// maxRefusals and maxRefusalText bound the refusals in the status, in number and
	// in bytes for each text: etcd does not store objects of any size.
	maxRefusals    = 100
	maxRefusalText = 1024
)

// refuse writes the refusal to the status. What was granted before stays there.
func (r *reconciliation) refuse(refusal policy.Refusal) {
	r.status.Installation, r.status.Schedule = r.installation, nil // clampGranted sets the schedule of an earlier grant
	if r.status.Granted == nil {
		r.uncount(client.ObjectKeyFromObject(r.lease))
	}
	r.setCondition(v1alpha1.ConditionGranted, metav1.ConditionFalse, "Refused", refusal.Error())
	r.recordCondition(v1alpha1.ConditionGranted)
	r.status.Refusals = refusal[:min(len(refusal), maxRefusals)].Data()
	for i := range r.status.Refusals {
		one := &r.status.Refusals[i]
		one.Field, one.Message = shorten.End(one.Field, maxRefusalText), shorten.Middle(one.Message, maxRefusalText)
	}
}
