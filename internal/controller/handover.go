package controller

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/pkg/render"
)

// keepMonitors removes the lease's own monitors from the unwanted objects until the shared
// ones have existed for the handover time. Without metrics the lease would not scale meanwhile.
// The PodMonitor stays until the rules are gone from Prometheus. Otherwise the rule of the
// lease would have no input, and Prometheus would mark its series as stale, which are also
// those of the shared rule.
func (r *reconciliation) keepMonitors(ctx context.Context, objects *render.Objects, unwanted map[string][]client.Object) error {
	if objects.PodMonitor != nil || len(unwanted[podMonitorKind])+len(unwanted[prometheusRuleKind]) == 0 {
		return nil
	}
	renderer := r.configuration.LeaseRenderer()
	needs := needsOf(r.lease, r.status.Granted)
	shared, err := renderer.Monitoring(r.lease.Namespace, needs)
	if err != nil {
		return fmt.Errorf("render the shared monitors: %w", err)
	}
	left := -render.MonitorsInForce
	for _, k := range r.kinds {
		for _, wanted := range monitorsOf(shared, k) {
			created, live := r.startedAt, k.newObject()
			switch err := r.Get(ctx, client.ObjectKeyFromObject(wanted), live); {
			case err == nil:
				created = live.GetCreationTimestamp().Time
			case !apierrors.IsNotFound(err):
				return fmt.Errorf("read %s %s: %w", k.Kind, wanted.GetName(), err)
			}
			left = max(left, renderer.MonitorsHandover(needs)-r.startedAt.Sub(created))
		}
	}
	if left > -render.MonitorsInForce {
		delete(unwanted, podMonitorKind)
		r.keepsMonitors = true
		if left > 0 {
			delete(unwanted, prometheusRuleKind)
		} else {
			left += render.MonitorsInForce
		}
		r.requeueAfter(left)
	}
	return nil
}

func needsOf(lease *v1alpha1.TritonLease, granted *v1alpha1.Granted) (needs render.MonitoringNeeds) {
	needs.Add(lease, granted)
	return needs
}

// ownMonitors are the monitors that a lease owns.
type ownMonitors struct {
	count  int
	newest time.Time // when the newest one was created
}

// maxCreationDelay is the longest time from the creation of a lease to that of its own
// monitors. If they are created later, the lease used shared monitors before.
const maxCreationDelay = time.Minute

// untilOwn returns how long the shared monitors must stay until each lease that needs monitors
// has had its own ones for the handover time. It is negative after that. Leases that are
// created meanwhile do not extend it.
func (m *monitoring) untilOwn(ctx context.Context, renderer *render.LeaseRenderer, namespace string, leases []*v1alpha1.TritonLease) (time.Duration, error) {
	own, err := m.ownMonitors(ctx, namespace)
	if err != nil {
		return 0, err
	}
	now, all := m.now(), render.MonitoringNeeds{}
	// firstOwn is when the first lease had its own monitors, and lastMoved when the last lease
	// had its own that used shared ones before.
	var firstOwn, lastMoved time.Time
	counts := map[string]int{}
	for _, lease := range leases {
		needs := needsOf(lease, lease.Status.Granted)
		count, known := counts[fmt.Sprint(needs)]
		if !known {
			shared, err := renderer.Monitoring(namespace, needs)
			if err != nil {
				return 0, fmt.Errorf("render the shared monitors: %w", err)
			}
			for _, k := range m.kinds {
				count += len(monitorsOf(shared, k))
			}
			counts[fmt.Sprint(needs)] = count
		}
		if count == 0 {
			continue
		}
		all.Add(lease, lease.Status.Granted)
		since, has := now, own[lease.UID]
		if has.count >= count {
			since = has.newest
		}
		if firstOwn.IsZero() || since.Before(firstOwn) {
			firstOwn = since
		}
		if since.Sub(lease.CreationTimestamp.Time) > maxCreationDelay {
			lastMoved = later(lastMoved, since)
		}
	}
	if firstOwn.IsZero() {
		return -render.MonitorsInForce, nil // no lease needs monitors
	}
	return renderer.MonitorsHandover(all) - now.Sub(later(firstOwn, lastMoved)), nil
}

// ownMonitors returns the monitors in a namespace that leases own, by the UID of the lease.
func (m *monitoring) ownMonitors(ctx context.Context, namespace string) (map[types.UID]ownMonitors, error) {
	own := map[types.UID]ownMonitors{}
	for _, k := range m.kinds {
		if !isMonitorKind(k) || !k.watched.Load() {
			continue
		}
		list := k.newList()
		if err := m.List(ctx, list, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
			return nil, fmt.Errorf("list %s: %w", k.Kind, err)
		}
		if err := meta.EachListItem(list, func(item runtime.Object) error {
			object := item.(client.Object)
			if owner := metav1.GetControllerOf(object); owner != nil {
				has := own[owner.UID]
				own[owner.UID] = ownMonitors{has.count + 1, later(has.newest, object.GetCreationTimestamp().Time)}
			}
			return nil
		}); err != nil {
			return nil, fmt.Errorf("list %s: %w", k.Kind, err)
		}
	}
	return own, nil
}
