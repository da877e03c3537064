// Package hpaschedule applies the HorizontalPodAutoscalers of leases in the values that have a
// schedule. For each of them, the chart renders a ConfigMap with the manifest and the granted
// schedule. The ConfigMap owns the autoscaler. If Helm managed it, each upgrade would reset its
// bounds.
package hpaschedule

import (
	"fmt"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/cluster"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/pkg/render"
)

const (
	managedByLabel = "app.kubernetes.io/managed-by"
	managedBy      = render.ControllerName
	instanceLabel  = "app.kubernetes.io/instance"
)

// Setup adds the controller to mgr. The release is the namespace and the name of the Helm
// release of this tms-server. The controller reads only ConfigMaps with a schedule and
// HorizontalPodAutoscalers of that namespace.
func Setup(mgr manager.Manager, release client.ObjectKey) error {
	// The cache of mgr selects other objects, and may leave out this namespace.
	own, err := cluster.New(mgr.GetConfig(), func(o *cluster.Options) {
		o.Scheme, o.HTTPClient, o.Logger = mgr.GetScheme(), mgr.GetHTTPClient(), mgr.GetLogger()
		o.Cache = cache.Options{
			DefaultNamespaces: map[string]cache.Config{release.Namespace: {}},
			ByObject: map[client.Object]cache.ByObject{
				new(corev1.ConfigMap): {Label: labels.SelectorFromSet(labels.Set{v1alpha1.ScheduleLabel: "true", instanceLabel: release.Name})},
			},
		}
	})
	if err != nil {
		return fmt.Errorf("schedules: %w", err)
	}
	if err := mgr.Add(own); err != nil {
		return fmt.Errorf("schedules: %w", err)
	}
	r := &reconciler{Client: own.GetClient(), recorder: mgr.GetEventRecorder(managedBy), now: time.Now}
	c, err := controller.New("schedule", mgr, controller.Options{Reconciler: r})
	if err != nil {
		return fmt.Errorf("schedules: %w", err)
	}
	if err := c.Watch(source.Kind(own.GetCache(), client.Object(new(corev1.ConfigMap)), new(handler.EnqueueRequestForObject))); err != nil {
		return fmt.Errorf("watch schedules: %w", err)
	}
	err = c.Watch(source.Kind(own.GetCache(), client.Object(new(autoscalingv2.HorizontalPodAutoscaler)),
		handler.EnqueueRequestsFromMapFunc(r.all), predicate.Predicate(predicate.Funcs{UpdateFunc: specChanged})))
	if err != nil {
		return fmt.Errorf("watch autoscalers: %w", err)
	}
	return nil
}

// specChanged reports whether more than the status of an autoscaler changed.
func specChanged(e event.UpdateEvent) bool {
	before, after := withoutStatus(e.ObjectOld), withoutStatus(e.ObjectNew)
	return !equality.Semantic.DeepEqual(before, after)
}

func withoutStatus(object client.Object) *autoscalingv2.HorizontalPodAutoscaler {
	autoscaler := object.DeepCopyObject().(*autoscalingv2.HorizontalPodAutoscaler)
	autoscaler.ResourceVersion, autoscaler.ManagedFields = "", nil
	autoscaler.Status = autoscalingv2.HorizontalPodAutoscalerStatus{}
	return autoscaler
}
