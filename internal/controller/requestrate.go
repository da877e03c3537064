package controller

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/rest"
)

// requestRate is the recorded series that charts/tms/templates/prometheusrule.yaml
// makes for leases that renew themselves.
const requestRate = "tms_request_rate"

// requests reads the custom metrics API, where autoscalers read, too.
type requests struct{ api rest.Interface }

// served says whether any of the pods that a selector selects served a request
// within the time that the recorded series looks back. The error says why nobody knows.
func (r requests) served(ctx context.Context, namespace string, selector map[string]string) (bool, error) {
	const patience = 5 * time.Second // with what is behind the API, of which many leases ask
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	text, err := r.api.Get().
		AbsPath("/apis/custom.metrics.k8s.io/v1beta1/namespaces", namespace, "pods", "*", requestRate).
		Param("labelSelector", labels.SelectorFromSet(selector).String()).
		DoRaw(ctx)
	if apierrors.IsNotFound(err) {
		return false, fmt.Errorf("the custom metrics API has no %s of its pods", requestRate)
	}
	if err != nil {
		return false, fmt.Errorf("custom metrics API: %w", err)
	}
	var list struct {
		Items []struct {
			Value resource.Quantity `json:"value"`
		} `json:"items"`
	}
	if err := json.Unmarshal(text, &list); err != nil {
		return false, fmt.Errorf("custom metrics API: %w", err)
	}
	if len(list.Items) == 0 {
		return false, fmt.Errorf("the custom metrics API has no %s of its pods", requestRate)
	}
	for _, item := range list.Items {
		if item.Value.Sign() > 0 {
			return true, nil
		}
	}
	return false, nil
}
