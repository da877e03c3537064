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

// TestObserve: the conditions report what runs.
func TestObserve(t *testing.T) {
	t.Parallel()
	running := func(wanted, serving int32, conditions ...appsv1.DeploymentCondition) *appsv1.Deployment {
		return &appsv1.Deployment{
			Spec:   appsv1.DeploymentSpec{Replicas: &wanted},
			Status: appsv1.DeploymentStatus{Replicas: wanted, AvailableReplicas: serving, Conditions: conditions},
		}
	}
	stuck := appsv1.DeploymentCondition{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionFalse, Message: "it has timed out progressing"}
	forbidden := appsv1.DeploymentCondition{Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Message: "exceeded quota"}
	progressing := appsv1.DeploymentCondition{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionTrue, Message: "it progresses"}
	fixed := &render.Objects{Deployment: new(appsv1.Deployment)}
	conflict := nameConflict{"Service", "tms-a"}

	for name, test := range map[string]struct {
		refused    bool
		target     bool
		deployment *appsv1.Deployment
		failure    error
		want       string
	}{
		"just applied":           {want: "False Starting: 0 of 1 replicas serve"},
		"starting":               {deployment: running(2, 0, progressing), want: "False Starting: 0 of 2 replicas serve"},
		"serving":                {deployment: running(2, 1), want: "True Serving: 1 of 2 replicas serve"},
		"scaled to zero":         {deployment: running(0, 0), want: "False ScaledToZero: spec.replicas of the Deployment is 0"},
		"stuck":                  {deployment: running(1, 0, stuck), want: "False Failed: it has timed out progressing"},
		"no quota":               {deployment: running(1, 0, forbidden), want: "False Failed: exceeded quota"},
		"serving and stuck":      {deployment: running(1, 1, stuck), want: "True Serving: 1 of 1 replicas serve; it has timed out progressing"},
		"name conflict":          {failure: conflict, want: "False Conflict: Service tms-a exists and does not belong to this lease: delete it, or give the lease another name"},
		"conflict while serving": {deployment: running(1, 1), failure: conflict, want: "False Conflict: Service tms-a exists and does not belong to this lease: delete it, or give the lease another name"},
		"apply failed":           {failure: errors.New("forbidden"), want: "False Failed: forbidden"},
		"change failed":          {deployment: running(1, 1), failure: errors.New("forbidden"), want: "True Serving: 1 of 1 replicas serve; forbidden"},
		"refused":                {refused: true, want: "False Refused: the lease is refused, see the condition Granted"},
		"change refused":         {refused: true, deployment: running(1, 1), want: "True Serving: 1 of 1 replicas serve"},
		"target":                 {target: true, want: "Unknown Target: the lease scales an existing workload and does not run Triton itself"},
		"target, apply failed":   {target: true, failure: errors.New("forbidden"), want: "False Failed: forbidden"},
		"target, refused":        {target: true, refused: true, want: "False Refused: the lease is refused, see the condition Granted"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := observing(t, test.deployment, nil)
			if test.target {
				r.lease.Spec.Target = &v1alpha1.Target{}
			}
			objects := fixed
			if test.refused {
				objects = nil
			}
			r.observeGranted(objects, test.failure)
			require.Equal(t, test.want, conditionText(r.status, v1alpha1.ConditionReady))
			if test.deployment != nil {
				require.Equal(t, *test.deployment.Spec.Replicas, r.status.WantedReplicas)
				require.Equal(t, test.deployment.Status.Replicas, r.status.Replicas)
				require.Equal(t, test.deployment.Status.AvailableReplicas, r.status.ReadyReplicas)
			}
		})
	}
}

// TestObserveAutoscaling: the condition Autoscaling is that of the autoscaler.
func TestObserveAutoscaling(t *testing.T) {
	t.Parallel()
	condition := func(conditionType autoscalingv2.HorizontalPodAutoscalerConditionType, status corev1.ConditionStatus, reason, message string) autoscalingv2.HorizontalPodAutoscalerCondition {
		return autoscalingv2.HorizontalPodAutoscalerCondition{Type: conditionType, Status: status, Reason: reason, Message: message}
	}
	autoscaler := func(conditions ...autoscalingv2.HorizontalPodAutoscalerCondition) *autoscalingv2.HorizontalPodAutoscaler {
		return &autoscalingv2.HorizontalPodAutoscaler{Status: autoscalingv2.HorizontalPodAutoscalerStatus{CurrentReplicas: 2, DesiredReplicas: 3, Conditions: conditions}}
	}
	active := condition("ScalingActive", "True", "ValidMetricFound", "")
	limited := condition("ScalingLimited", "True", "TooManyReplicas", "the desired replica count is more than the maximum replica count")
	grant := v1alpha1.Grant{Autoscaled: true, MinReplicas: 1, MaxReplicas: 4}
	scaled := &render.Objects{HorizontalPodAutoscaler: autoscaler()}
	scaled.Lease.RequestedAutoscaling.Enable, scaled.Lease.Grant = true, grant
	off := &render.Objects{}
	off.Lease.RequestedAutoscaling.Enable = true

	for name, test := range map[string]struct {
		objects    *render.Objects // nil if refused
		granted    *v1alpha1.Granted
		autoscaler *autoscalingv2.HorizontalPodAutoscaler
		failure    error
		want       string
	}{
		"not asked":                 {objects: &render.Objects{}, want: "False NotAsked: the lease does not ask for autoscaling"},
		"switched off":              {objects: off, want: "False SwitchedOff: autoscaling is switched off by server.autoscaling.enable"},
		"not asked, apply failed":   {objects: &render.Objects{}, failure: errors.New("no"), want: "False NotAsked: the lease does not ask for autoscaling"},
		"apply failed":              {objects: scaled, failure: errors.New("no"), want: "Unknown NotApplied: an object cannot be applied, see the condition Ready"},
		"change failed":             {objects: scaled, failure: errors.New("no"), autoscaler: autoscaler(active), want: "True Scaling: between 1 and 4 replicas"},
		"just applied":              {objects: scaled, want: "Unknown Starting: the HorizontalPodAutoscaler does not report a status yet"},
		"no status":                 {objects: scaled, autoscaler: autoscaler(), want: "Unknown Starting: the HorizontalPodAutoscaler does not report a status yet"},
		"scaling":                   {objects: scaled, autoscaler: autoscaler(active), want: "True Scaling: between 1 and 4 replicas"},
		"at its maximum":            {objects: scaled, autoscaler: autoscaler(active, limited), want: "True Scaling: between 1 and 4 replicas; the desired replica count is more than the maximum replica count"},
		"no metrics":                {objects: scaled, autoscaler: autoscaler(condition("ScalingActive", "False", "FailedGetPodsMetric", "no metrics")), want: "False FailedGetPodsMetric: no metrics"},
		"refused":                   {want: "False Refused: the lease is refused, see the condition Granted"},
		"refused, scales":           {granted: &v1alpha1.Granted{Grant: grant}, autoscaler: autoscaler(active), want: "True Scaling: between 1 and 4 replicas"},
		"refused, no longer scales": {granted: &v1alpha1.Granted{}, want: "False Refused: the lease is refused, see the condition Granted"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := observing(t, nil, test.autoscaler)
			r.status.Granted = test.granted
			r.observeGranted(test.objects, test.failure)
			require.Equal(t, test.want, conditionText(r.status, v1alpha1.ConditionAutoscaling))
		})
	}

	r := observing(t, nil, autoscaler(active))
	r.lease.Spec.Target = &v1alpha1.Target{}
	r.observeGranted(scaled, nil)
	require.EqualValues(t, 2, r.status.Replicas, "the replicas of a target are those that its autoscaler reports")
	require.EqualValues(t, 3, r.status.WantedReplicas)
}

// observing returns the reconciliation of a lease that owns these objects.
func observing(t *testing.T, deployment *appsv1.Deployment, autoscaler *autoscalingv2.HorizontalPodAutoscaler) *reconciliation {
	t.Helper()
	lease := &v1alpha1.TritonLease{ObjectMeta: metav1.ObjectMeta{Name: "a", Namespace: "ns"}}
	r := &reconciliation{reconciler: &reconciler{kinds: watchedKinds(t)}, lease: lease, status: new(v1alpha1.TritonLeaseStatus), owned: map[*watchedKind][]client.Object{}}
	for _, k := range r.kinds {
		switch {
		case k.Kind == deploymentKind && deployment != nil:
			r.owned[k] = []client.Object{deployment}
		case k.Kind == autoscalerKind && autoscaler != nil:
			r.owned[k] = []client.Object{autoscaler}
		}
	}
	return r
}

// watchedKinds returns all kinds, watched.
func watchedKinds(t *testing.T) []*watchedKind {
	t.Helper()
	scheme, err := Scheme()
	require.NoError(t, err)
	kinds, err := newWatchedKinds(scheme)
	require.NoError(t, err)
	for _, k := range kinds {
		k.watched.Store(true)
	}
	return kinds
}

// observeGranted observes a lease that is granted if it has objects.
func (r *reconciliation) observeGranted(objects *render.Objects, failure error) {
	if objects != nil {
		r.granted = &objects.Lease
	}
	r.observe(objects, failure)
}

// conditionText returns a condition as one text.
func conditionText(status *v1alpha1.TritonLeaseStatus, conditionType string) string {
	c := meta.FindStatusCondition(status.Conditions, conditionType)
	if c == nil {
		return "none"
	}
	return string(c.Status) + " " + c.Reason + ": " + c.Message
}

// TestMissingKinds: the condition names the kinds that the API server does not serve.
func TestMissingKinds(t *testing.T) {
	t.Parallel()
	objects := &render.Objects{PodMonitor: new(monitoringv1.PodMonitor), PrometheusRule: new(monitoringv1.PrometheusRule)}
	objects.Lease.Grant.Autoscaled = true
	r := observing(t, nil, nil)
	for _, k := range r.kinds {
		k.watched.Store(k.Group != "monitoring.coreos.com")
	}
	r.observeGranted(objects, nil)
	require.Equal(t, "False KindsMissing: the API server does not serve PodMonitor and PrometheusRule: install the Prometheus Operator, then the lease scales without further action",
		conditionText(r.status, v1alpha1.ConditionAutoscaling))
}
