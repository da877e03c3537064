//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// object is an object of a lease.
type object struct {
	Kind              string
	metav1.ObjectMeta `json:"metadata"`
	Spec              map[string]any
}

// objectKinds are the kinds of objects that tms-server creates for leases.
var objectKinds = []struct{ kind, path, plural string }{
	{"Deployment", "/apis/apps/v1", "deployments"},
	{"HorizontalPodAutoscaler", "/apis/autoscaling/v2", "horizontalpodautoscalers"},
	{"PodDisruptionBudget", "/apis/policy/v1", "poddisruptionbudgets"},
	{"PodMonitor", "/apis/monitoring.coreos.com/v1", "podmonitors"},
	{"PrometheusRule", "/apis/monitoring.coreos.com/v1", "prometheusrules"},
	{"Service", "/api/v1", "services"},
}

// The kinds of the objects of leases, without and with autoscaling. The second Service is
// headless.
const (
	plainKinds  = "Deployment PodDisruptionBudget Service Service"
	scaledKinds = "Deployment HorizontalPodAutoscaler PodDisruptionBudget PodMonitor PrometheusRule Service Service"
)

// all returns the objects of the namespace that tms-server manages.
func (l *leases) all(ctx context.Context) ([]object, error) {
	var objects []object
	for _, c := range objectKinds {
		var list struct{ Items []object }
		if err := l.read(ctx, c.path+"/namespaces/"+l.namespace+"/"+c.plural, &list); err != nil {
			return nil, err
		}
		for _, o := range list.Items {
			if o.Labels["app.kubernetes.io/managed-by"] == "tms-server" {
				o.Kind = c.kind
				objects = append(objects, o)
			}
		}
	}
	return objects, nil
}

// objectsOf returns the objects of a lease.
func (l *leases) objectsOf(lease string) ([]object, error) {
	objects, err := l.all(l.Context())
	return slices.DeleteFunc(objects, func(o object) bool { return o.Labels["tms.triton-leases.dev/lease"] != lease }), err
}

func kindsOf(objects []object) string {
	var kinds []string
	for _, o := range objects {
		kinds = append(kinds, o.Kind)
	}
	slices.Sort(kinds)
	return strings.Join(kinds, " ")
}

// has waits until a lease has objects of exactly these kinds, and owns each of them.
func (l *leases) has(lease, kinds string) {
	l.Helper()
	l.eventually(fmt.Sprintf("%s has the objects %s", lease, kinds), func() (bool, string) {
		owner, err := l.get(lease)
		if err != nil {
			return false, err.Error()
		}
		objects, err := l.objectsOf(lease)
		if err != nil {
			return false, err.Error()
		}
		for _, o := range objects {
			if fault := faultOf(o, owner); fault != "" {
				return false, fault
			}
		}
		return kindsOf(objects) == kinds, kindsOf(objects)
	})
}

// faultOf returns an error message if an object of a lease has the wrong name, owner or
// field manager.
func faultOf(o object, owner *tritonLease) string {
	name := o.Kind + " " + o.Name
	if strings.TrimSuffix(o.Name, "-headless") != objectName(owner.Name) {
		return name + " has the wrong name, want " + objectName(owner.Name)
	}
	controller := metav1.GetControllerOf(&o)
	if controller == nil || controller.UID != owner.UID || len(o.OwnerReferences) != 1 {
		return fmt.Sprintf("%s is owned by %v", name, o.OwnerReferences)
	}
	if !slices.ContainsFunc(o.ManagedFields, func(e metav1.ManagedFieldsEntry) bool {
		return e.Manager == "tms-server"
	}) {
		return name + " is not managed by tms-server"
	}
	return ""
}

// orphans returns the objects of the namespace that no lease owns.
func (l *leases) orphans(ctx context.Context) (string, error) {
	var existing struct{ Items []tritonLease }
	if err := l.read(ctx, "/apis/tms.triton-leases.dev/v1alpha1/namespaces/"+l.namespace+"/tritonleases", &existing); err != nil {
		return "", err
	}
	owners := map[string]bool{}
	for _, lease := range existing.Items {
		owners[string(lease.UID)] = true
	}
	objects, err := l.all(ctx)
	var found []string
	for _, o := range objects {
		if owner := metav1.GetControllerOf(&o); owner == nil || !owners[string(owner.UID)] {
			found = append(found, o.Kind+"/"+o.Name)
		}
	}
	return strings.Join(found, " "), err
}
