package controller

import (
	"context"
	"fmt"
	"slices"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// Watchable returns those of some namespaces whose leases, and what they consist of,
// the process may watch. One without rights, because it was deleted or somebody took
// them away, must not keep the leases of the others waiting: what is in memory is
// complete only once all watches have begun.
func Watchable(ctx context.Context, api kubernetes.Interface, namespaces []string) ([]string, error) {
	var watchable []string
	for _, namespace := range namespaces {
		may := true
		for _, resource := range []authorizationv1.ResourceAttributes{
			{Group: v1alpha1.GroupVersion.Group, Resource: "tritonleases"},
			{Group: "apps", Resource: "deployments"},
			{Resource: "services"},
			{Group: "policy", Resource: "poddisruptionbudgets"},
			{Group: "autoscaling", Resource: "horizontalpodautoscalers"},
			{Group: "monitoring.coreos.com", Resource: "podmonitors"},
			{Group: "monitoring.coreos.com", Resource: "prometheusrules"},
		} {
			resource.Namespace, resource.Verb = namespace, "watch"
			review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &resource}}
			review, err := api.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
			if err != nil {
				return nil, fmt.Errorf("review the rights in namespace %s: %w", namespace, err)
			}
			may = may && review.Status.Allowed
		}
		if may {
			watchable = append(watchable, namespace)
		}
	}
	return watchable, nil
}

// checkRights returns an error where other namespaces can be watched than when the
// process began: it ends, and the next one begins with those.
func (w *watcher) checkRights(ctx context.Context) error {
	if len(w.namespaces.Asked) == 0 {
		return nil
	}
	now, err := Watchable(ctx, w.api, w.namespaces.Asked)
	if err != nil {
		return nil //nolint:nilerr // the API server will answer again
	}
	if !slices.Equal(now, w.namespaces.Watched) {
		return fmt.Errorf("the rights changed: of the namespaces %v there are rights in %v now; starting again", w.namespaces.Asked, now)
	}
	return nil
}

// Namespaces are those whose leases to look after.
type Namespaces struct {
	// Asked are all of them; none means all that there are. Watched are those of them
	// in which the process has the rights.
	Asked, Watched []string
}
