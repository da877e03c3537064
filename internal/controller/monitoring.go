package controller

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/shorten"
	"github.com/triton-leases/tms/pkg/render"
)

const (
	podMonitorKind     = "PodMonitor"
	prometheusRuleKind = "PrometheusRule"
)

// isMonitorKind reports whether Prometheus reads the objects of a kind.
func isMonitorKind(k *watchedKind) bool {
	return k.Kind == podMonitorKind || k.Kind == prometheusRuleKind
}

// monitoring reconciles the shared monitors of one namespace for each call of Reconcile. The
// name of the request is the namespace.
type monitoring struct{ *reconciler }

// sharedMonitors are the shared monitors of a namespace, by kind.
type sharedMonitors map[*watchedKind][]client.Object

// Reconcile implements reconcile.Reconciler.
func (m *monitoring) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	namespace, renderer := request.Name, m.configuration.LeaseRenderer()
	existing, err := m.existing(ctx, namespace)
	if err != nil || !renderer.SharesMonitors() && len(existing) == 0 {
		return reconcile.Result{}, err
	}
	leases, err := m.granted(ctx, namespace)
	if err != nil {
		return reconcile.Result{}, err
	}
	wanted := new(render.Monitoring)
	if renderer.SharesMonitors() {
		var needs render.MonitoringNeeds
		for _, lease := range leases {
			needs.Add(lease, lease.Status.Granted)
		}
		if wanted, err = renderer.Monitoring(namespace, needs); err != nil {
			return reconcile.Result{}, fmt.Errorf("render the shared monitors: %w", err)
		}
	}
	var failures []error // one object that fails does not delay the others
	for _, k := range m.kinds {
		for _, rendered := range monitorsOf(wanted, k) {
			failures = append(failures, m.apply(ctx, k, rendered, existing.take(k, rendered.GetName())))
		}
	}
	if err := errors.Join(failures...); err != nil {
		return resultOf(err)
	}
	if !renderer.SharesMonitors() {
		left, err := m.untilOwn(ctx, renderer, namespace, leases)
		switch {
		case err != nil || left > 0:
			return reconcile.Result{RequeueAfter: left}, err
		case left > -render.MonitorsInForce: // the rules go first: see keepMonitors
			return reconcile.Result{RequeueAfter: left + render.MonitorsInForce}, m.prune(ctx, existing.without(podMonitorKind))
		}
	}
	return reconcile.Result{}, m.prune(ctx, existing)
}

// granted returns the leases of a namespace that have a grant of this installation. They
// belong to the cache and must not be changed.
func (m *monitoring) granted(ctx context.Context, namespace string) ([]*v1alpha1.TritonLease, error) {
	var list v1alpha1.TritonLeaseList
	if err := m.List(ctx, &list, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list leases: %w", err)
	}
	var granted []*v1alpha1.TritonLease
	for i := range list.Items {
		if lease := &list.Items[i]; m.hasGrant(lease) {
			granted = append(granted, lease)
		}
	}
	return granted, nil
}

// hasGrant reports whether a lease has a grant of this installation.
func (m *monitoring) hasGrant(lease *v1alpha1.TritonLease) bool {
	return lease.Status.Granted != nil && lease.DeletionTimestamp.IsZero() && lease.Status.Installation == m.installation
}

// existing returns the shared monitors of a namespace that are in the cache.
func (m *monitoring) existing(ctx context.Context, namespace string) (sharedMonitors, error) {
	existing := sharedMonitors{}
	for _, k := range m.kinds {
		if !isMonitorKind(k) || !k.watched.Load() {
			continue
		}
		list := k.newList()
		if err := m.List(ctx, list, client.InNamespace(namespace), client.MatchingFields{ownerIndex: noOwner}); err != nil {
			return nil, fmt.Errorf("list %s: %w", k.Kind, err)
		}
		objects, err := meta.ExtractList(list)
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", k.Kind, err)
		}
		for _, object := range objects {
			if object := object.(client.Object); m.isShared(object) {
				existing[k] = append(existing[k], object)
			}
		}
	}
	return existing, nil
}

// take removes the monitor with a name, and returns it, or nil if there is none.
func (s sharedMonitors) take(k *watchedKind, name string) client.Object {
	for i, object := range s[k] {
		if object.GetName() == name {
			s[k] = append(s[k][:i:i], s[k][i+1:]...)
			return object
		}
	}
	return nil
}

// without returns the monitors of the other kinds.
func (s sharedMonitors) without(kind string) sharedMonitors {
	others := maps.Clone(s)
	maps.DeleteFunc(others, func(k *watchedKind, _ []client.Object) bool { return k.Kind == kind })
	return others
}

// isShared reports whether an object is a shared monitor of this installation. The name of
// an object of a lease has no dot before that of the namespace of tms-server.
func (r *reconciler) isShared(object client.Object) bool {
	namespace, release, _ := strings.Cut(r.installation, "/")
	return object.GetLabels()[instanceLabel] == release &&
		strings.HasSuffix(strings.TrimSuffix(object.GetName(), ".metrics"), "."+namespace+".leases")
}

// monitorsOf returns the shared monitors of one kind. It returns none if the API server does
// not serve the kind.
func monitorsOf(shared *render.Monitoring, k *watchedKind) []client.Object {
	var all []client.Object
	if !k.watched.Load() {
		return nil
	}
	switch k.Kind {
	case podMonitorKind:
		if shared.PodMonitor != nil {
			all = append(all, shared.PodMonitor)
		}
	case prometheusRuleKind:
		if shared.PrometheusRule != nil {
			all = append(all, shared.PrometheusRule)
		}
		if shared.MetricsRule != nil {
			all = append(all, shared.MetricsRule)
		}
	}
	return all
}

// apply creates or applies one shared monitor. live is nil if the cache has none. It writes
// nothing if the monitor is up to date.
func (m *monitoring) apply(ctx context.Context, k *watchedKind, rendered, live client.Object) error {
	want, err := newDesired(k, rendered, nil)
	if err != nil {
		return err
	}
	if live == nil {
		if err := m.create(ctx, &step{kind: k, desired: want}); !apierrors.IsAlreadyExists(err) {
			return err
		}
		if live, err = m.findShared(ctx, k, rendered); err != nil {
			return err
		}
	}
	corrected, err := m.change(ctx, &step{kind: k, desired: want, live: live})
	if corrected {
		m.report(live, "Corrected", correctedNote, k.Kind, rendered.GetName())
	}
	return err
}

// findShared reads a shared monitor that exists and that the cache does not hold. An object
// of another owner is an error, and an event.
func (m *monitoring) findShared(ctx context.Context, k *watchedKind, rendered client.Object) (client.Object, error) {
	object := k.newObject()
	if err := m.live.Get(ctx, client.ObjectKeyFromObject(rendered), object); err != nil {
		return nil, fmt.Errorf("read %s %s: %w", k.Kind, rendered.GetName(), err)
	}
	// An object that lost its labels still has the annotation.
	if object.GetAnnotations()[appliedAnnotation] == "" && object.GetLabels()[managedByLabel] != managedBy {
		const note = "%s %s exists and was not created by tms-server: delete it, then the leases of the namespace are monitored"
		m.report(object, "Conflict", note, k.Kind, rendered.GetName())
		return nil, fmt.Errorf(note, k.Kind, rendered.GetName())
	}
	return object, nil
}

// prune deletes shared monitors that no lease needs.
func (m *monitoring) prune(ctx context.Context, unwanted sharedMonitors) error {
	for k, objects := range unwanted {
		for _, object := range objects {
			if err := m.deleteObject(ctx, k.Kind, object); err != nil {
				return err
			}
		}
	}
	return nil
}

// report records an event about a shared monitor.
func (m *monitoring) report(object client.Object, reason, note string, args ...any) {
	object = object.DeepCopyObject().(client.Object)
	object.SetResourceVersion("") // as in recordEvent
	m.recorder.Eventf(object, nil, corev1.EventTypeWarning, reason, "Reconcile", "%s", shorten.End(fmt.Sprintf(note, args...), maxEventNote))
}
