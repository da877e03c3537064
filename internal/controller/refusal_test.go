package controller

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/pkg/policy"
)

// limited is a configuration that allows at most this number of replicas.
func limited(maximum int) string {
	return fmt.Sprintf(`server: {autoscaling: {enable: true, replicas: {default: {maximum: 2}, limits: {maximum: %d}}, metrics: {queueTime: {enabled: true}}}}`, maximum)
}

const contradiction = `{models: [{name: m, uri: /m}], autoscaling: {enable: true, replicas: {minimum: 5, maximum: 2}, metrics: {gpuUtilization: {enabled: true}}}}`

// TestRefusedLease: a refused lease has its refusals as data, and no objects. It is
// granted, from then on, when the request becomes acceptable.
func TestRefusedLease(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, scales, newLease(t, "a", contradiction))
	require.Zero(t, e.reconcile("a"), "only a change can help")
	require.Equal(t, []string{"update status TritonLease a"}, e.written())
	const minimum = "spec.autoscaling.replicas.minimum: Invalid value: 5: must not exceed maximum (2)"
	const gpu = "spec.autoscaling.metrics.gpuUtilization.enabled: Forbidden: a lease may not turn this metric on (server.autoscaling.metrics.gpuUtilization.allowed is false)"
	status := e.lease("a").Status
	require.Equal(t, []v1alpha1.Refusal{
		{Field: "spec.autoscaling.replicas.minimum", Reason: "FieldValueInvalid", Message: "Invalid value: 5: must not exceed maximum (2)"},
		{Field: "spec.autoscaling.metrics.gpuUtilization.enabled", Reason: "FieldValueForbidden", Message: "Forbidden: a lease may not turn this metric on (server.autoscaling.metrics.gpuUtilization.allowed is false)"},
	}, status.Refusals)
	require.Equal(t, minimum, status.Refusals[0].String())
	require.Equal(t, "False Refused: "+minimum+"\n"+gpu, e.condition("a", v1alpha1.ConditionGranted))
	require.Equal(t, "False Refused: the lease is refused, see the condition Granted", e.condition("a", v1alpha1.ConditionReady))
	require.Equal(t, "False Refused: the lease is refused, see the condition Granted", e.condition("a", v1alpha1.ConditionAutoscaling))
	require.Equal(t, []string{"Warning Refused: " + minimum + "\n" + gpu}, e.recorded())
	require.Nil(t, status.Granted)
	require.Nil(t, status.ExpiresAt)
	require.Empty(t, e.objects("tms-a"))
	e.reconcile("a")
	require.Empty(t, e.written())
	require.Empty(t, e.recorded())

	e.clock = epoch.Add(48 * time.Hour)
	e.editSpec("a", scaled)
	e.reconcile("a")
	status = e.lease("a").Status
	require.Empty(t, status.Refusals)
	require.Equal(t, e.clock.Add(24*time.Hour), status.ExpiresAt.UTC(), "its duration begins with its grant")
	require.NotEmpty(t, e.objects("tms-a"))
}

// TestNotDecoded: a verbatim field that does not decode is a refusal.
func TestNotDecoded(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, scales, newLease(t, "a", `{models: [{name: m, uri: /m}], triton: {env: [{name: A, valueFrom: {fieldRef: 7}}]}}`))
	require.Zero(t, e.reconcile("a"))
	refusals := e.lease("a").Status.Refusals
	require.Len(t, refusals, 1)
	require.Equal(t, "spec.triton", refusals[0].Field)
	require.Contains(t, refusals[0].Message, "Invalid value: ")
	require.Empty(t, e.objects("tms-a"))
}

// TestRefusalsAreBounded: the status of a lease with many or long refusals is small, and
// every message keeps its end, which says what is allowed.
func TestRefusalsAreBounded(t *testing.T) {
	t.Parallel()
	r := observing(t, nil, nil)
	var refusal policy.Refusal
	long := strings.Repeat("é", 100_000)
	for range 200 {
		refusal = append(refusal, field.Invalid(field.NewPath("spec", long), long, "must be short"))
	}
	r.refuse(refusal)
	require.Len(t, r.status.Refusals, 100)
	for _, one := range r.status.Refusals {
		require.LessOrEqual(t, len(one.Field), 1024)
		require.LessOrEqual(t, len(one.Message), 1024)
		require.True(t, utf8.ValidString(one.Field))
		require.True(t, utf8.ValidString(one.Message))
		require.True(t, strings.HasPrefix(one.Message, "Invalid value: "))
		require.True(t, strings.HasSuffix(one.Message, ": must be short"))
	}
	require.Len(t, refusal, 200)
	require.LessOrEqual(t, len(conditionText(r.status, v1alpha1.ConditionGranted)), maxConditionMessage+len("False Refused: "))
}

// TestRefusedChange: a refused change keeps the objects that run, and what was granted.
func TestRefusedChange(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, limited(10), newLease(t, "a", `{models: [{name: m, uri: /m}], autoscaling: {enable: true, replicas: {maximum: 50}}}`))
	e.reconcile("a")
	e.setReplicas("a", 2)
	e.reconcile("a")
	before := e.lease("a").Status
	e.written()
	e.recorded()
	e.editSpec("a", contradiction)
	e.reconcile("a")
	require.Equal(t, []string{"update status TritonLease a"}, e.written())
	status := e.lease("a").Status
	require.Equal(t, before.Granted, status.Granted, "with its adjustments")
	require.Equal(t, before.Address, status.Address)
	require.Equal(t, before.ExpiresAt, status.ExpiresAt)
	require.Len(t, status.Refusals, 2)
	require.EqualValues(t, 2, status.ObservedGeneration)
	require.Contains(t, e.condition("a", v1alpha1.ConditionReady), "False Starting: 0 of 2 replicas serve")
	e.reconcile("a")
	require.Empty(t, e.written())
}

// TestRefusedChangeIsNoLoophole: lowered bounds hold for a lease that is refused.
func TestRefusedChangeIsNoLoophole(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, limited(10), newLease(t, "a", `{models: [{name: m, uri: /m}], autoscaling: {enable: true, replicas: {maximum: 8}}}`))
	e.reconcile("a")
	autoscaler := e.autoscalerOf("a")
	autoscaler.Status.Conditions = []autoscalingv2.HorizontalPodAutoscalerCondition{{Type: autoscalingv2.ScalingActive, Status: corev1.ConditionTrue}}
	e.update(autoscaler)
	e.editSpec("a", contradiction)
	e.reconcile("a")
	require.EqualValues(t, 8, e.autoscalerOf("a").Spec.MaxReplicas)
	require.Equal(t, "True Scaling: between 1 and 8 replicas", e.condition("a", v1alpha1.ConditionAutoscaling))
	e.written()
	e.recorded()

	e.configuration = configuration(t, limited(3))
	e.reconcile("a")
	require.Equal(t, []string{"patch HorizontalPodAutoscaler tms-a", "update status TritonLease a"}, e.written())
	require.EqualValues(t, 3, e.autoscalerOf("a").Spec.MaxReplicas)
	require.EqualValues(t, 1, *e.autoscalerOf("a").Spec.MinReplicas)
	granted := e.lease("a").Status.Granted
	require.EqualValues(t, 3, granted.MaxReplicas)
	require.Equal(t, "spec.autoscaling.replicas.maximum: asked 8, granted 3 (server.autoscaling.replicas.limits.maximum)", granted.Adjustments[0].String())
	require.Equal(t, "True Scaling: between 1 and 3 replicas", e.condition("a", v1alpha1.ConditionAutoscaling))
	e.reconcile("a")
	require.Empty(t, e.written())
	require.Equal(t, granted, e.lease("a").Status.Granted)

	// A lease that may not scale at all loses its autoscaler.
	e.configuration = configuration(t, "server: {autoscaling: {enable: true}}")
	e.reconcile("a")
	require.Equal(t, []string{"delete Background HorizontalPodAutoscaler tms-a", "update status TritonLease a"}, e.written())
	require.False(t, e.lease("a").Status.Granted.Autoscaled)
	require.Contains(t, e.condition("a", v1alpha1.ConditionAutoscaling), "False Refused")
	e.reconcile("a")
	require.Empty(t, e.written())
}

// TestThresholdOfRefusedLease: the status of a refused lease has the threshold that its
// autoscaler has, also when the bounds no longer allow that threshold.
func TestThresholdOfRefusedLease(t *testing.T) {
	t.Parallel()
	bounds := func(maximum int, threshold string) string {
		return fmt.Sprintf(`server: {autoscaling: {enable: true, replicas: {default: {maximum: 2}, limits: {maximum: %d}}, metrics: {queueTime: {allowed: true, threshold: %s}}}}`, maximum, threshold)
	}
	const enabled = `metrics: {queueTime: {enabled: true, threshold: 300}}`
	e := newEnvironment(t, bounds(10, "{default: 200, minimum: 100}"), newLease(t, "a", `{models: [{name: m, uri: /m}], autoscaling: {enable: true, replicas: {maximum: 8}, `+enabled+`}}`))
	e.reconcile("a")
	inForce := func(replicas int64) {
		t.Helper()
		granted, spec := e.lease("a").Status.Granted, e.autoscalerOf("a").Spec
		require.Equal(t, []v1alpha1.MetricThreshold{{Metric: v1alpha1.QueueTime, Threshold: 300}}, granted.Metrics)
		require.Equal(t, "300", spec.Metrics[0].Pods.Target.AverageValue.String())
		require.EqualValues(t, replicas, granted.MaxReplicas)
		require.EqualValues(t, replicas, spec.MaxReplicas)
	}
	inForce(8)
	e.editSpec("a", `{models: [{name: m, uri: /m}], autoscaling: {enable: true, replicas: {minimum: 5, maximum: 2}, `+enabled+`}}`)
	e.reconcile("a")
	inForce(8)
	e.configuration = configuration(t, bounds(3, "{default: 1000, minimum: 500}"))
	e.reconcile("a")
	inForce(3)
	adjustments := e.lease("a").Status.Granted.Adjustments
	require.Len(t, adjustments, 1)
	require.Equal(t, "spec.autoscaling.replicas.maximum: asked 8, granted 3 (server.autoscaling.replicas.limits.maximum)", adjustments[0].String())

	e.editSpec("a", `{models: [{name: m, uri: /m}], autoscaling: {enable: true, `+enabled+`}}`)
	e.reconcile("a")
	require.Equal(t, int64(500), e.lease("a").Status.Granted.Metrics[0].Threshold, "a granted lease gets the new threshold")
	require.Equal(t, "500", e.autoscalerOf("a").Spec.Metrics[0].Pods.Target.AverageValue.String())
}

// TestClampFails: bounds that cannot be written are retried.
func TestClampFails(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		limited(3):                              "HorizontalPodAutoscaler tms-a: forbidden",
		"server: {autoscaling: {enable: true}}": "delete HorizontalPodAutoscaler tms-a: forbidden",
	} {
		e := newEnvironment(t, limited(10), newLease(t, "a", `{models: [{name: m, uri: /m}], autoscaling: {enable: true, replicas: {maximum: 8}}}`))
		e.reconcile("a")
		e.editSpec("a", contradiction)
		e.configuration = configuration(t, text)
		e.fail = func(w write) error {
			if w.kind == autoscalerKind {
				return errors.New("forbidden")
			}
			return nil
		}
		_, err := e.Reconcile(t.Context(), reconcile.Request{NamespacedName: key("a")})
		require.EqualError(t, err, want)
		require.Contains(t, e.condition("a", v1alpha1.ConditionGranted), "False Refused", "the refusal is reported")
		require.EqualValues(t, 1, e.lease("a").Status.ObservedGeneration, "the other conditions are those of the previous spec")
	}
}

// TestTermOfRefusedLease: the term that a refused lease asks for counts, unless the term
// is what is refused.
func TestTermOfRefusedLease(t *testing.T) {
	t.Parallel()
	const allowed = `server: {autoscaling: {enable: true, metrics: {queueTime: {enabled: true}}}, leases: {autoRenew: {allowed: false}}}`
	for name, test := range map[string]struct {
		term string
		want v1alpha1.Term
	}{
		"acceptable": {"duration: 1h", v1alpha1.Term{Duration: "1h"}},
		"refused":    {"duration: 1h, autoRenew: true", v1alpha1.Term{Duration: "24h"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnvironment(t, allowed, newLease(t, "a", `{models: [{name: m, uri: /m}], duration: 1000h}`))
			e.reconcile("a")
			require.Len(t, e.lease("a").Status.Granted.Adjustments, 1)
			e.editSpec("a", `{models: [{name: m, uri: /m}], autoscaling: {enable: true, replicas: {minimum: 5, maximum: 2}}, `+test.term+`}`)
			e.reconcile("a")
			require.Equal(t, test.want, e.lease("a").Status.Granted.Term)
			require.Empty(t, e.lease("a").Status.Granted.Adjustments, "1000h is no longer what the lease asks for")
			require.Equal(t, epoch.Add(test.want.Duration.Value()), e.lease("a").Status.ExpiresAt.UTC())
		})
	}
}
