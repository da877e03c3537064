package hpaschedule

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/yaml"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/schedule"
)

// The keys of the ConfigMap.
const (
	scheduleKey = "schedule.yaml"
	manifestKey = "hpa.yaml"
)

// appliedAnnotation is a digest of the last applied manifest. If a manifest loses a field, only
// the digest differs, because the autoscaler still has the field.
const appliedAnnotation = "tms.triton-leases.dev/applied"

// reconciler applies the autoscalers of ConfigMaps.
type reconciler struct {
	client.Client // reads from a cache

	recorder events.EventRecorder
	now      func() time.Time
}

// Reconcile implements reconcile.Reconciler.
func (r *reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	owner := new(corev1.ConfigMap)
	if err := r.Get(ctx, request.NamespacedName, owner); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err) // the garbage collector deletes the autoscaler
	}
	if !owner.DeletionTimestamp.IsZero() {
		return reconcile.Result{}, nil
	}
	wanted, entries, err := decode(owner)
	if err != nil {
		return reconcile.Result{}, r.refuse(owner, err)
	}
	now := r.now()
	state, err := schedule.At(entries, now)
	if err != nil {
		return reconcile.Result{}, r.refuse(owner, err)
	}
	live := new(autoscalingv2.HorizontalPodAutoscaler)
	if err := r.Get(ctx, client.ObjectKeyFromObject(wanted), live); apierrors.IsNotFound(err) {
		live = nil
	} else if err != nil {
		return reconcile.Result{}, err
	}
	if live != nil && !mayApply(live, owner) {
		return reconcile.Result{}, nil // the deletion of the autoscaler reconciles it again
	}
	other, err := r.other(ctx, wanted)
	if err != nil {
		return reconcile.Result{}, err
	}
	if other != nil {
		return reconcile.Result{}, r.yield(ctx, live, other)
	}
	entry := entries[state.Active]
	wanted.Spec.MinReplicas, wanted.Spec.MaxReplicas = new(int32(entry.MinReplicas)), int32(entry.MaxReplicas)
	if err := r.apply(ctx, wanted, live); err != nil {
		return reconcile.Result{}, err
	}
	if live == nil || live.Spec.MaxReplicas != wanted.Spec.MaxReplicas || *live.Spec.MinReplicas != *wanted.Spec.MinReplicas {
		r.recorder.Eventf(wanted, owner, corev1.EventTypeNormal, "Scheduled", "Reconcile", "%d to %d replicas by schedule[%d], cron %s in %s",
			entry.MinReplicas, entry.MaxReplicas, state.Active, entry.Cron, entry.TimeZone)
	}
	return reconcile.Result{RequeueAfter: max(state.Next.Sub(now), time.Millisecond)}, nil
}

// refuse records why a ConfigMap has no autoscaler. Helm cannot check everything: it does not
// know the names of time zones. A change of the ConfigMap reconciles it again.
func (r *reconciler) refuse(owner *corev1.ConfigMap, err error) error {
	r.recorder.Eventf(owner, nil, corev1.EventTypeWarning, "Refused", "Reconcile", "no HorizontalPodAutoscaler: %v", err)
	return reconcile.TerminalError(err)
}

// decode returns the autoscaler and the schedule of a ConfigMap. The autoscaler has the minimum
// and the maximum of the lease without the schedule.
func decode(owner *corev1.ConfigMap) (*autoscalingv2.HorizontalPodAutoscaler, []v1alpha1.ScheduledReplicas, error) {
	var entries []v1alpha1.ScheduledReplicas
	if err := yaml.UnmarshalStrict([]byte(owner.Data[scheduleKey]), &entries); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", scheduleKey, err)
	}
	if len(entries) == 0 {
		return nil, nil, fmt.Errorf("%s: has no entries", scheduleKey)
	}
	wanted := new(autoscalingv2.HorizontalPodAutoscaler)
	if err := yaml.UnmarshalStrict([]byte(owner.Data[manifestKey]), wanted); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", manifestKey, err)
	}
	wanted.SetGroupVersionKind(autoscalingv2.SchemeGroupVersion.WithKind("HorizontalPodAutoscaler"))
	// tms-server has more rights than a user that may write only the ConfigMap.
	if wanted.Name != owner.Name || wanted.Namespace != owner.Namespace {
		return nil, nil, fmt.Errorf("%s: must be the manifest of %s in namespace %s", manifestKey, owner.Name, owner.Namespace)
	}
	sum := sha256.Sum256([]byte(owner.Data[manifestKey]))
	annotations := maps.Clone(wanted.Annotations)
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[appliedAnnotation] = hex.EncodeToString(sum[:8])
	wanted.Annotations = annotations
	metav1.SetMetaDataLabel(&wanted.ObjectMeta, managedByLabel, managedBy)
	reference := metav1.NewControllerRef(owner, corev1.SchemeGroupVersion.WithKind("ConfigMap"))
	reference.BlockOwnerDeletion = nil // it would need a right on the finalizers of ConfigMaps
	wanted.OwnerReferences = []metav1.OwnerReference{*reference}
	return wanted, entries, nil
}

// mayApply reports whether owner may have an autoscaler: no other object owns it. The autoscaler
// of an earlier ConfigMap with this name exists until the garbage collector deletes it.
func mayApply(live *autoscalingv2.HorizontalPodAutoscaler, owner *corev1.ConfigMap) bool {
	controller := metav1.GetControllerOf(live)
	return live.DeletionTimestamp.IsZero() && (controller == nil || controller.UID == owner.UID)
}

// other returns an autoscaler of Helm or of a user that scales the same workload, or nil. Two
// autoscalers would disable each other. One with the name of wanted is none: anyone can remove
// its labels.
func (r *reconciler) other(ctx context.Context, wanted *autoscalingv2.HorizontalPodAutoscaler) (*autoscalingv2.HorizontalPodAutoscaler, error) {
	var all autoscalingv2.HorizontalPodAutoscalerList
	if err := r.List(ctx, &all, client.InNamespace(wanted.Namespace)); err != nil {
		return nil, fmt.Errorf("list autoscalers: %w", err)
	}
	for i := range all.Items {
		if one := &all.Items[i]; one.Name != wanted.Name && one.Labels[managedByLabel] != managedBy && workloadOf(one) == workloadOf(wanted) {
			return one, nil
		}
	}
	return nil, nil
}

// workloadOf returns the group, kind and name of the workload that an autoscaler scales. The
// API version does not matter.
func workloadOf(autoscaler *autoscalingv2.HorizontalPodAutoscaler) string {
	target := autoscaler.Spec.ScaleTargetRef
	return schema.FromAPIVersionAndKind(target.APIVersion, target.Kind).GroupKind().String() + " " + target.Name
}

// yield deletes the autoscaler while another one scales the workload.
func (r *reconciler) yield(ctx context.Context, live, other *autoscalingv2.HorizontalPodAutoscaler) error {
	if live == nil {
		return nil
	}
	if err := r.Delete(ctx, live, client.Preconditions{UID: &live.UID}); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("delete HorizontalPodAutoscaler %s: %w", live.Name, err)
	}
	r.recorder.Eventf(live, other, corev1.EventTypeWarning, "Yielded", "Reconcile",
		"deleted, because HorizontalPodAutoscaler %s scales the same workload: delete that one, then the schedule takes effect", other.Name)
	return nil
}

// apply applies an autoscaler, unless it is up to date. It sets the identity of wanted.
func (r *reconciler) apply(ctx context.Context, wanted, live *autoscalingv2.HorizontalPodAutoscaler) error {
	if live != nil && upToDate(wanted, live) {
		return nil
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(wanted)
	if err != nil {
		return fmt.Errorf("encode HorizontalPodAutoscaler %s: %w", wanted.Name, err)
	}
	delete(content, "status")
	unstructured.RemoveNestedField(content, "metadata", "creationTimestamp")
	object := &unstructured.Unstructured{Object: content}
	if err := r.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), client.FieldOwner(managedBy), client.ForceOwnership); err != nil {
		return fmt.Errorf("apply HorizontalPodAutoscaler %s: %w", wanted.Name, err)
	}
	wanted.UID = object.GetUID()
	return nil
}

// upToDate reports whether live has each field of wanted. It may have more fields, such as
// defaults.
func upToDate(wanted, live *autoscalingv2.HorizontalPodAutoscaler) bool {
	return metav1.GetControllerOf(live) != nil && equality.Semantic.DeepDerivative(wanted.Labels, live.Labels) &&
		equality.Semantic.DeepDerivative(wanted.Annotations, live.Annotations) && equality.Semantic.DeepDerivative(wanted.Spec, live.Spec)
}

// all returns the requests for all schedules, because an autoscaler can scale the workload of
// any of them.
func (r *reconciler) all(ctx context.Context, _ client.Object) []reconcile.Request {
	var owners corev1.ConfigMapList
	if r.List(ctx, &owners) != nil {
		return nil
	}
	requests := make([]reconcile.Request, len(owners.Items))
	for i := range owners.Items {
		requests[i] = reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&owners.Items[i])}
	}
	return requests
}
