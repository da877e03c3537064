package controller

import (
	"errors"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/pkg/render"
)

// TestObserve: what the conditions say of what there is.
func TestObserve(t *testing.T) {
	running := func(wanted, serving int32, conditions ...appsv1.DeploymentCondition) *appsv1.Deployment {
		return &appsv1.Deployment{
			Spec:   appsv1.DeploymentSpec{Replicas: &wanted},
			Status: appsv1.DeploymentStatus{Replicas: wanted, AvailableReplicas: serving, Conditions: conditions},
		}
	}
	stuck := appsv1.DeploymentCondition{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionFalse, Message: "it has timed out progressing"}
	scaling := func(kind autoscalingv2.HorizontalPodAutoscalerConditionType, status corev1.ConditionStatus, reason, message string) autoscalingv2.HorizontalPodAutoscalerCondition {
		return autoscalingv2.HorizontalPodAutoscalerCondition{Type: kind, Status: status, Reason: reason, Message: message}
	}
	autoscaler := func(conditions ...autoscalingv2.HorizontalPodAutoscalerCondition) *autoscalingv2.HorizontalPodAutoscaler {
		return &autoscalingv2.HorizontalPodAutoscaler{Status: autoscalingv2.HorizontalPodAutoscalerStatus{CurrentReplicas: 2, DesiredReplicas: 3, Conditions: conditions}}
	}
	fixed := &render.Objects{}
	scaled := &render.Objects{HorizontalPodAutoscaler: autoscaler()}
	scaled.Lease.Request.Enable = true
	scaled.Lease.Grant = v1alpha1.Grant{Autoscaled: true, MinReplicas: 1, MaxReplicas: 4}
	off := &render.Objects{}
	off.Lease.Request.Enable = true

	for name, test := range map[string]struct {
		objects     *render.Objects
		granted     bool // before
		target      bool
		deployment  *appsv1.Deployment
		autoscaler  *autoscalingv2.HorizontalPodAutoscaler
		problem     error
		ready       string
		autoscaling string
	}{
		"just applied":           {objects: fixed, ready: "False Starting: the Triton is being started", autoscaling: "False NotAsked: the lease does not ask for autoscaling"},
		"starting":               {objects: fixed, deployment: running(2, 0), ready: "False Starting: 0 of 2 replicas serve"},
		"serving":                {objects: fixed, deployment: running(2, 1), ready: "True Serving: 1 of 2 replicas serve"},
		"told to have none":      {objects: fixed, deployment: running(0, 0), ready: "False ScaledToZero: the Deployment is told to have no replicas"},
		"stuck":                  {objects: fixed, deployment: running(1, 0, stuck), ready: "False Failed: it has timed out progressing"},
		"serving, but stuck":     {objects: fixed, deployment: running(1, 1, stuck), ready: "True Serving: 1 of 1 replicas serve; it has timed out progressing"},
		"a name is taken":        {objects: scaled, problem: conflict{"Service", "tms-a"}, ready: "False Conflict: Service tms-a exists and does not belong to this lease: delete it, or give the lease another name", autoscaling: "Unknown NotMade: the condition Ready says what is in the way"},
		"the API server refuses": {objects: fixed, problem: errors.New("forbidden"), ready: "False Failed: forbidden"},
		"it refuses what is new": {objects: fixed, deployment: running(1, 1), problem: errors.New("forbidden"), ready: "True Serving: 1 of 1 replicas serve; forbidden"},
		"refused":                {ready: "False Refused: the lease is refused", autoscaling: "False Refused: the lease is refused"},
		"refused, but it served": {granted: true, deployment: running(1, 1), ready: "True Serving: 1 of 1 replicas serve"},
		"somebody else's Triton": {objects: scaled, target: true, autoscaler: autoscaler(), ready: "Unknown Target: somebody else runs the Triton of this lease", autoscaling: "Unknown Starting: the HorizontalPodAutoscaler has not looked at the lease yet"},
		"switched off":           {objects: off, deployment: running(1, 1), autoscaling: "False SwitchedOff: autoscaling is switched off by server.autoscaling.enable"},
		"scaling":                {objects: scaled, deployment: running(1, 1), autoscaler: autoscaler(scaling("ScalingActive", "True", "ValidMetricFound", "")), autoscaling: "True Scaling: between 1 and 4 replicas"},
		"at its maximum":         {objects: scaled, deployment: running(1, 1), autoscaler: autoscaler(scaling("ScalingActive", "True", "", ""), scaling("ScalingLimited", "True", "TooManyReplicas", "the desired replica count is more than the maximum replica count")), autoscaling: "True Scaling: between 1 and 4 replicas; the desired replica count is more than the maximum replica count"},
		"without metrics":        {objects: scaled, deployment: running(1, 1), autoscaler: autoscaler(scaling("ScalingActive", "False", "FailedGetPodsMetric", "no metrics")), autoscaling: "False FailedGetPodsMetric: no metrics"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPass(test.deployment, test.autoscaler)
			if test.granted {
				p.status.Granted = &v1alpha1.Granted{}
			}
			if test.target {
				p.lease.Spec.Target = &v1alpha1.Target{}
			}
			p.observe(test.objects, test.problem)
			require.Equal(t, test.ready, says(p, v1alpha1.ConditionReady, test.ready))
			require.Equal(t, test.autoscaling, says(p, v1alpha1.ConditionAutoscaling, test.autoscaling))
			if test.target {
				require.EqualValues(t, 2, p.status.Replicas)
				require.EqualValues(t, 3, p.status.WantedReplicas)
			} else if test.deployment != nil {
				require.Equal(t, *test.deployment.Spec.Replicas, p.status.WantedReplicas)
			}
		})
	}
}

// newPass returns a look at a lease that has these objects.
func newPass(deployment *appsv1.Deployment, autoscaler *autoscalingv2.HorizontalPodAutoscaler) *pass {
	lease := &v1alpha1.TritonLease{ObjectMeta: metav1.ObjectMeta{Name: "a", Namespace: "ns"}}
	p := &pass{reconciler: new(reconciler), lease: lease, status: new(v1alpha1.TritonLeaseStatus), owned: map[*watchedKind][]client.Object{}}
	for _, k := range kinds() {
		w := &watchedKind{kind: k}
		w.watched.Store(true)
		p.kinds = append(p.kinds, w)
		switch {
		case k.Kind == deploymentKind && deployment != nil:
			p.owned[w] = []client.Object{deployment}
		case k.Kind == autoscalerKind && autoscaler != nil:
			p.owned[w] = []client.Object{autoscaler}
		}
	}
	return p
}

// says returns a condition in words, where anything is expected of it.
func says(p *pass, condition, expected string) string {
	if expected == "" {
		return ""
	}
	c := meta.FindStatusCondition(p.status.Conditions, condition)
	if c == nil {
		return "nothing"
	}
	return string(c.Status) + " " + c.Reason + ": " + c.Message
}

// TestMissingKinds: what is said while the Prometheus Operator is not installed.
func TestMissingKinds(t *testing.T) {
	objects := &render.Objects{PodMonitor: new(monitoringv1.PodMonitor), PrometheusRule: new(monitoringv1.PrometheusRule)}
	objects.Lease.Grant.Autoscaled = true
	p := newPass(nil, nil)
	for _, k := range p.kinds {
		k.watched.Store(k.Group != "monitoring.coreos.com")
	}
	p.observe(objects, nil)
	require.Equal(t, "False KindsMissing: the API server does not know PodMonitor and PrometheusRule: install the Prometheus Operator, and the lease goes on by itself",
		says(p, v1alpha1.ConditionAutoscaling, "something"))
}
