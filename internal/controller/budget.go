package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/budget"
	"github.com/triton-leases/tms/pkg/policy"
	"github.com/triton-leases/tms/pkg/render"
)

// charge is what a lease is charged of the budget of its namespace, in GPUs.
type charge struct {
	account *account
	budget  policy.Budget
	// before is the charge when the reconciliation began. reserved is the charge while the
	// objects are applied, and next is the charge after that.
	before, reserved, next int64
	// others is what the other leases of the namespace are charged.
	others int64
}

// reserve allocates GPUs of the budget to a lease, and claims the lease for this
// installation. granted is what the policy grants to it, nil if it is refused. reserve
// lowers granted to the allocation, or returns a refusal if not even the minimum of the
// lease fits.
//
// What the lease gets in addition to what it holds is in its status before reserve returns.
// Therefore the objects of all leases together stay within the budget while this process
// applies them, and if it dies.
func (r *reconciliation) reserve(ctx context.Context, renderer *render.LeaseRenderer, granted *render.GrantedLease) (policy.Refusal, error) {
	limits := renderer.Bounds().Limits()
	r.status.Limits, r.status.Budget = &limits, nil
	request := budget.RequestOf(r.lease, granted)
	if granted == nil {
		r.adoptGranted()
	} else if err := r.keepGranted(ctx, renderer.Bounds(), granted, &request); err != nil {
		return nil, err
	}
	current, hasBudget := renderer.Bounds().Budget(r.lease.Namespace)
	if !hasBudget || granted != nil && request.GPUs == 0 && budget.Held(r.lease, request) == 0 {
		return nil, r.claim(ctx, granted)
	}
	a := r.accounts.of(r.lease.Namespace)
	a.lock.Lock()
	defer a.lock.Unlock()
	leases, claims, err := a.claims(ctx, r.reconciler, renderer, r.lease.Namespace)
	if err != nil {
		return nil, err
	}
	own := slices.IndexFunc(leases, func(l *v1alpha1.TritonLease) bool { return l.UID == r.lease.UID })
	if own < 0 || isNewer(leases[own], r.lease) {
		return nil, apierrors.NewConflict(v1alpha1.GroupVersion.WithResource("tritonleases").GroupResource(), r.lease.Name, errors.New("the cache is behind"))
	}
	claim := budget.ClaimOf(renderer, r.lease, request)
	before := claim.Held
	if r.lease.Status.Granted == nil {
		claim.Held = max(claim.Held, claims[own].Held) // of a Deployment that it adopts
	}
	claims[own] = claim
	allocations := policy.Allocate(current.GPUs, claims)
	allocation := allocations[own]
	c := &charge{account: a, budget: current, before: before, reserved: max(claim.Held, allocation.GPUs), next: allocation.GPUs}
	for i := range claims {
		if i != own {
			c.others += claims[i].Held
		}
	}
	r.charge = c
	if request.GPUs > 0 || c.reserved > 0 {
		r.status.Budget = c.status(c.reserved)
	}
	var refusal policy.Refusal
	if granted != nil {
		refusal = budget.Fit(renderer, current, granted, claims, allocations, own)
		if allocation.Refused || allocation.Replicas < request.Maximum {
			// In case that no change wakes it: each call reads all leases of the namespace.
			r.requeueAfter(pollInterval * time.Duration(1+len(leases)/100))
		}
	}
	if len(refusal) > 0 {
		granted = nil
	}
	return refusal, r.claim(ctx, granted)
}

func (c *charge) status(charged int64) *v1alpha1.Budget {
	return &v1alpha1.Budget{GPUs: c.budget.GPUs, Charged: charged, Used: c.others + charged}
}

// claim claims a lease that belongs to no installation yet, and writes an increase of its
// charge. It comes before any object is applied: two installations that watch one namespace
// would otherwise revert each other's changes. granted is nil if the lease is refused.
func (r *reconciliation) claim(ctx context.Context, granted *render.GrantedLease) error {
	increase := r.charge != nil && granted != nil && r.charge.reserved > r.charge.before
	if !increase {
		isNew := r.lease.Status.Installation == ""
		if !isNew || granted != nil || r.lease.Status.Granted == nil {
			return nil // claimNew claims a granted lease, and refuse one without objects
		}
	}
	claimed := r.lease.DeepCopy()
	claimed.Status.Installation = r.installation
	if increase {
		claimed.Status.Budget, claimed.Status.Limits = r.status.Budget, r.status.Limits
		// If this process dies, its successor knows what may run.
		claimed.Status.Granted = &v1alpha1.Granted{Grant: granted.Grant, Term: granted.Term}
	}
	if err := r.Status().Update(ctx, claimed); err != nil {
		r.notClaimed = true
		return err
	}
	if r.charge != nil {
		r.charge.account.newer[claimed.Name] = claimed
	}
	r.status.Installation = r.installation
	before := r.lease.Status.Granted
	r.lease = claimed.DeepCopy()
	r.lease.Status.Granted = before
	return nil
}

// claimNew claims a granted lease that belongs to no installation yet. It writes the whole
// status, as it is once the objects exist.
func (r *reconciliation) claimNew(ctx context.Context, objects *render.Objects) error {
	if r.status.Installation != "" {
		return nil
	}
	r.status.Installation = r.installation
	r.observe(objects, nil)
	err := r.updateStatus(ctx)
	r.notClaimed = err != nil
	return err
}

// settle lowers the charge of a lease whose objects are applied. A HorizontalPodAutoscaler
// lowers the replicas of its Deployment itself, a little later. Pods with more GPUs run until
// the Deployment has replaced them, which is never if the new ones do not become ready.
func (r *reconciliation) settle() {
	c := r.charge
	if c == nil || r.status.Budget == nil {
		return
	}
	charged := c.next
	switch granted, deployment := r.status.Granted, r.deployment(); {
	case granted == nil || deployment == nil:
	case !rolledOut(deployment, granted.GPUs):
		charged = c.reserved
	case granted.Autoscaled && deployment.Spec.Replicas != nil:
		replicas := int64(*deployment.Spec.Replicas)
		if r.fromKEDA != nil { // KEDA lowers its maximum a little later
			replicas = max(replicas, int64(r.fromKEDA.Spec.MaxReplicas))
		}
		charged = max(charged, min(c.reserved, replicas*granted.GPUs))
	}
	r.status.Budget = c.status(charged)
	if charged == 0 && (r.status.Granted == nil || r.status.Granted.GPUs == 0) && len(r.status.Refusals) == 0 {
		r.status.Budget = nil
	}
}

// rolledOut reports whether all pods of a Deployment, as it was before the objects were
// applied, have at most this number of GPUs.
func rolledOut(deployment *appsv1.Deployment, gpus int64) bool {
	status := deployment.Status
	return gpusOf(deployment) <= gpus && status.ObservedGeneration >= deployment.Generation && status.UpdatedReplicas >= status.Replicas
}

// keepGranted sets the replicas in the request of a lease that does not scale and names no
// number: it asks for those of its Deployment, which users may scale.
func (r *reconciliation) keepGranted(ctx context.Context, bounds *policy.LeaseBounds, granted *render.GrantedLease, request *budget.Request) error {
	deployment := r.deployment()
	if !request.Keeps || deployment == nil || deployment.Spec.Replicas == nil {
		return nil
	}
	live := int64(*deployment.Spec.Replicas)
	asked, before, known := budget.KeptReplicas(r.lease)
	if known && live != before && r.live != nil { // users scaled it, or the cache is behind
		current := new(appsv1.Deployment)
		if err := r.live.Get(ctx, client.ObjectKeyFromObject(deployment), current); err != nil {
			return client.IgnoreNotFound(err)
		}
		if current.Spec.Replicas != nil {
			live = int64(*current.Spec.Replicas)
		}
	}
	if !known || live != before {
		asked = live
	}
	isReplicas := func(a v1alpha1.Adjustment) bool { return a.Field == "spec.triton.replicas" }
	granted.Grant.Adjustments = append(slices.DeleteFunc(granted.Grant.Adjustments, isReplicas), request.Keep(bounds, asked)...)
	granted.Grant.Replicas = request.Maximum
	return nil
}

// adoptGranted adds the GPUs and the replicas of its Deployment to the grant of a refused
// lease. An earlier version, which did not record them, wrote the grant.
func (r *reconciliation) adoptGranted() {
	granted, deployment := r.status.Granted, r.deployment()
	if granted == nil || granted.GPUs > 0 || r.lease.Status.Limits != nil || deployment == nil {
		return
	}
	granted.GPUs = gpusOf(deployment)
	if !granted.Autoscaled && deployment.Spec.Replicas != nil {
		granted.Replicas = int64(*deployment.Spec.Replicas)
	}
	r.lease.Status.Granted = granted.DeepCopy()
}

// lowerGranted lowers what a refused lease keeps to its charge.
func (c *charge) lowerGranted(grant *v1alpha1.Grant) {
	if c == nil || grant.GPUs == 0 {
		return
	}
	most := c.next / grant.GPUs
	grant.Replicas = min(grant.Replicas, most)
	if grant.Autoscaled {
		grant.MaxReplicas = min(grant.MaxReplicas, max(most, 1))
		grant.MinReplicas = min(grant.MinReplicas, grant.MaxReplicas)
		grant.Schedule = slices.Clone(grant.Schedule)
		for i := range grant.Schedule {
			entry := &grant.Schedule[i]
			entry.MaxReplicas = min(entry.MaxReplicas, max(most, 1))
			entry.MinReplicas = min(entry.MinReplicas, entry.MaxReplicas)
		}
	}
}

// rebalance enqueues the leases of a namespace that get another allocation, because one of
// its leases is gone or has changed. A lease that was never reconciled is in the queue
// already.
func (r *reconciler) rebalance(ctx context.Context, namespace string) (reconcile.Result, error) {
	renderer := r.configuration.LeaseRenderer()
	current, hasBudget := renderer.Bounds().Budget(namespace)
	if !hasBudget {
		return reconcile.Result{}, nil
	}
	a := r.accounts.of(namespace)
	a.lock.Lock()
	defer a.lock.Unlock()
	leases, claims, err := a.claims(ctx, r, renderer, namespace)
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("budget of namespace %s: %w", namespace, err)
	}
	var changed []reconcile.Request
	used := int64(0)
	for i, allocation := range policy.Allocate(current.GPUs, claims) {
		used += claims[i].Held
		// Leases that the policy refuses have no claim: to enqueue them all each time would be
		// a way to keep tms-server busy.
		asks := claims[i].GPUs > 0 && claims[i].Maximum > 0
		differs := allocation.GPUs != claims[i].Held || asks && allocation.Refused != (len(leases[i].Status.Refusals) > 0)
		if differs && leases[i].Status.Installation != "" {
			changed = append(changed, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(leases[i])})
		}
	}
	r.enqueue(ownedPriority, changed...)
	return reconcile.Result{RequeueAfter: r.showUsed(a, leases, used), Priority: new(handler.LowPriority)}, nil
}

// usedPeriod is the shortest time between two updates of what all leases of a namespace use,
// because each update writes the status of all of them.
const usedPeriod = 30 * time.Second

// showUsed enqueues the leases that show another number of GPUs in use. It returns when to
// call it again, if it is too early. The caller holds the lock.
func (r *reconciler) showUsed(a *account, leases []*v1alpha1.TritonLease, used int64) time.Duration {
	if a.shownUsed == used {
		return 0
	}
	now := r.now()
	if wait := usedPeriod - now.Sub(a.shownAt); wait > 0 {
		return wait
	}
	a.shownUsed, a.shownAt = used, now
	var stale []reconcile.Request
	for _, lease := range leases {
		if shown := lease.Status.Budget; shown != nil && shown.Used != used {
			stale = append(stale, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(lease)})
		}
	}
	r.enqueue(handler.LowPriority, stale...)
	return 0
}

// rebalanceAfter calls rebalance if the reconciliation changed what the lease is charged or
// asks for.
func (r *reconciliation) rebalanceAfter(ctx context.Context) error {
	c := r.charge
	if c == nil {
		return nil
	}
	charged := int64(0)
	if r.status.Budget != nil {
		charged = r.status.Budget.Charged
	}
	if charged == c.before && !r.changed {
		return nil
	}
	result, err := r.rebalance(ctx, r.lease.Namespace)
	if result.RequeueAfter > 0 {
		r.requeueAfter(result.RequeueAfter)
	}
	return err
}

// enqueue reconciles leases with a priority.
func (r *reconciler) enqueue(priority int, requests ...reconcile.Request) {
	q := r.queue.Load()
	if q == nil || len(requests) == 0 {
		return
	}
	if byPriority, ok := (*q).(priorityqueue.PriorityQueue[reconcile.Request]); ok {
		byPriority.AddWithOpts(priorityqueue.AddOpts{Priority: &priority}, requests...)
		return
	}
	for _, request := range requests {
		(*q).Add(request)
	}
}
