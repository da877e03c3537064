package policy

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// Grant evaluates one request. The path is that of the lease, such as
// leases.resnet50: errors and adjustments name the keys below it. The pod is nil if
// the lease has a target.
//
// A number out of bounds is no error: it is clamped and reported as an Adjustment.
// An error is a Refusal with every contradiction and everything forbidden.
func (p *Policy) Grant(path *field.Path, request v1alpha1.Autoscaling, pod *Pod) (v1alpha1.Grant, error) {
	if !request.Enable {
		return v1alpha1.Grant{Warnings: scheduleWarning(path, request)}, nil
	}
	if !p.config.Enable {
		return v1alpha1.Grant{Warnings: []v1alpha1.Warning{
			warning(path.Child("autoscaling", "enable"), "autoscaling is switched off by server.autoscaling.enable"),
		}}, nil
	}
	grant := v1alpha1.Grant{Autoscaled: true}
	reasons := p.grantReplicas(path, request.Replicas, &grant)
	reasons = append(reasons, p.grantMetrics(path, request.Metrics, &grant)...)
	p.checkWindow(path, &grant)
	if pod != nil {
		reasons = append(reasons, checkPod(path.Child("triton"), *pod, &grant)...)
		reasons = append(reasons, checkSignals(path, *pod, &grant)...)
	}
	if len(reasons) > 0 {
		return v1alpha1.Grant{}, Refusal(reasons)
	}
	return grant, nil
}

// boundedNumber is one number of a request: what the lease asks for, and what it is
// granted.
type boundedNumber struct {
	// parent and key form the path, which is built only for errors and adjustments.
	parent func() *field.Path
	key    string
	// requested is the lease's number, or the default if byDefault is true.
	requested, granted int64
	byDefault          bool
	bound              string // the path of the bound that decided, if the two differ
}

// newBoundedNumber returns a number that is granted as requested, so far. requested is nil
// if the lease does not set it.
func newBoundedNumber(requested *int64, defaultValue int64, parent func() *field.Path, key string) boundedNumber {
	n := boundedNumber{parent: parent, key: key, requested: defaultValue, byDefault: requested == nil}
	if requested != nil {
		n.requested = *requested
	}
	n.granted = n.requested
	return n
}

func (n boundedNumber) path() *field.Path { return n.parent().Child(n.key) }

// clamp grants the number of the band that is nearest. lowest and highest are the paths
// of the bounds.
func (n *boundedNumber) clamp(band Band, lowest, highest string) {
	n.granted = band.Clamp(n.requested)
	if n.granted > n.requested {
		n.bound = lowest
	} else if n.granted < n.requested {
		n.bound = highest
	}
}

// setTo grants the number of other, and names other as the bound.
func (n *boundedNumber) setTo(other boundedNumber) {
	n.granted, n.bound = other.granted, other.path().String()
}

// adjustment returns the adjustment to report, if there is one.
func (n boundedNumber) adjustment() []v1alpha1.Adjustment {
	if n.requested == n.granted {
		return nil
	}
	return []v1alpha1.Adjustment{{Field: n.path().String(), Asked: n.requested, Default: n.byDefault, Granted: n.granted, Limit: n.bound}}
}

// grantReplicas clamps the replicas and those of the schedule.
func (p *Policy) grantReplicas(path *field.Path, request v1alpha1.ReplicaRange, grant *v1alpha1.Grant) field.ErrorList {
	parent := func() *field.Path { return path.Child("autoscaling", "replicas") }
	var reasons field.ErrorList
	if grant.MinReplicas, grant.MaxReplicas, reasons = p.grantRange(parent, request.Minimum, request.Maximum, p.config.Replicas.Default, grant); len(reasons) > 0 {
		return reasons
	}
	return p.grantSchedule(parent, request.Schedule, grant)
}

// grantRange clamps a minimum and a maximum. If the clamped minimum exceeds the clamped
// maximum, the number that the lease did not ask for follows the other one.
func (p *Policy) grantRange(parent func() *field.Path, wantedMinimum, wantedMaximum *int64, defaults ReplicaDefaults, grant *v1alpha1.Grant) (lowest, highest int64, reasons field.ErrorList) {
	limits := p.config.Replicas.Limits
	minimum := newBoundedNumber(wantedMinimum, defaults.Minimum, parent, "minimum")
	maximum := newBoundedNumber(wantedMaximum, defaults.Maximum, parent, "maximum")
	if !minimum.byDefault && !maximum.byDefault && minimum.requested > maximum.requested {
		return 0, 0, field.ErrorList{field.Invalid(minimum.path(), minimum.requested,
			fmt.Sprintf("must not exceed maximum (%d)", maximum.requested))}
	}
	const lowerBound = "server.autoscaling.replicas.limits.minimum.lowerBound"
	minimum.clamp(Band{limits.Minimum.LowerBound, limits.Minimum.UpperBound},
		lowerBound, "server.autoscaling.replicas.limits.minimum.upperBound")
	maximum.clamp(Band{limits.Minimum.LowerBound, limits.Maximum},
		lowerBound, "server.autoscaling.replicas.limits.maximum")
	if maximum.granted < minimum.granted {
		if minimum.byDefault {
			minimum.setTo(maximum)
		} else {
			maximum.setTo(minimum)
		}
	}
	grant.Adjustments = append(grant.Adjustments, minimum.adjustment()...)
	grant.Adjustments = append(grant.Adjustments, maximum.adjustment()...)
	return minimum.granted, maximum.granted, nil
}

// grantMetrics decides which metrics are in effect, and their thresholds. At least one
// must be in effect: a HorizontalPodAutoscaler without metrics scales by 80 % CPU.
func (p *Policy) grantMetrics(path *field.Path, request map[v1alpha1.MetricName]v1alpha1.MetricRequest, grant *v1alpha1.Grant) field.ErrorList {
	reasons := p.checkNames(path, request)
	for _, metric := range p.metrics {
		bounds, requested := p.config.Metrics[metric.Name], request[metric.Name]
		inEffect, refused := bounds.decide(path, metric.Name, requested)
		reasons = append(reasons, refused...)
		if !inEffect {
			continue
		}
		threshold := newBoundedNumber(requested.Threshold, bounds.Threshold.Default, func() *field.Path { return path.Child("autoscaling", "metrics", string(metric.Name)) }, "threshold")
		threshold.clamp(bounds.Threshold.band(metric), thresholdBound(metric.Name, "minimum"), thresholdBound(metric.Name, "maximum"))
		grant.Metrics = append(grant.Metrics, v1alpha1.MetricThreshold{Metric: metric.Name, Threshold: threshold.granted})
		grant.Adjustments = append(grant.Adjustments, threshold.adjustment()...)
	}
	if len(grant.Metrics) == 0 {
		reasons = append(reasons, field.Required(path.Child("autoscaling", "metrics"),
			"no metric is in effect for this lease; turn one on here, or for all leases with server.autoscaling.metrics.<metric>.enabled"))
	}
	return reasons
}

// decide reports whether the metric is in effect for a lease, and the reasons to refuse
// the request for it.
func (b MetricBounds) decide(path *field.Path, metric v1alpha1.MetricName, request v1alpha1.MetricRequest) (inEffect bool, reasons field.ErrorList) {
	inEffect = b.InEffect()
	metricPath := func() *field.Path { return path.Child("autoscaling", "metrics", string(metric)) } // built only for errors
	if key, enabled := enabledKey(request); enabled != nil {
		inEffect = *enabled
		if request.Enable != nil && *request.Enable != inEffect {
			reasons = append(reasons, field.Invalid(metricPath().Child("enable"), *request.Enable,
				fmt.Sprintf("must not contradict enabled (%t)", inEffect)))
		}
		if inEffect != b.InEffect() && !b.Allowed {
			reasons = append(reasons, field.Forbidden(metricPath().Child(key),
				fmt.Sprintf("a lease may not turn this metric %s (%s%s.allowed is false)", onOff(inEffect), serverMetrics, metric)))
		}
	}
	if !inEffect && request.Threshold != nil {
		reasons = append(reasons, field.Forbidden(metricPath().Child("threshold"),
			"the metric is not in effect for this lease; set enabled: true beside the threshold, or remove the threshold"))
	}
	return inEffect, reasons
}

// serverMetrics is the beginning of the paths of MetricBounds.
const serverMetrics = "server.autoscaling.metrics."

func thresholdBound(metric v1alpha1.MetricName, bound string) string {
	return serverMetrics + string(metric) + ".threshold." + bound
}

func warning(path *field.Path, message string) v1alpha1.Warning {
	return v1alpha1.Warning{Field: path.String(), Message: message}
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// checkWindow warns of thresholds that a jammed Triton cannot exceed: if no request
// completes, the recorded time is the rate window.
func (p *Policy) checkWindow(path *field.Path, grant *v1alpha1.Grant) {
	for _, metric := range p.metrics {
		threshold, ok := grant.Threshold(metric.Name)
		if !ok || !metric.Waiting || metric.Unit != Microseconds || threshold < p.window.Microseconds() {
			continue
		}
		grant.Warnings = append(grant.Warnings, warning(path.Child("autoscaling", "metrics", string(metric.Name), "threshold"), fmt.Sprintf(
			"%d microseconds should be below server.autoscaling.prometheus.rateWindow (%s): otherwise a Triton in which no request completes is not scaled up",
			threshold, p.config.Prometheus.RateWindow)))
	}
}

// checkPod checks that the pod has what the metrics in effect need.
func checkPod(path *field.Path, pod Pod, grant *v1alpha1.Grant) field.ErrorList {
	var reasons field.ErrorList
	if _, ok := grant.Threshold(v1alpha1.CPUUtilization); ok && !pod.CPURequest {
		reasons = append(reasons, field.Required(path.Child("resources", "requests", "cpu"),
			"cpuUtilization is a percentage of the CPU request, and the Triton of this lease has none"))
	}
	if _, ok := grant.Threshold(v1alpha1.GPUUtilization); ok && !pod.GPULimit {
		grant.Warnings = append(grant.Warnings, warning(path.Child("resources", "limits"),
			"gpuUtilization is in effect, but the Triton of this lease has no nvidia.com/gpu limit"))
	}
	if pod.FixedReplicas {
		grant.Warnings = append(grant.Warnings, warning(path.Child("replicas"),
			"ignored, because the lease is autoscaled: its HorizontalPodAutoscaler owns the replica count"))
	}
	return reasons
}
