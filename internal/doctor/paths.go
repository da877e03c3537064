package doctor

import (
	"cmp"
	"slices"
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// leaseName is the name of a lease in its namespace.
type leaseName struct{ namespace, name string }

// paths returns what to follow, sorted: each HorizontalPodAutoscaler, and each ScaledObject,
// schedule and TritonLease that asks for one and has none. If a lease is named and has none of
// them, its path is empty.
func (d *Doctor) paths(scalers []autoscalingv2.HorizontalPodAutoscaler, leases map[leaseName]*v1alpha1.TritonLease) []*path {
	var all []*path
	for i := range scalers {
		p := &path{Doctor: d, Namespace: scalers[i].Namespace, Lease: scalers[i].Labels[v1alpha1.LeaseLabel], scaler: &scalers[i]}
		if isScheduled(p.scaler) {
			p.schedule = &schedule{p.scaler.ObjectMeta}
		} else if isManaged(p.scaler.Labels) {
			p.lease = leases[leaseName{p.Namespace, p.Lease}]
		}
		all = append(all, p)
	}
	made := func(object metav1.ObjectMeta) *path {
		i := slices.IndexFunc(all, func(p *path) bool {
			return p.Namespace == object.Namespace && p.scaler != nil && p.scaler.Name == object.Name
		})
		if i < 0 {
			i = len(all)
			all = append(all, &path{Doctor: d, Namespace: object.Namespace, Lease: object.Labels[v1alpha1.LeaseLabel]})
		}
		return all[i]
	}
	for i := range d.scaledObjects {
		p := made(d.scaledObjects[i].ObjectMeta)
		p.scaledObject = &d.scaledObjects[i]
		if isManaged(p.scaledObject.Labels) {
			p.lease = leases[leaseName{p.Namespace, p.Lease}]
		}
	}
	for i := range d.schedules {
		made(d.schedules[i].ObjectMeta).schedule = &d.schedules[i]
	}
	for name, lease := range leases {
		wanted := d.options.Lease == name.name || d.options.Lease == "" && lease.Spec.Autoscaling.Enable
		if wanted && !slices.ContainsFunc(all, func(p *path) bool { return p.lease == lease }) {
			all = append(all, &path{Doctor: d, Namespace: name.namespace, Lease: name.name, lease: lease})
		}
	}
	if len(all) == 0 && d.options.Lease != "" {
		all = append(all, &path{Doctor: d, Namespace: d.options.Namespace, Lease: d.options.Lease})
	}
	slices.SortStableFunc(all, func(a, b *path) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Lease, b.Lease))
	})
	return all
}

// isManaged reports whether tms-server applies an object, from its labels.
func isManaged(labels map[string]string) bool {
	return labels["app.kubernetes.io/managed-by"] == "tms-server"
}

// isScheduled reports whether a ConfigMap owns a HorizontalPodAutoscaler.
func isScheduled(scaler *autoscalingv2.HorizontalPodAutoscaler) bool {
	owner := metav1.GetControllerOf(scaler)
	return owner != nil && owner.Kind == "ConfigMap"
}
