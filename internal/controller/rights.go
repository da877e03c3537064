package controller

import (
	"context"
	"fmt"
	"slices"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/pkg/render"
)

// Namespaces are the namespaces with leases to reconcile.
type Namespaces struct {
	// Configured are those of --namespaces; none means all. Watched are those of them that
	// the process is permitted to watch.
	Configured, Watched []string
}

// Watchable returns the namespaces in which the process may watch leases and their
// objects. The cache syncs only once every watch has started, so one namespace without
// permission, for example because it was deleted, would block all others.
func Watchable(ctx context.Context, api kubernetes.Interface, namespaces []string) ([]string, error) {
	var watchable []string
	for _, namespace := range namespaces {
		allowed := true
		for _, resource := range watchedResources() {
			resource.Namespace, resource.Verb = namespace, "watch"
			review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &resource}}
			review, err := api.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
			if err != nil {
				return nil, fmt.Errorf("review the permissions in namespace %s: %w", namespace, err)
			}
			allowed = allowed && review.Status.Allowed
		}
		if allowed {
			watchable = append(watchable, namespace)
		}
	}
	return watchable, nil
}

// watchedResources returns the resources that the controller watches.
func watchedResources() []authorizationv1.ResourceAttributes {
	all := []authorizationv1.ResourceAttributes{{Group: v1alpha1.GroupVersion.Group, Resource: "tritonleases"}}
	for _, kind := range render.Kinds() {
		if resource := (authorizationv1.ResourceAttributes{Group: kind.Group, Resource: kind.Resource}); !slices.Contains(all, resource) {
			all = append(all, resource)
		}
	}
	return all
}

// checkRights returns an error if the namespaces that can be watched changed since the
// process started. The process then exits, and watches the others after its restart.
func (w *watcher) checkRights(ctx context.Context) error {
	now, err := Watchable(ctx, w.api, w.namespaces.Configured)
	if err != nil {
		return nil //nolint:nilerr // the next check tries again
	}
	if !slices.Equal(now, w.namespaces.Watched) {
		return fmt.Errorf("permissions changed, restart: of the namespaces %v, these can be watched now: %v", w.namespaces.Configured, now)
	}
	return nil
}
