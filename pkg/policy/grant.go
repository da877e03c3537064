package policy

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Grant is what a lease has.
type Grant struct {
	// Autoscaled says whether the lease scales at all. Without it nothing else is set but Warnings.
	Autoscaled bool `json:"autoscaled"`
	// MinReplicas and MaxReplicas bound the number of replicas.
	MinReplicas int64 `json:"minReplicas,omitempty"`
	MaxReplicas int64 `json:"maxReplicas,omitempty"`
	// Metrics are those in effect, in the order of PerMetric.All.
	Metrics []Target `json:"metrics,omitempty"`
	// Adjustments are the numbers that differ from what was asked: replicas.minimum,
	// replicas.maximum, then the thresholds in the order of Metrics.
	Adjustments []Adjustment `json:"adjustments,omitempty"`
	// Warnings are sentences about what was granted but may not be what was meant.
	Warnings []string `json:"warnings,omitempty"`
}

// Target is a metric in effect and its threshold: percent, or microseconds for QueueTime.
type Target struct {
	Metric    Metric `json:"metric"`
	Threshold int64  `json:"threshold"`
}

// Threshold returns the threshold of a metric, and false where it is not in effect.
func (g Grant) Threshold(metric Metric) (int64, bool) {
	for _, target := range g.Metrics {
		if target.Metric == metric {
			return target.Threshold, true
		}
	}
	return 0, false
}

// Grant judges one request. The path is where the lease stands, such as
// leases.resnet50: errors and adjustments name the keys below it. The pod is
// nil where the lease's Triton is deployed by somebody else.
//
// A number out of bounds is no error: it is clamped, and an Adjustment says so.
// An error is a Refusal with every contradiction and everything forbidden.
func (p *Policy) Grant(path *field.Path, request Request, pod *Pod) (Grant, error) {
	if !request.Enable {
		return Grant{}, nil
	}
	if !p.config.Enable {
		return Grant{Warnings: []string{
			fmt.Sprintf("%s: autoscaling is switched off by server.autoscaling.enable", path.Child("autoscaling", "enable")),
		}}, nil
	}
	grant := Grant{Autoscaled: true}
	reasons := p.grantReplicas(path, request.Replicas, &grant)
	reasons = append(reasons, p.grantMetrics(path, request.Metrics, &grant)...)
	p.checkWindow(path, &grant)
	if pod != nil {
		reasons = append(reasons, checkPod(path.Child("triton"), *pod, &grant)...)
	}
	if len(reasons) > 0 {
		return Grant{}, Refusal(reasons)
	}
	return grant, nil
}

// claim is one number on its way from asked, or defaulted, to granted.
type claim struct {
	// lease and keys say where it stands. Most claims are granted as they are, and
	// nobody wants to know.
	lease *field.Path
	keys  [3]string
	asked bool
	from  int64
	to    int64
	limit string // the bound that decided, where to differs from from
}

func newClaim(asked *int64, standard int64, lease *field.Path, keys ...string) claim {
	c := claim{lease: lease, from: standard}
	copy(c.keys[:], keys)
	if asked != nil {
		c.asked, c.from = true, *asked
	}
	c.to = c.from
	return c
}

func (c claim) path() *field.Path {
	path := c.lease.Child("autoscaling", c.keys[0], c.keys[1])
	if c.keys[2] != "" {
		path = path.Child(c.keys[2])
	}
	return path
}

// clamp brings the number into the band, whose ends stand at the paths lowest and highest.
func (c *claim) clamp(band Band, lowest, highest string) {
	c.to = band.Clamp(c.from)
	if c.to > c.from {
		c.limit = lowest
	} else if c.to < c.from {
		c.limit = highest
	}
}

// yield takes the number of another claim, which is thereby what decides.
func (c *claim) yield(to claim) { c.to, c.limit = to.to, to.path().String() }

// adjustment returns what to report, where there is anything.
func (c claim) adjustment() []Adjustment {
	if c.from == c.to {
		return nil
	}
	return []Adjustment{{Field: c.path().String(), Asked: c.from, Default: !c.asked, Granted: c.to, Limit: c.limit}}
}

// grantReplicas clamps the replicas. Where the clamped numbers cross, the one
// that was not asked for yields to the one that was.
func (p *Policy) grantReplicas(path *field.Path, request ReplicaRequest, grant *Grant) field.ErrorList {
	limits := p.config.Replicas.Limits
	minimum := newClaim(request.Minimum, p.config.Replicas.Default.Minimum, path, "replicas", "minimum")
	maximum := newClaim(request.Maximum, p.config.Replicas.Default.Maximum, path, "replicas", "maximum")
	if minimum.asked && maximum.asked && minimum.from > maximum.from {
		return field.ErrorList{field.Invalid(minimum.path(), minimum.from,
			fmt.Sprintf("must not exceed %s (%d)", maximum.path(), maximum.from))}
	}
	const lowerBound = "server.autoscaling.replicas.limits.minimum.lowerBound"
	minimum.clamp(Band{limits.Minimum.LowerBound, limits.Minimum.UpperBound},
		lowerBound, "server.autoscaling.replicas.limits.minimum.upperBound")
	maximum.clamp(Band{limits.Minimum.LowerBound, limits.Maximum},
		lowerBound, "server.autoscaling.replicas.limits.maximum")
	if maximum.to < minimum.to {
		if minimum.asked {
			maximum.yield(minimum)
		} else {
			minimum.yield(maximum)
		}
	}
	grant.MinReplicas, grant.MaxReplicas = minimum.to, maximum.to
	grant.Adjustments = append(minimum.adjustment(), maximum.adjustment()...)
	return nil
}

// grantMetrics decides which metrics are in effect, and their thresholds. At
// least one must be: a HorizontalPodAutoscaler without metrics would silently
// scale by 80 % of the CPU.
func (p *Policy) grantMetrics(path *field.Path, request PerMetric[*MetricRequest], grant *Grant) field.ErrorList {
	var reasons field.ErrorList
	for metric, bounds := range p.config.Metrics.All() {
		asked := request.Get(metric)
		if asked == nil {
			asked = &MetricRequest{}
		}
		inEffect, wrong := bounds.decide(path, metric, asked)
		reasons = append(reasons, wrong...)
		if !inEffect {
			continue
		}
		threshold := newClaim(asked.Threshold, bounds.Threshold.Default, path, "metrics", string(metric), "threshold")
		threshold.clamp(bounds.Threshold.band(metric), p.lowest.Get(metric), p.highest.Get(metric))
		grant.Metrics = append(grant.Metrics, Target{Metric: metric, Threshold: threshold.to})
		grant.Adjustments = append(grant.Adjustments, threshold.adjustment()...)
	}
	if len(grant.Metrics) == 0 {
		reasons = append(reasons, field.Required(path.Child("autoscaling", "metrics"),
			"no metric is in effect for this lease; turn one on here, or for every lease with server.autoscaling.metrics.<metric>.enabled"))
	}
	return reasons
}

// decide says whether the metric is in effect for a lease, and what is wrong with asking so.
func (b MetricBounds) decide(path *field.Path, metric Metric, asked *MetricRequest) (inEffect bool, reasons field.ErrorList) {
	inEffect = b.InEffect()
	at := func() *field.Path { return path.Child("autoscaling", "metrics", string(metric)) }
	if key, choice := asked.choice(); choice != nil {
		inEffect = *choice
		if asked.Enable != nil && *asked.Enable != inEffect {
			reasons = append(reasons, field.Invalid(at().Child("enable"), *asked.Enable,
				fmt.Sprintf("must not contradict %s (%t)", at().Child("enabled"), inEffect)))
		}
		if inEffect != b.InEffect() && !b.Allowed {
			reasons = append(reasons, field.Forbidden(at().Child(key),
				fmt.Sprintf("a lease may not turn this metric %s (%s%s.allowed is false)", onOff(inEffect), serverMetrics, metric)))
		}
	}
	if !inEffect && asked.Threshold != nil {
		reasons = append(reasons, field.Forbidden(at().Child("threshold"), fmt.Sprintf(
			"the metric is not in effect for this lease; turn it on with %s, or leave the threshold out", at().Child("enabled"))))
	}
	return inEffect, reasons
}

// serverMetrics is where the administrator configures the metrics.
const serverMetrics = "server.autoscaling.metrics."

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// checkWindow warns of a threshold that a jammed Triton cannot pass: where
// nothing completes, the time that requests wait is only known to be at least
// the rate window.
func (p *Policy) checkWindow(path *field.Path, grant *Grant) {
	if threshold, ok := grant.Threshold(QueueTime); ok && threshold >= p.window.Microseconds() {
		grant.Warnings = append(grant.Warnings, fmt.Sprintf(
			"%s: %d microseconds are not below server.autoscaling.prometheus.rateWindow (%s), so a Triton in which no request completes is not scaled up",
			path.Child("autoscaling", "metrics", string(QueueTime), "threshold"), threshold, p.config.Prometheus.RateWindow))
	}
}

// checkPod checks what the metrics in effect need of the pod.
func checkPod(path *field.Path, pod Pod, grant *Grant) field.ErrorList {
	var reasons field.ErrorList
	if _, ok := grant.Threshold(CPUUtilization); ok && !pod.CPURequest {
		reasons = append(reasons, field.Required(path.Child("resources", "requests", "cpu"),
			"cpuUtilization is a percentage of the CPU request, and the Triton of this lease has none"))
	}
	if _, ok := grant.Threshold(GPUUtilization); ok && !pod.GPULimit {
		grant.Warnings = append(grant.Warnings, fmt.Sprintf(
			"%s: gpuUtilization is in effect, but the Triton of this lease has no nvidia.com/gpu limit", path.Child("resources", "limits")))
	}
	if pod.FixedReplicas {
		grant.Warnings = append(grant.Warnings, fmt.Sprintf(
			"%s: ignored, because the lease is autoscaled: its HorizontalPodAutoscaler owns the replica count", path.Child("replicas")))
	}
	return reasons
}
