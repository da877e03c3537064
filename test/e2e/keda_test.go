//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// withKEDA changes the source of the metrics in values to KEDA.
func withKEDA(values string) string {
	return strings.Replace(values, "    prometheus: {", "    source: keda\n    prometheus: {address: http://prometheus-kube-prometheus-prometheus.monitoring.svc:9090, ", 1)
}

// scaledObject has the fields of a ScaledObject that the scenarios read.
type scaledObject struct {
	Spec struct {
		Triggers []struct{ Metadata struct{ Query string } }
	}
	Status struct {
		Health map[string]struct{ Status string }
	}
}

var seriesOfTMS = regexp.MustCompile(`\btms_[a-z_]+`)

// asPods changes the metrics that KEDA serves to an autoscaler into the Pods metrics that
// prometheus-adapter would serve. If KEDA cannot read a metric, it has no value, and the
// condition ScalingActive is false.
func asPods(ctx context.Context, a *autoscalingv2.HorizontalPodAutoscaler) {
	text, err := h.Cluster.Client.RESTClient().Get().AbsPath("/apis/keda.sh/v1alpha1/namespaces", a.Namespace, "scaledobjects", a.Name).DoRaw(ctx)
	var object scaledObject
	if err != nil || json.Unmarshal(text, &object) != nil {
		return // the lease has no ScaledObject
	}
	for i, trigger := range object.Spec.Triggers {
		name := fmt.Sprintf("s%d-prometheus", i)
		for m := range a.Status.CurrentMetrics {
			metric := &a.Status.CurrentMetrics[m]
			if metric.External == nil || metric.External.Metric.Name != name {
				continue
			}
			if object.Status.Health[name].Status == "Failing" {
				a.Status.Conditions = []autoscalingv2.HorizontalPodAutoscalerCondition{{Type: autoscalingv2.ScalingActive, Status: corev1.ConditionFalse, Reason: "Fallback"}}
			} else {
				metric.Pods = &autoscalingv2.PodsMetricStatus{
					Metric:  autoscalingv2.MetricIdentifier{Name: seriesOfTMS.FindString(trigger.Metadata.Query)},
					Current: metric.External.Current,
				}
			}
			metric.External = nil
		}
	}
}

func (s *scenario) needsKEDA() {
	s.Helper()
	if h.KEDA == "" {
		s.Skip("KEDA is not installed: run make e2e-keda")
	}
}

// TestKEDALease checks that a TritonLease scales by a ScaledObject, and keeps its autoscaler
// and its replicas when the source changes.
func TestKEDALease(t *testing.T) {
	s := newScenario(t, "keda-lease")
	s.needsKEDA()
	t.Parallel()
	l := s.ownLeases(4)
	const name = "resnet50"
	object := objectName(name)
	uid := func(want types.UID, other bool) func() (bool, string) {
		return func() (bool, string) {
			a, err := h.Cluster.Client.AutoscalingV2().HorizontalPodAutoscalers(l.namespace).Get(s.Context(), object, metav1.GetOptions{})
			if err != nil {
				return false, err.Error()
			}
			owner := ""
			if ref := metav1.GetControllerOf(a); ref != nil {
				owner = ref.Kind
			}
			kind := "ScaledObject"
			if other {
				kind = "TritonLease"
			}
			return owner == kind && (a.UID == want) != other, fmt.Sprintf("%s of a %s", a.UID, owner)
		}
	}
	l.apply(name, scaled(3))
	l.serves(name)
	s.reads(l.namespace, object, queueMetric)
	l.is(name, "Autoscaling", metav1.ConditionTrue, "Scaling", "between 1 and 3 replicas")
	s.load(l.namespace+"/"+object, 300)
	s.becomes(l.namespace, object, 3)

	s.step("back to prometheus-adapter: the lease gets an autoscaler of its own")
	before, err := h.Cluster.Client.AutoscalingV2().HorizontalPodAutoscalers(l.namespace).Get(s.Context(), object, metav1.GetOptions{})
	s.must(err)
	l.configure("server: {autoscaling: {source: adapter}}")
	s.eventually("the autoscaler is that of the lease", uid(before.UID, true))
	s.stays(l.namespace, object, 3, 10*time.Second)

	s.step("to KEDA: it takes the autoscaler over")
	before, err = h.Cluster.Client.AutoscalingV2().HorizontalPodAutoscalers(l.namespace).Get(s.Context(), object, metav1.GetOptions{})
	s.must(err)
	l.configure("{}")
	s.eventually("the autoscaler is that of the ScaledObject", uid(before.UID, false))
	s.stays(l.namespace, object, 3, 10*time.Second)
	s.reads(l.namespace, object, queueMetric)
	s.load(l.namespace+"/"+object, 1)
	s.becomes(l.namespace, object, 1)
	l.delete(name)
	l.gone(name)
}

// TestKEDAHelm checks the commands of docs/install.md for leases in values: KEDA takes the
// autoscaler of a release over, and gives it back.
func TestKEDAHelm(t *testing.T) {
	s := newScenario(t, "keda-helm")
	s.needsKEDA()
	t.Parallel()
	namespace := s.namespace("", nil)
	const name, byAdapter = "tms-resnet50", "server: {autoscaling: {source: adapter}}"
	release := s.install(3, namespace, "tms", queueLease("resnet50", 3, 100000), byAdapter)
	s.upgrade(release, queueLease("resnet50", 3, 100000))
	s.reads(namespace, name, queueMetric)
	s.load(namespace+"/"+name, 300)
	s.becomes(namespace, name, 3)
	_, err := h.Cluster.Kubectl(s.Context(), "", "delete", "scaledobjects", "-n", namespace, "-l", "app.kubernetes.io/managed-by=Helm,app.kubernetes.io/instance=tms", "--cascade=orphan")
	s.must(err)
	s.upgrade(release, queueLease("resnet50", 3, 100000), byAdapter)
	s.consistently("the autoscaler stays", 20*time.Second, func() (bool, string) {
		a, summary := hpa(s.Context(), namespace, name)
		return len(a.Spec.Metrics) == 1 && a.Spec.Metrics[0].Pods != nil && len(a.OwnerReferences) == 0, summary
	})
	s.stays(namespace, name, 3, time.Second)
}

// TestKEDAFails checks that a TritonLease keeps its replicas while KEDA cannot read the
// metric, and that tms-server undoes a pause of KEDA.
func TestKEDAFails(t *testing.T) {
	s := newScenario(t, "keda-fails")
	s.needsKEDA()
	t.Parallel()
	l := s.ownLeases(3)
	const name = "resnet50"
	object := objectName(name)
	l.apply(name, scaled(3))
	l.serves(name)
	s.load(l.namespace+"/"+object, 300)
	s.becomes(l.namespace, object, 3)

	s.step("a user pauses KEDA at one replica")
	_, err := h.Cluster.Kubectl(s.Context(), "", "annotate", "scaledobject", object, "-n", l.namespace, "autoscaling.keda.sh/paused-replicas=1")
	s.must(err)
	s.eventually("the annotation is removed", func() (bool, string) {
		out, err := h.Cluster.Kubectl(s.Context(), "", "get", "scaledobject", object, "-n", l.namespace, "-o", "jsonpath={.metadata.annotations}")
		return err == nil && !strings.Contains(out.Stdout, "autoscaling.keda.sh/"), out.Stdout
	})
	s.reads(l.namespace, object, queueMetric)
	s.becomes(l.namespace, object, 3)

	l.configure("server: {autoscaling: {prometheus: {address: http://prometheus-gone.monitoring.svc:9090}}}")
	l.is(name, "Autoscaling", metav1.ConditionFalse, "Fallback", "keeps its replicas")
	s.load(l.namespace+"/"+object, 1)
	s.stays(l.namespace, object, 3, 40*time.Second)
	l.configure("{}")
	s.becomes(l.namespace, object, 1)
	l.is(name, "Autoscaling", metav1.ConditionTrue, "Scaling")
}
