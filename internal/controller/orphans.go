package controller

import (
	"context"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// noOwner is the value of ownerIndex for objects without a controller.
const noOwner = "none"

const instanceLabel = "app.kubernetes.io/instance"

// withOrphans adds the Deployments of a namespace that deleted leases left without an owner
// (kubectl delete --cascade=orphan). They count as leases that are being deleted, or as what
// a new lease of the name holds, which adopts them. Otherwise users could have any number of
// GPUs. A pod of a Deployment that is not rolled out counts as most GPUs.
func (r *reconciler) withOrphans(ctx context.Context, namespace string, leases []*v1alpha1.TritonLease, most int64) ([]*v1alpha1.TritonLease, error) {
	var orphans appsv1.DeploymentList
	if err := r.List(ctx, &orphans, client.InNamespace(namespace), client.MatchingFields{ownerIndex: noOwner}); err != nil {
		return nil, fmt.Errorf("list Deployments without an owner: %w", err)
	}
	for i := range orphans.Items {
		orphan := &orphans.Items[i]
		name := orphan.Labels[v1alpha1.LeaseLabel]
		if name == "" || orphan.Labels[managedByLabel] != managedBy || !strings.HasSuffix(r.installation, "/"+orphan.Labels[instanceLabel]) {
			continue
		}
		gpus, err := r.orphanGPUs(ctx, orphan, most)
		if err != nil {
			return nil, err
		}
		adopted := false
		for i, lease := range leases {
			if lease.Name != name {
				continue
			}
			adopted = true
			if lease.Status.Granted == nil {
				leases[i] = lease.DeepCopy()
				leases[i].Status.Budget = &v1alpha1.Budget{Charged: gpus}
			}
		}
		if !adopted && gpus > 0 {
			leases = append(leases, &v1alpha1.TritonLease{
				ObjectMeta: metav1.ObjectMeta{
					Name: name, Namespace: namespace, UID: orphan.UID, CreationTimestamp: orphan.CreationTimestamp, DeletionTimestamp: &orphan.CreationTimestamp,
				},
				Status: v1alpha1.TritonLeaseStatus{Installation: r.installation, Budget: &v1alpha1.Budget{Charged: gpus}},
			})
		}
	}
	return leases, nil
}

// orphanGPUs returns the most GPUs that a Deployment without a lease can have.
func (r *reconciler) orphanGPUs(ctx context.Context, orphan *appsv1.Deployment, most int64) (int64, error) {
	gpus, replicas := gpusOf(orphan), int64(1)
	if !rolledOut(orphan, gpus) {
		gpus = max(gpus, most)
	}
	if orphan.Spec.Replicas != nil {
		replicas = int64(*orphan.Spec.Replicas)
	}
	autoscaler := new(autoscalingv2.HorizontalPodAutoscaler)
	if err := r.Get(ctx, client.ObjectKeyFromObject(orphan), autoscaler); err == nil {
		replicas = max(replicas, int64(autoscaler.Spec.MaxReplicas))
	} else if client.IgnoreNotFound(err) != nil {
		return 0, fmt.Errorf("read %s %s: %w", autoscalerKind, orphan.Name, err)
	}
	return replicas * gpus, nil
}
