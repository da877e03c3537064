package controller

import (
	"context"
	"errors"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/triton-leases/tms/pkg/render"
)

// fieldOwner is the field manager of what the lease sets on its objects. Fields that
// others set are left alone.
const fieldOwner = client.FieldOwner(managedBy)

// step is one object to apply.
type step struct {
	kind    *watchedKind
	desired *desired
	live    client.Object // nil if the object does not exist
}

// applyObjects applies the objects of the lease, and prunes those that it no longer
// has. It applies nothing if another owner has an object of the same name.
func (r *reconciliation) applyObjects(ctx context.Context, objects *render.Objects) error {
	steps, err := r.plan(ctx, objects)
	if err != nil {
		return err
	}
	unwanted := r.unwanted(steps)
	if err := r.addOrphans(ctx, unwanted, steps, objects.Lease.ObjectName); err != nil {
		return err
	}
	if err := r.keepMonitors(ctx, objects, unwanted); err != nil {
		return err
	}
	// The autoscaler goes first: it would override the replicas of the Deployment.
	if err := r.pruneAll(ctx, autoscalerKind, unwanted[autoscalerKind]); err != nil {
		return err
	}
	delete(unwanted, autoscalerKind)
	if err := r.keepReplicas(ctx, steps, objects.Lease.Grant); err != nil {
		return err
	}
	var failures []error // one object that fails does not delay the others
	for _, s := range steps {
		failures = append(failures, r.apply(ctx, s))
	}
	if err := errors.Join(failures...); err != nil {
		return err
	}
	for kind, rest := range unwanted {
		if err := r.pruneAll(ctx, kind, rest); err != nil {
			return err
		}
	}
	return nil
}

// plan returns the objects to apply. The error joins all name conflicts.
func (r *reconciliation) plan(ctx context.Context, objects *render.Objects) ([]*step, error) {
	var steps []*step
	var conflicts []error
	for _, k := range r.kinds {
		if !k.watched.Load() {
			continue
		}
		for _, rendered := range k.of(objects) {
			want, err := newDesired(k, rendered, r.lease)
			if err != nil {
				return nil, err
			}
			live, err := r.find(ctx, k, rendered.GetName())
			if errors.As(err, new(nameConflict)) {
				conflicts = append(conflicts, err)
				continue
			}
			if err != nil {
				return nil, err
			}
			steps = append(steps, &step{kind: k, desired: want, live: live})
		}
	}
	return steps, errors.Join(conflicts...)
}

// apply applies one object. It writes nothing if the object is up to date.
func (r *reconciliation) apply(ctx context.Context, s *step) error {
	options := []client.ApplyOption{fieldOwner}
	state := outdated
	if s.live != nil {
		var err error
		if state, err = s.desired.compare(s.live); err != nil || state == upToDate {
			return err
		}
		// Without force if there is no object: one that exists by now is another owner's.
		options = append(options, client.ForceOwnership)
	}
	name := s.desired.object.GetName()
	if err := r.Apply(ctx, client.ApplyConfigurationFromUnstructured(s.desired.object), options...); err != nil {
		return fmt.Errorf("%s %s: %w", s.kind.Kind, name, err)
	}
	// If the resource version stays, the object has the same values in another form.
	if state == drifted && s.live.GetResourceVersion() != s.desired.object.GetResourceVersion() {
		r.recordEvent("Corrected", s.live, "%s %s was changed by another client and is corrected", s.kind.Kind, name)
	}
	return nil
}
