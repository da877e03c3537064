package render

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"

	"github.com/triton-leases/tms/internal/schema"
)

// Objects are the manifests of one lease. Those that the lease does not have are nil.
type Objects struct {
	Lease                   Lease
	Deployment              *appsv1.Deployment
	Service                 *corev1.Service
	PodDisruptionBudget     *policyv1.PodDisruptionBudget
	HorizontalPodAutoscaler *autoscalingv2.HorizontalPodAutoscaler
	PodMonitor              *monitoringv1.PodMonitor
	PrometheusRule          *monitoringv1.PrometheusRule
}

// ErrNoLease is returned where a lease is named that the values do not have.
var ErrNoLease = errors.New("no such lease")

// Lease renders one lease of the values as typed objects, for servers. Each is
// decoded strictly: a field that its type does not have is an error. It works
// for the embedded chart alone.
func (r *Renderer) Lease(release Release, name string, files ...[]byte) (*Objects, error) {
	merged, err := merge(files)
	if err != nil {
		return nil, err
	}
	if merged, err = Only(merged, name); err != nil {
		return nil, err
	}
	result, err := r.RenderValues(release, merged)
	if err != nil {
		return nil, err
	}
	if len(result.Leases) != 1 {
		return nil, errors.New("typed objects are those of the embedded chart")
	}
	objects := &Objects{Lease: result.Leases[0]}
	for _, document := range result.Documents {
		if err := objects.decode(document); err != nil {
			return nil, err
		}
	}
	return objects, nil
}

// decode puts a document where it belongs. Hooks and extraObjects are not of the lease.
func (o *Objects) decode(document Document) error {
	var err error
	switch document.Kind {
	case "Deployment":
		o.Deployment, err = decode[appsv1.Deployment](document)
	case "Service":
		o.Service, err = decode[corev1.Service](document)
	case "PodDisruptionBudget":
		o.PodDisruptionBudget, err = decode[policyv1.PodDisruptionBudget](document)
	case "HorizontalPodAutoscaler":
		o.HorizontalPodAutoscaler, err = decode[autoscalingv2.HorizontalPodAutoscaler](document)
	case "PodMonitor":
		o.PodMonitor, err = decode[monitoringv1.PodMonitor](document)
	case "PrometheusRule":
		o.PrometheusRule, err = decode[monitoringv1.PrometheusRule](document)
	}
	return err
}

func decode[T any](document Document) (*T, error) {
	object := new(T)
	return object, document.Decode(object)
}

// Only returns values with no leases but the named ones, and ErrNoLease where
// they have no such lease. The extraObjects, which belong to no lease, go too.
func Only(merged map[string]any, names ...string) (map[string]any, error) {
	leases, _ := merged["leases"].(map[string]any)
	kept := map[string]any{}
	for _, name := range names {
		lease, ok := leases[name]
		if !ok {
			return nil, noLease(name, leases)
		}
		kept[name] = lease
	}
	only := make(map[string]any, len(merged))
	for key, value := range merged {
		only[key] = value
	}
	only["leases"] = kept
	delete(only, "extraObjects")
	return only, nil
}

func noLease(name string, leases map[string]any) error {
	if best := schema.Nearest(name, slices.Sorted(maps.Keys(leases))); best != "" {
		return fmt.Errorf("%w: %q, did you mean %q?", ErrNoLease, name, best)
	}
	return fmt.Errorf("%w: %q", ErrNoLease, name)
}
