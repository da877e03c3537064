package doctor

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/pkg/policy"
)

// recorded is one series that the HorizontalPodAutoscaler reads.
type recorded struct {
	*path
	series string
	// rule is the PrometheusRule that records it.
	rule *rule
}

// rule is what the doctor reads of a PrometheusRule.
type rule struct {
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Groups []struct {
			Rules []struct {
				Record string `json:"record"`
			} `json:"rules"`
		} `json:"groups"`
	} `json:"spec"`
}

func (r *rule) records(series string) bool {
	for _, group := range r.Spec.Groups {
		for _, rule := range group.Rules {
			if rule.Record == series {
				return true
			}
		}
	}
	return false
}

func (r *recorded) prometheusSteps() []step {
	series := r.series
	return []step{
		{"Prometheus selects a PrometheusRule that records " + series, r.checkRule},
		{"Prometheus has loaded the rule of " + series, r.checkLoaded},
		{"Prometheus has a fresh " + series + " of the pods", r.checkSeries},
	}
}

func (r *recorded) fields(more ...string) fields {
	f := r.path.fields("series", r.series, "pods", names(r.pods))
	if r.rule != nil {
		f["name"] = r.rule.Name
	}
	maps.Copy(f, fieldsOf(more))
	return f
}

func (r *recorded) checkRule(ctx context.Context) error {
	if r.prometheus == nil {
		return errUnknown
	}
	var list struct {
		Items []rule `json:"items"`
	}
	if err := r.client.list(ctx, monitoringAPI, r.Namespace, "prometheusrules", "", &list); err != nil {
		return unreadable(err)
	}
	namespace, err := r.namespace(ctx)
	if err != nil {
		return err
	}
	s := r.prometheus.rules()
	var unselected *rule
	for i := range list.Items {
		candidate := &list.Items[i]
		switch {
		case !r.ofLease(candidate.Labels) || !candidate.records(r.series):
		case matches(s.objects, candidate.Labels):
			r.rule = candidate
		default:
			unselected = candidate
		}
	}
	switch {
	case r.rule == nil && unselected == nil:
		return find(noRule, r.fields())
	case r.rule == nil:
		return find(ruleLabels, r.fields("name", unselected.Name, "wanted", describe(s.objects, "it is absent, and selects nothing")))
	case !r.prometheus.selectsNamespace(s, namespace):
		return findNamespace(ruleNamespace, r.fields(), s, r.prometheus, namespace)
	}
	return nil
}

// checkLoaded looks for the rule in the file that the operator writes for the PrometheusRule.
func (r *recorded) checkLoaded(ctx context.Context) error {
	if r.service == nil || r.rule == nil {
		return errUnknown
	}
	var answer struct {
		Groups []struct {
			File  string `json:"file"`
			Rules []struct {
				Name      string `json:"name"`
				Health    string `json:"health"`
				LastError string `json:"lastError"`
			} `json:"rules"`
		} `json:"groups"`
	}
	if err := r.query(ctx, r.service, "rules", url.Values{"type": {"record"}, "rule_name[]": {r.series}}, &answer); err != nil {
		r.service = unlessSkipped(r.service, err)
		return err
	}
	file := "/" + r.Namespace + "-" + r.rule.Name + "-" + string(r.rule.UID) + ".yaml"
	for _, group := range answer.Groups {
		for _, loaded := range group.Rules {
			if loaded.Name != r.series || !strings.HasSuffix(group.File, file) {
				continue
			}
			if loaded.Health == "err" {
				return find(ruleFails, r.fields("reason", loaded.LastError))
			}
			return nil
		}
	}
	if reason, err := r.rejection(ctx, "PrometheusRule", r.rule.Name); err != nil || reason != "" {
		return findUnless(err, ruleRejected, r.fields("reason", reason))
	}
	return find(ruleNotLoaded, r.fields())
}

// maxAge is the age of a sample that is stale. A rule is evaluated every 15 s.
const maxAge = 2 * time.Minute

// checkSeries checks that each pod has one fresh series with exactly the labels namespace and
// pod. Pods that became ready a moment ago may have none.
func (r *recorded) checkSeries(ctx context.Context) error {
	if r.service == nil || len(r.pods) == 0 {
		return errUnknown
	}
	var pods []string
	for _, pod := range r.pods {
		pods = append(pods, pod.Name)
	}
	samples, err := r.samples(ctx, r.service, fmt.Sprintf("time() - timestamp(%s{namespace=%q,pod=~%q})", r.series, r.Namespace, strings.Join(pods, "|")))
	if err != nil {
		r.service = unlessSkipped(r.service, err)
		return err
	}
	seen := map[string]bool{}
	for _, s := range samples {
		seen[s.Metric["pod"]] = true
		more := slices.DeleteFunc(slices.Sorted(maps.Keys(s.Metric)), func(label string) bool { return label == "namespace" || label == "pod" })
		if len(more) > 0 {
			return find(wrongLabels, r.fields("labels", strings.Join(more, ", ")))
		}
		text, _ := s.Value[1].(string)
		seconds, err := strconv.ParseFloat(text, 64)
		if age := time.Duration(seconds * float64(time.Second)); err == nil && age > maxAge {
			return find(staleSeries, r.fields("age", age.Round(time.Second).String()))
		}
	}
	missing := slices.DeleteFunc(slices.Clone(r.pods), func(pod corev1.Pod) bool {
		return seen[pod.Name] || len(seen) > 0 && time.Since(readySince(pod)) < maxAge
	})
	if len(missing) == 0 {
		return nil
	}
	code, err := r.missingCode(ctx, missing[0])
	if err != nil {
		return err
	}
	return find(code, r.fields("pods", names(missing), "pod", missing[0].Name))
}

func readySince(pod corev1.Pod) time.Time {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.LastTransitionTime.Time
		}
	}
	return time.Time{}
}

// missingCode returns the code for a pod without a series. For some metrics, the code depends
// on whether Triton exports what the rule reads.
func (r *recorded) missingCode(ctx context.Context, pod corev1.Pod) (string, error) {
	metrics := policy.Metrics()
	i := slices.IndexFunc(metrics, func(m policy.Metric) bool { return m.Series == r.series })
	if i < 0 {
		return noOwnSeries, nil
	}
	var code, exported string
	switch metrics[i].Name {
	case v1alpha1.GPUUtilization:
		code, exported = noGPUSeries, "nv_gpu_utilization"
	case v1alpha1.FirstResponseTime:
		code, exported = noFirstResponse, "nv_inference_first_response_histogram_ms_count"
	default:
		return noSeries, nil
	}
	samples, err := r.samples(ctx, r.service, fmt.Sprintf("%s{namespace=%q,pod=%q}", exported, r.Namespace, pod.Name))
	if len(samples) > 0 {
		code = noSeries
	}
	return code, err
}
