// Package controller reconciles TritonLeases: it applies the objects of each granted
// lease and writes the lease's status. All state is in the cluster, so any replica of
// tms-server can continue where another one stopped. For budgets, it remembers its own
// writes until its cache shows them: see account.
package controller

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/config"
	"github.com/triton-leases/tms/pkg/render"
)

// reconciler reconciles one TritonLease for each call of Reconcile.
type reconciler struct {
	client.Client               // reads what is watched from the cache
	live          client.Reader // reads from the API server

	configuration *config.Config
	installation  string // this tms-server, as namespace/release
	kinds         []*watchedKind
	recorder      events.EventRecorder
	requests      requestRates
	now           func() time.Time
	accounts      accounts
	reconciled    reconciledInputs
	// probes is nil if leases are not probed.
	probes *probes
	counts counts
	// queue is that of the controller, once it is started.
	queue atomic.Pointer[queue]
}

// reconciliation is the state of one Reconcile call.
type reconciliation struct {
	*reconciler
	lease  *v1alpha1.TritonLease       // as it was read
	status *v1alpha1.TritonLeaseStatus // as it will be written
	owned  map[*watchedKind][]client.Object
	// fromKEDA is the autoscaler that KEDA made for the lease, or nil.
	fromKEDA *autoscalingv2.HorizontalPodAutoscaler
	// served are the kinds that were watched when owned was read.
	served []string
	// startedAt is the current time in all decisions of this call.
	startedAt time.Time
	// duplicate reports whether another lease already scales the target.
	duplicate bool
	// charge is nil if the namespace has no budget.
	charge *charge
	// notClaimed reports whether claim failed to write the status. Then no object is applied.
	notClaimed bool
	// granted is nil if the lease is refused.
	granted *render.GrantedLease
	// manifests are those of a granted lease.
	manifests render.Fingerprint
	// applied are the objects of the lease once all of them are as they should be, as the cache
	// will show them.
	applied []client.Object
	// complete reports whether the objects need nothing more.
	complete bool
	// keepsMonitors reports whether the lease still has monitors that will be pruned later.
	keepsMonitors bool
	// isNew reports whether the lease belonged to no installation yet.
	isNew bool
	// changed reports whether the status describes an earlier spec.
	changed bool
	result  reconcile.Result
	// pendingEvents are recorded after the status is written.
	pendingEvents []pendingEvent
}

// Reconcile implements reconcile.Reconciler.
func (r *reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	lease := new(v1alpha1.TritonLease)
	if err := r.Get(ctx, request.NamespacedName, lease); apierrors.IsNotFound(err) {
		r.reconciled.remove(request.NamespacedName)
		r.probes.remove(request.NamespacedName)
		r.uncount(request.NamespacedName)
		return r.rebalance(ctx, request.Namespace)
	} else if err != nil {
		return reconcile.Result{}, err
	}
	rec := &reconciliation{
		reconciler: r, lease: lease, status: lease.Status.DeepCopy(), startedAt: r.now(),
		isNew: lease.Status.Installation == "", changed: lease.Status.ObservedGeneration != lease.Generation,
	}
	if !lease.DeletionTimestamp.IsZero() {
		return reconcile.Result{}, rec.deleteOwned(ctx)
	}
	if lease.Status.Installation != "" && lease.Status.Installation != r.installation {
		r.uncount(request.NamespacedName)
		r.reconciled.remove(request.NamespacedName)
		r.probes.remove(request.NamespacedName)
		return reconcile.Result{}, nil
	}
	deleted, err := rec.reconcileLease(ctx)
	if rec.notClaimed || rec.status.Installation == "" {
		return resultOf(client.IgnoreNotFound(err))
	}
	if !deleted {
		err = errors.Join(err, client.IgnoreNotFound(rec.updateStatus(ctx)))
	}
	if err == nil && rec.complete {
		err = rec.remember()
	}
	if err == nil && !deleted {
		err = rec.rebalanceAfter(ctx)
	}
	if err != nil {
		return resultOf(err)
	}
	return rec.result, nil
}

// resultOf returns the result of a reconciliation that failed. A write conflict only
// means that the cache is behind, so it is no error to log.
func resultOf(err error) (reconcile.Result, error) {
	if apierrors.IsConflict(err) {
		return reconcile.Result{RequeueAfter: time.Second}, nil
	}
	return reconcile.Result{}, err
}

// reconcileLease applies a granted lease, or clamps what a refused one was granted before.
// It reports whether it deleted the lease.
func (r *reconciliation) reconcileLease(ctx context.Context) (deleted bool, err error) {
	if deleted, err := r.releaseUnacquired(ctx); deleted || err != nil {
		return deleted, err
	}
	if err := r.listOwned(ctx); err != nil {
		return false, err
	}
	renderer := r.configuration.LeaseRenderer()
	objects, err := r.evaluate(ctx, renderer)
	if err != nil {
		return false, err
	}
	if r.granted == nil {
		if err := r.clampGranted(ctx, renderer); err != nil {
			return false, err
		}
	}
	if deleted, err := r.reconcileTerm(ctx, renderer.Bounds().Interval()); deleted || err != nil {
		return deleted, err
	}
	before := r.result
	if err := r.reconcileObjects(ctx, objects); err != nil {
		return false, err
	}
	r.complete = r.applied != nil && !r.keepsMonitors && r.result == before
	r.observeProgress()
	return false, nil
}

// reconcileObjects applies the objects of a granted lease and observes the result. The
// objects are nil if there is nothing to apply.
func (r *reconciliation) reconcileObjects(ctx context.Context, objects *render.Objects) error {
	var err error
	if objects != nil {
		if err := r.claimNew(ctx, objects); err != nil {
			return err
		}
		err = r.applyObjects(ctx, objects)
	}
	if apierrors.IsConflict(err) {
		// The cache is behind, or another client just created an object of this name.
		// The next reconciliation reads the current state.
		return err
	}
	if err == nil {
		r.settle()
	}
	r.observe(objects, err)
	if errors.As(err, new(nameConflict)) || errors.As(err, new(leftover)) {
		return nil // the condition Ready reports it, and observeReady set when to retry
	}
	return err
}

// pollInterval is how often a lease is reconciled while it waits for an object that
// the controller does not watch.
const pollInterval = 30 * time.Second

// requeueAfter reconciles the lease again after a delay. The shortest delay counts. While
// the lease waits in the queue, a later request for it can raise its priority, but not lower
// it: with the priority of now, a new lease would have to wait for all that are reconciled
// again.
func (r *reconciliation) requeueAfter(delay time.Duration) {
	delay = max(delay, time.Millisecond) // 0 would mean never
	if r.result.RequeueAfter == 0 || delay < r.result.RequeueAfter {
		r.result = reconcile.Result{RequeueAfter: delay, Priority: new(handler.LowPriority)}
	}
}
