package doctor

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"regexp"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	kedaGroupVersion   = "keda.sh/v1alpha1"
	externalMetricsAPI = "/apis/external.metrics.k8s.io/v1beta1"
)

// scaledObject is what the doctor reads of a ScaledObject.
type scaledObject struct {
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Triggers []struct {
			Metadata map[string]string `json:"metadata"`
		} `json:"triggers"`
	} `json:"spec"`
	Status struct {
		Conditions []struct{ Type, Status, Message string } `json:"conditions"`
	} `json:"status"`
}

// condition returns the status and the message of a condition. Both are empty if the
// ScaledObject does not have it yet.
func (s *scaledObject) condition(name string) (status, message string) {
	for _, condition := range s.Status.Conditions {
		if condition.Type == name {
			return condition.Status, condition.Message
		}
	}
	return "", ""
}

// readSeries matches the recorded series in a query of the chart.
var readSeries = regexp.MustCompile(`\b(tms_\w+)\{`)

// series returns the recorded series that KEDA reads for a metric, and "" if it is unknown.
// KEDA names a metric after the index of its trigger.
func (s *scaledObject) series(metric string) string {
	for i, trigger := range s.Spec.Triggers {
		if match := readSeries.FindStringSubmatch(trigger.Metadata["query"]); match != nil && metric == fmt.Sprintf("s%d-prometheus", i) {
			return match[1]
		}
	}
	return ""
}

// readScaledObjects reads the ScaledObjects of leases. A cluster without KEDA has none.
func (d *Doctor) readScaledObjects(ctx context.Context) error {
	resource, err := d.client.resourceOf(ctx, kedaGroupVersion, "ScaledObject")
	if err != nil {
		return unreadable(err)
	}
	if resource == nil {
		return nil
	}
	var list struct {
		Items []scaledObject `json:"items"`
	}
	err = d.client.list(ctx, "/apis/"+kedaGroupVersion, d.options.Namespace, "scaledobjects", d.selector(), &list)
	d.scaledObjects = list.Items
	return unreadable(err)
}

func (d *Doctor) checkKEDA(ctx context.Context) error {
	resource, err := d.client.resourceOf(ctx, kedaGroupVersion, "ScaledObject")
	if err != nil {
		return unreadable(err)
	}
	if resource == nil {
		return d.findComponent(externalMetrics, noKEDA, nil)
	}
	return nil
}

func (d *Doctor) checkExternalMetrics(ctx context.Context) error {
	if d.broken[externalMetrics] != "" {
		return errUnknown
	}
	return d.checkAPIService(ctx, externalMetrics, noKEDAMetrics, kedaMetricsDown)
}

// checkFallback finds a KEDA that does not know spec.fallback.behavior. The API server removes
// the field from a ScaledObject, and KEDA then scales to fallback.replicas, the minimum.
func (d *Doctor) checkFallback(ctx context.Context) error {
	if d.broken[externalMetrics] == noKEDA {
		return errUnknown
	}
	type schema struct {
		Properties map[string]struct {
			Properties map[string]struct {
				Properties map[string]struct{} `json:"properties"`
			} `json:"properties"`
		} `json:"properties"`
	}
	var definition struct {
		Spec struct {
			Versions []struct {
				Name   string `json:"name"`
				Schema struct {
					OpenAPI schema `json:"openAPIV3Schema"`
				} `json:"schema"`
			} `json:"versions"`
		} `json:"spec"`
	}
	err := d.client.get(ctx, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/scaledobjects.keda.sh", nil, &definition)
	if err != nil {
		return unreadable(err)
	}
	for _, version := range definition.Spec.Versions {
		fallback := version.Schema.OpenAPI.Properties["spec"].Properties["fallback"]
		if _, known := fallback.Properties["behavior"]; version.Name == "v1alpha1" && !known {
			return find(oldKEDA, nil)
		}
	}
	return nil
}

// kedaSteps check what is between the recorded series and the HorizontalPodAutoscaler.
func (p *path) kedaSteps() []step {
	steps := []step{
		{"KEDA accepts the ScaledObject", p.checkScaledObject},
		{"KEDA reads all metrics of the ScaledObject", p.checkNoFallback},
	}
	for _, metric := range p.scaler.Spec.Metrics {
		if metric.External != nil {
			name := metric.External.Metric.Name
			steps = append(steps, step{"external.metrics.k8s.io has a value of " + name, func(ctx context.Context) error { return p.checkExternalValue(ctx, name) }})
		}
	}
	return steps
}

func (p *path) checkScaledObject(context.Context) error {
	if err := p.needs(externalMetrics); err != nil {
		return err
	}
	if p.scaledObject == nil {
		return errUnknown
	}
	if status, reason := p.scaledObject.condition("Ready"); status == string(metav1.ConditionFalse) {
		return find(scaledObjectNotReady, p.fields("name", p.scaledObject.Name, "reason", reason))
	}
	return nil
}

func (p *path) checkNoFallback(context.Context) error {
	if p.scaledObject == nil {
		return errUnknown
	}
	if status, _ := p.scaledObject.condition("Fallback"); status == string(metav1.ConditionTrue) {
		return find(fallsBack, p.fields("name", p.scaledObject.Name))
	}
	return nil
}

func (p *path) checkExternalValue(ctx context.Context, metric string) error {
	var list struct {
		Items []struct{} `json:"items"`
	}
	selector := "scaledobject.keda.sh/name=" + p.scaler.Name
	err := p.client.get(ctx, externalMetricsAPI+"/namespaces/"+p.Namespace+"/"+metric, url.Values{"labelSelector": {selector}}, &list)
	if reason, failed := refused(err); failed {
		return find(noExternalValue, p.fields("metric", metric, "reason", reason))
	}
	if err == nil && len(list.Items) == 0 {
		return find(noExternalValue, p.fields("metric", metric, "reason", "the list is empty"))
	}
	return err
}

// findNoScaler returns why KEDA has made no HorizontalPodAutoscaler.
func (p *path) findNoScaler() error {
	if err := p.needs(externalMetrics); err != nil {
		return err
	}
	if status, _ := p.scaledObject.condition("Paused"); status == string(metav1.ConditionTrue) {
		return find(paused, p.fields("name", p.scaledObject.Name))
	}
	if status, reason := p.scaledObject.condition("Ready"); status == string(metav1.ConditionFalse) {
		return find(scaledObjectNotReady, p.fields("name", p.scaledObject.Name, "reason", cmp.Or(reason, "no reason")))
	}
	return find(noScalerOfKEDA, p.fields("name", p.scaledObject.Name))
}

// readsFromKEDA reports whether a HorizontalPodAutoscaler reads metrics of KEDA.
func readsFromKEDA(scaler *autoscalingv2.HorizontalPodAutoscaler) bool {
	for _, metric := range scaler.Spec.Metrics {
		if metric.External != nil {
			return true
		}
	}
	return false
}
