package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/triton-leases/tms/pkg/render"
)

// fieldOwner owns what a lease says of its objects. What others add stays theirs.
const fieldOwner = client.FieldOwner(managedBy)

// step is what is to be done about one object.
type step struct {
	kind  *watchedKind
	want  *desired
	live  client.Object // nil where there is none
	state state
}

// make makes the objects of the lease, and removes those that it no longer has.
// Where a name is taken nothing is made.
func (p *pass) make(ctx context.Context, objects *render.Objects) error {
	steps, err := p.plan(ctx, objects)
	if err != nil {
		return err
	}
	unwanted := p.unwanted(steps)
	if err := p.addOrphans(ctx, unwanted, steps, objects.Lease.ObjectName); err != nil {
		return err
	}
	// An autoscaler goes before its Deployment is told a number of replicas.
	for _, object := range unwanted[autoscalerKind] {
		if err := p.prune(ctx, autoscalerKind, object); err != nil {
			return err
		}
	}
	delete(unwanted, autoscalerKind)
	if err := p.keepReplicas(ctx, steps); err != nil {
		return err
	}
	var problems []error // of one object, which is no reason to have the others wait
	for _, s := range steps {
		problems = append(problems, p.apply(ctx, s))
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	for kind, rest := range unwanted {
		for _, object := range rest {
			if err := p.prune(ctx, kind, object); err != nil {
				return err
			}
		}
	}
	return nil
}

// plan finds out what there is, and what should be. The error has all conflicts.
func (p *pass) plan(ctx context.Context, objects *render.Objects) ([]*step, error) {
	var steps []*step
	var conflicts []error
	for _, k := range p.kinds {
		rendered := k.of(objects)
		if rendered == nil || !k.watched.Load() {
			continue
		}
		want, err := newDesired(k.kind, rendered, p.lease)
		if err != nil {
			return nil, err
		}
		live, err := p.find(ctx, k, rendered.GetName())
		if errors.As(err, new(conflict)) {
			conflicts = append(conflicts, err)
			continue
		}
		if err != nil {
			return nil, err
		}
		steps = append(steps, &step{kind: k, want: want, live: live})
	}
	return steps, errors.Join(conflicts...)
}

// unwanted returns the objects that the lease should not have any more, by kind.
func (p *pass) unwanted(steps []*step) map[string][]client.Object {
	wanted := map[string]string{}
	for _, s := range steps {
		wanted[s.kind.Kind] = s.want.object.GetName()
	}
	rest := map[string][]client.Object{}
	for k, objects := range p.owned {
		for _, object := range objects {
			if name, ok := wanted[k.Kind]; !ok || name != object.GetName() {
				rest[k.Kind] = append(rest[k.Kind], object)
			}
		}
	}
	return rest
}

// addOrphans adds those that an earlier lease of this name left behind when it was
// deleted without them, and that this one does not have.
func (p *pass) addOrphans(ctx context.Context, unwanted map[string][]client.Object, steps []*step, name string) error {
	for _, k := range p.kinds {
		if !k.watched.Load() || slices.ContainsFunc(steps, func(s *step) bool { return s.kind == k }) {
			continue
		}
		object := k.empty()
		err := p.Get(ctx, client.ObjectKey{Namespace: p.lease.Namespace, Name: name}, object)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read %s %s: %w", k.Kind, name, err)
		}
		if metav1.GetControllerOf(object) == nil && belongs(object, p.lease) {
			unwanted[k.Kind] = append(unwanted[k.Kind], object)
		}
	}
	return nil
}

// apply brings one object to what it should be. What is so already is left alone.
func (p *pass) apply(ctx context.Context, s *step) error {
	options := []client.ApplyOption{fieldOwner}
	if s.live != nil {
		var err error
		if s.state, err = s.want.compare(s.live); err != nil || s.state == upToDate {
			return err
		}
		options = append(options, client.ForceOwnership)
	}
	name := s.want.object.GetName()
	// Not by force where nothing was there a moment ago: what is there now is somebody else's.
	if err := p.Apply(ctx, client.ApplyConfigurationFromUnstructured(s.want.object), options...); err != nil {
		return fmt.Errorf("%s %s: %w", s.kind.Kind, name, err)
	}
	if s.state == drifted && s.live.GetResourceVersion() != s.want.object.GetResourceVersion() {
		p.happened("Corrected", s.live, "%s %s was changed by somebody else, and is as the lease asks again", s.kind.Kind, name)
	}
	return nil
}

// clear deletes what a lease consists of that is being deleted. The garbage collector
// does so once the lease is gone, which a finalizer of somebody else may put off for ever.
func (p *pass) clear(ctx context.Context) error {
	if p.lease.Status.Installation != p.installation || controllerutil.ContainsFinalizer(p.lease, metav1.FinalizerOrphanDependents) {
		return nil
	}
	if err := p.findOwned(ctx); err != nil {
		return err
	}
	for kind, objects := range p.owned {
		for _, object := range objects {
			if err := p.prune(ctx, kind.Kind, object); err != nil {
				return err
			}
		}
	}
	return nil
}

// prune deletes an object that the lease has no more.
func (p *pass) prune(ctx context.Context, kind string, object client.Object) error {
	if object.GetDeletionTimestamp() != nil {
		return nil
	}
	uid := object.GetUID()
	err := p.Delete(ctx, object, client.Preconditions{UID: &uid}, client.PropagationPolicy("Background"))
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("delete %s %s: %w", kind, object.GetName(), err)
	}
	p.happened("Pruned", object, "%s %s is deleted: the lease no longer has one", kind, object.GetName())
	return nil
}
