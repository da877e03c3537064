// Package controller brings what there is in a cluster to what TritonLeases ask
// for. It keeps no state of its own: what it needs to know later stands in the
// status of the leases and on the objects that they consist of, so that any process
// can go on where another one ended.
package controller

import (
	"context"
	"errors"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/config"
	"github.com/triton-leases/tms/pkg/policy"
	"github.com/triton-leases/tms/pkg/render"
)

// reconciler looks after one lease at a time.
type reconciler struct {
	client.Client               // reads what is watched from memory
	live          client.Reader // reads from the API server

	configuration *config.Config
	installation  string
	kinds         []*watchedKind
	recorder      events.EventRecorder
	requests      requests
	now           func() time.Time
}

// pass is one look at one lease.
type pass struct {
	*reconciler
	lease  *v1alpha1.TritonLease       // as it was
	status *v1alpha1.TritonLeaseStatus // as it becomes
	owned  map[*watchedKind][]client.Object
	at     time.Time
	// duplicate says that the workload which the lease scales is another's.
	duplicate bool
	// next is how long nothing needs to be looked at, 0 where only a change will tell.
	next time.Duration
	news []news
}

// Reconcile implements reconcile.Reconciler.
func (r *reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	lease := new(v1alpha1.TritonLease)
	if err := r.Get(ctx, request.NamespacedName, lease); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	p := &pass{reconciler: r, lease: lease, at: r.now()}
	if !lease.DeletionTimestamp.IsZero() {
		return reconcile.Result{}, p.clear(ctx)
	}
	if ours, err := p.claim(ctx); !ours {
		return again(err)
	}
	p.status = &p.lease.DeepCopy().Status
	ended, err := p.look(ctx)
	if !ended {
		err = errors.Join(err, p.report(ctx))
	}
	if err != nil {
		return again(err)
	}
	return reconcile.Result{RequeueAfter: p.next}, nil
}

// again says when to look at a lease again after an error.
func again(err error) (reconcile.Result, error) {
	if apierrors.IsConflict(err) { // somebody changed the lease meanwhile, which is news of its own
		return reconcile.Result{RequeueAfter: time.Second}, nil
	}
	return reconcile.Result{}, err
}

// claim makes the lease this installation's, where it is nobody's, before anything is
// made: two that look after one namespace would each take back what the other does.
func (p *pass) claim(ctx context.Context) (ours bool, err error) {
	if p.lease.Status.Installation != "" {
		return p.lease.Status.Installation == p.installation, nil
	}
	claimed := p.lease.DeepCopy()
	claimed.Status.Installation = p.installation
	if err := p.Status().Update(ctx, claimed); err != nil {
		return false, client.IgnoreNotFound(err)
	}
	p.lease = claimed
	return true, nil
}

// look does what is to be done, and says whether the lease has ended.
func (p *pass) look(ctx context.Context) (ended bool, err error) {
	if ended, err := p.abandoned(ctx); ended || err != nil {
		return ended, err
	}
	if err := p.findOwned(ctx); err != nil {
		return false, err
	}
	in := p.configuration.LeaseRenderer()
	p.status.ObservedGeneration = p.lease.Generation
	objects, err := p.judge(ctx, in)
	if err != nil {
		return false, err
	}
	if objects == nil {
		if err := p.tighten(ctx, in); err != nil {
			return false, err
		}
	}
	if ended, err := p.keepTerm(ctx, in.Terms().Interval()); ended || err != nil {
		return ended, err
	}
	if objects != nil {
		err = p.make(ctx, objects)
	}
	if apierrors.IsConflict(err) { // what is in memory is behind, or a name was taken just now: the next look tells
		return false, err
	}
	p.observe(objects, err)
	if errors.As(err, new(conflict)) { // which its condition tells, and trying again does not mend
		err = nil
	}
	return false, err
}

// judge decides what the lease is granted. Where it is refused, it returns nothing,
// and what ran before goes on as it was.
func (p *pass) judge(ctx context.Context, in *render.LeaseRenderer) (*render.Objects, error) {
	var refusal policy.Refusal
	objects, err := in.TritonLease(p.lease)
	switch {
	case err == nil:
		err = p.checkTarget(ctx)
	case !errors.As(err, &refusal):
		// What is handed on verbatim is nothing that Kubernetes knows. Who tries again
		// finds the same.
		err = policy.Refusal{field.Invalid(field.NewPath("spec"), field.OmitValueType{}, err.Error())}
	}
	if errors.As(err, &refusal) {
		p.refuse(refusal)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	p.grant(objects)
	return objects, nil
}

func (p *pass) grant(objects *render.Objects) {
	granted := &v1alpha1.Granted{Grant: objects.Lease.Grant, Term: objects.Lease.Term}
	names := make([]string, len(p.lease.Spec.Models))
	for i, model := range p.lease.Spec.Models {
		names[i] = model.Name
	}
	p.status.Models = shorten(strings.Join(names, ","), mostNames)
	sentences := make([]string, 0, len(granted.Adjustments)+len(granted.Warnings))
	for _, adjustment := range granted.Adjustments {
		sentences = append(sentences, adjustment.String())
	}
	for _, w := range granted.Warnings {
		sentences = append(sentences, w.String())
	}
	switch {
	case len(sentences) == 0:
		p.set(v1alpha1.ConditionGranted, yes, "Granted", "the lease has what it asks for")
	case len(granted.Adjustments) == 0:
		p.set(v1alpha1.ConditionGranted, yes, "Granted", strings.Join(sentences, "\n"))
	default:
		p.set(v1alpha1.ConditionGranted, yes, "Adjusted", strings.Join(sentences, "\n"))
	}
	p.tell(v1alpha1.ConditionGranted)
	p.status.Granted = granted
}

// foreignPeriod is how often something is looked at that nobody watches.
const foreignPeriod = 30 * time.Second

// lookAgain makes sure that the lease is looked at again in time.
func (p *pass) lookAgain(after time.Duration) {
	if p.next == 0 || after < p.next {
		p.next = max(after, time.Millisecond)
	}
}
