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

// requestRate is the recorded series of charts/tms/templates/_rules.tpl that
// counts the requests of leases with autoRenew.
const requestRate = "tms_request_rate"

// requestRates reads requestRate from the custom metrics API.
type requestRates struct{ api rest.Interface }

// served reports whether any pod that the selector matches served a request within the
// interval of the recorded series. The error is why that is unknown.
func (r requestRates) served(ctx context.Context, namespace string, selector map[string]string) (bool, error) {
	const timeout = 5 * time.Second // a slow metrics API must not block the workers
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	text, err := r.api.Get().
		AbsPath("/apis/custom.metrics.k8s.io/v1beta1/namespaces", namespace, "pods", "*", requestRate).
		Param("labelSelector", labels.SelectorFromSet(selector).String()).
		DoRaw(ctx)
	if apierrors.IsNotFound(err) {
		return false, errNoRequestRate
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
		return false, errNoRequestRate
	}
	for _, item := range list.Items {
		if item.Value.Sign() > 0 {
			return true, nil
		}
	}
	return false, nil
}

var errNoRequestRate = fmt.Errorf("the custom metrics API has no %s for the pods of the lease", requestRate)
