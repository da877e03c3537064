package doctor

import (
	"context"
	"net/url"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const customMetricsAPI = "/apis/custom.metrics.k8s.io/v1beta1"

func (r *recorded) adapterSteps() []step {
	return []step{
		{"the custom metrics API lists " + r.series, r.checkListed},
		{"the custom metrics API has a value of " + r.series, r.checkValue},
	}
}

func (r *recorded) checkListed(ctx context.Context) error {
	if err := r.needs(customMetrics); err != nil {
		return err
	}
	var list metav1.APIResourceList
	if err := r.client.get(ctx, customMetricsAPI, nil, &list); err != nil {
		return unreadable(err)
	}
	if !slices.ContainsFunc(list.APIResources, func(listed metav1.APIResource) bool { return listed.Name == "pods/"+r.series }) {
		return find(notListed, r.fields())
	}
	return nil
}

func (r *recorded) checkValue(ctx context.Context) error {
	if r.selector == "" {
		return errUnknown
	}
	var list struct {
		Items []struct{} `json:"items"`
	}
	err := r.client.get(ctx, customMetricsAPI+"/namespaces/"+r.Namespace+"/pods/*/"+r.series, url.Values{"labelSelector": {r.selector}}, &list)
	if reason, failed := refused(err); failed {
		return find(noCustomValue, r.fields("reason", reason))
	}
	if err == nil && len(list.Items) == 0 {
		return find(noCustomValue, r.fields("reason", "the list is empty"))
	}
	return err
}
