package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/util/csaupgrade"
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
	// applied is the object, as the cache shows it or will show it, if it is as it should be.
	applied client.Object
	// adopted reports whether a read of the API server found the object, and not the cache.
	adopted bool
	// waits reports whether live belongs to a ScaledObject that the lease had. The garbage
	// collector deletes it, and then the lease gets its own.
	waits bool
}

// applyObjects applies the objects of the lease, and prunes those that it no longer
// has. If another owner has an object of the same name, it applies nothing, and deletes what
// it created. If it finds an object of a deleted lease, it applies nothing more.
func (r *reconciliation) applyObjects(ctx context.Context, objects *render.Objects) error {
	// The objects of a new lease are created without a read: they hardly ever exist.
	isNew := r.isNew && len(r.owned) == 0
	var created []*step
	err := r.applyOnce(ctx, objects, !isNew, &created)
	if isNew && apierrors.IsAlreadyExists(err) {
		err = r.applyOnce(ctx, objects, true, &created)
	}
	if errors.As(err, new(nameConflict)) {
		for _, s := range created {
			err = errors.Join(err, r.deleteObject(ctx, s.kind.Kind, s.live))
		}
	}
	return err
}

// applyOnce is one attempt of applyObjects. If read is true, it reads the objects that the
// cache does not show as those of the lease. If it is false, an object that exists is an
// error. applyOnce adds the objects that it creates to created.
func (r *reconciliation) applyOnce(ctx context.Context, objects *render.Objects, read bool, created *[]*step) error {
	steps, err := r.plan(ctx, objects, read)
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
	if objects.ScaledObject != nil {
		delete(unwanted, autoscalerKind) // KEDA takes it over, and until then it scales the lease
	}
	prunes := len(unwanted) > 0
	// The autoscaler goes first: it would override the replicas of the Deployment.
	for _, kind := range []string{scaledObjectKind, autoscalerKind} {
		if err := r.pruneAll(ctx, kind, unwanted[kind]); err != nil {
			return err
		}
		delete(unwanted, kind)
	}
	if err := r.keepReplicas(ctx, steps, objects.Lease.Grant); err != nil {
		return err
	}
	var failures []error // one object that fails does not delay the others
	for _, s := range steps {
		if s.waits {
			r.requeueAfter(pollInterval)
			continue
		}
		if s.live != nil {
			failures = append(failures, r.apply(ctx, s))
			continue
		}
		err := r.create(ctx, s)
		if apierrors.IsAlreadyExists(err) {
			return err
		}
		if failures = append(failures, err); err == nil {
			*created = append(*created, s)
		}
	}
	if err := errors.Join(failures...); err != nil {
		return err
	}
	for kind, rest := range unwanted {
		if err := r.pruneAll(ctx, kind, rest); err != nil {
			return err
		}
	}
	if !prunes && !slices.ContainsFunc(r.kinds, func(k *watchedKind) bool { return !k.watched.Load() && len(k.of(objects)) > 0 }) {
		r.applied = appliedBy(steps)
	}
	return nil
}

// appliedBy returns the applied objects, nil if one of them is not as it should be.
func appliedBy(steps []*step) []client.Object {
	all := make([]client.Object, 0, len(steps))
	for _, s := range steps {
		if s.applied == nil || s.adopted {
			return nil
		}
		all = append(all, s.applied)
	}
	return all
}

// plan returns the objects to apply. The error joins all name conflicts and leftovers.
func (r *reconciliation) plan(ctx context.Context, objects *render.Objects, read bool) ([]*step, error) {
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
			live := r.ownedBy(k, rendered.GetName())
			if live == nil && k.Kind == autoscalerKind && r.fromKEDA != nil {
				steps = append(steps, &step{kind: k, desired: want, live: r.fromKEDA, waits: true})
				continue
			}
			adopted := live == nil && read
			if adopted {
				live, err = r.find(ctx, k, rendered.GetName())
			}
			if err == nil && live == nil && k.Kind == scaledObjectKind {
				err = r.checkTakeover(ctx, rendered.GetName())
			}
			if errors.As(err, new(nameConflict)) || errors.As(err, new(leftover)) {
				conflicts = append(conflicts, err)
				continue
			}
			if err != nil {
				return nil, err
			}
			steps = append(steps, &step{kind: k, desired: want, live: live, adopted: adopted && live != nil})
		}
	}
	if slices.ContainsFunc(steps, func(s *step) bool { return s.adopted }) {
		if err := r.checkNotDeleted(ctx); err != nil {
			return nil, err
		}
	}
	return steps, errors.Join(conflicts...)
}

// apply applies one object. It writes nothing if the object is up to date.
func (r *reconciliation) apply(ctx context.Context, s *step) error {
	corrected, err := r.change(ctx, s)
	if corrected {
		r.recordEvent("Corrected", s.live, correctedNote, s.kind.Kind, s.live.GetName())
	}
	return err
}

// correctedNote is the note of the event Corrected, with the kind and the name.
const correctedNote = "%s %s was changed by another client and is corrected"

// change applies an object that exists, and reports whether it reverted the change of another
// client. It writes nothing if the object is up to date.
func (r *reconciler) change(ctx context.Context, s *step) (corrected bool, err error) {
	state, err := s.desired.compare(s.live)
	if err != nil {
		return false, err
	}
	if state == upToDate {
		s.applied = s.live
		return false, nil
	}
	name := s.desired.object.GetName()
	if err := r.takeOver(ctx, s); err != nil {
		return false, fmt.Errorf("%s %s: %w", s.kind.Kind, name, err)
	}
	if s.kind.Kind == scaledObjectKind {
		if err := r.unpause(ctx, s.live); err != nil {
			return false, fmt.Errorf("%s %s: %w", s.kind.Kind, name, err)
		}
	}
	content, err := s.desired.content()
	if err != nil {
		return false, err
	}
	if err := r.Apply(ctx, client.ApplyConfigurationFromUnstructured(content), fieldOwner, client.ForceOwnership); err != nil {
		return false, fmt.Errorf("%s %s: %w", s.kind.Kind, name, err)
	}
	if err := s.wrote(content); err != nil {
		return false, err
	}
	// If the resource version stays, the object has the same values in another form.
	return state == drifted && s.live.GetResourceVersion() != content.GetResourceVersion(), nil
}

// create creates an object. The error is apierrors.IsAlreadyExists if there is one.
func (r *reconciler) create(ctx context.Context, s *step) error {
	object := s.desired.object.DeepCopyObject().(client.Object) // the answer overwrites it
	if s.kind.list == nil || s.kind.Kind == autoscalerKind {
		content, err := s.desired.content()
		if err != nil {
			return err
		}
		object = content
	}
	var err error
	if s.kind.Kind == autoscalerKind {
		err = r.applyNew(ctx, object.(*unstructured.Unstructured), s.kind)
	} else {
		err = r.Create(ctx, object, fieldOwner)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", s.kind.Kind, object.GetName(), err)
	}
	s.live = object
	return s.wrote(object)
}

// wrote sets the applied object from the answer of the API server to a write. Then the event
// of the write does not render and compare the objects again.
func (s *step) wrote(answer client.Object) error {
	object, err := s.kind.cached(answer)
	if err != nil {
		return fmt.Errorf("%s %s: %w", s.kind.Kind, answer.GetName(), err)
	}
	if state, err := s.desired.compare(object); err != nil || state != upToDate {
		return err
	}
	s.applied = object
	return nil
}

// applyNew creates an autoscaler by applying it. A change of the configuration changes mostly
// autoscalers, and takeOver would cost a read and a write for each of them. Without force,
// an autoscaler of another owner makes a conflict.
func (r *reconciler) applyNew(ctx context.Context, object *unstructured.Unstructured, k *watchedKind) error {
	err := r.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), fieldOwner)
	if apierrors.IsConflict(err) {
		return apierrors.NewAlreadyExists(k.resource(), object.GetName())
	}
	return err
}

// takeOver makes fieldOwner the applier of the fields with which it created or patched an
// object. Otherwise it would still own the fields that it no longer applies, and the API
// server would keep them.
func (r *reconciler) takeOver(ctx context.Context, s *step) error {
	if !hasUpdated(s.live) {
		return nil
	}
	object := s.kind.newObject()
	if err := r.live.Get(ctx, client.ObjectKeyFromObject(s.live), object); err != nil {
		return err
	}
	expected := s.desired.object.GetResourceVersion()
	if expected != "" && expected != object.GetResourceVersion() {
		return apierrors.NewConflict(s.kind.resource(), object.GetName(), errors.New("the cache is behind"))
	}
	patch, err := csaupgrade.UpgradeManagedFieldsPatch(object, sets.New(managedBy), managedBy)
	if err != nil || patch == nil {
		return err
	}
	if err := r.Patch(ctx, object, client.RawPatch(types.JSONPatchType, patch)); err != nil {
		return err
	}
	if expected != "" {
		s.desired.object.SetResourceVersion(object.GetResourceVersion())
	}
	return nil
}

// hasUpdated reports whether fieldOwner created or patched an object, and did not only apply
// it.
func hasUpdated(object client.Object) bool {
	return slices.ContainsFunc(object.GetManagedFields(), isOwnUpdate)
}

func isOwnUpdate(entry metav1.ManagedFieldsEntry) bool {
	return entry.Manager == managedBy && entry.Operation == metav1.ManagedFieldsOperationUpdate && entry.Subresource == ""
}
