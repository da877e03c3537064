package lease

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/api/v1alpha1"
)

// TestState: how a lease is, by its conditions.
func TestState(t *testing.T) {
	set := func(kind string, is bool, reason, message string) func(*v1alpha1.TritonLeaseStatus) {
		return func(status *v1alpha1.TritonLeaseStatus) { condition(status, kind, is, reason, message) }
	}
	granted := set(v1alpha1.ConditionGranted, true, "Granted", "the lease has what it asks for")
	refused := set(v1alpha1.ConditionGranted, false, "Refused", "spec.autoscaling.replicas.minimum: too many\nspec.image: no")
	type statuses []func(*v1alpha1.TritonLeaseStatus)
	for name, test := range map[string]struct {
		status  statuses
		deleted bool
		state   tmsv1.State
		model   tmsv1.ModelState
		message string
	}{
		"new":             {nil, false, 1, 1, "nobody has looked at the lease yet"},
		"half looked at":  {statuses{granted}, false, 1, 1, "nobody has looked at the lease yet"},
		"starting":        {statuses{granted, set("Ready", false, "Starting", "0 of 1 replicas serve")}, false, 2, 1, "0 of 1 replicas serve"},
		"loading":         {statuses{starting, func(s *v1alpha1.TritonLeaseStatus) { s.Replicas = 1 }}, false, 2, 2, "0 of 1 replicas serve"},
		"scaled to zero":  {statuses{granted, set("Ready", false, "ScaledToZero", "told to")}, false, 2, 1, "told to"},
		"serving":         {statuses{serving}, false, 3, 3, "1 of 1 replicas serve"},
		"failed":          {statuses{granted, set("Ready", false, "Failed", "quota")}, false, 4, 4, "quota"},
		"in the way":      {statuses{granted, set("Ready", false, "Conflict", "taken")}, false, 4, 4, "taken"},
		"refused":         {statuses{refused, set("Ready", false, "Refused", "the lease is refused")}, false, 5, 1, "spec.autoscaling.min_replicas: too many\nspec.triton_image: no"},
		"refused, but up": {statuses{refused, set("Ready", true, "Serving", "1 of 1")}, false, 3, 3, "1 of 1"},
		"being deleted":   {statuses{serving}, true, 6, 2, "the lease is being deleted"},
	} {
		t.Run(name, func(t *testing.T) {
			lease := &v1alpha1.TritonLease{Spec: v1alpha1.TritonLeaseSpec{Lease: v1alpha1.LeaseSpec{Models: []v1alpha1.Model{{Name: "m"}}}}}
			for _, change := range test.status {
				change(&lease.Status)
			}
			if test.deleted {
				lease.DeletionTimestamp = new(metav1.Now())
			}
			told := answer(lease)
			require.Equal(t, test.state, told.GetState())
			require.Equal(t, test.message, told.GetMessage())
			require.Equal(t, test.model, told.GetModels()[0].GetState())
		})
	}
}

// whole is a lease of which there is all to tell.
func whole() *v1alpha1.TritonLease {
	at := metav1.NewTime(time.Unix(1_800_000_000, 0))
	lease := &v1alpha1.TritonLease{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "a", CreationTimestamp: at}}
	lease.Spec.Models = []v1alpha1.Model{{Name: "m", URI: "/m"}, {Name: "n", URI: "/n"}}
	serving(&lease.Status)
	lease.Status.Replicas, lease.Status.ReadyReplicas, lease.Status.WantedReplicas = 3, 2, 4
	lease.Status.ExpiresAt = new(metav1.NewTime(at.Add(time.Hour)))
	lease.Status.Granted = &v1alpha1.Granted{
		Grant: v1alpha1.Grant{
			Autoscaled: true, MinReplicas: 1, MaxReplicas: 5, Warnings: []string{"spec.autoscaling.metrics.gpuUtilization: no GPU"},
			Metrics: []v1alpha1.MetricThreshold{{Metric: v1alpha1.CPUUtilization, Threshold: 80}, {Metric: v1alpha1.GPUUtilization, Threshold: 70}, {Metric: v1alpha1.QueueTime, Threshold: 5000}},
			Adjustments: []v1alpha1.Adjustment{
				{Field: "spec.autoscaling.replicas.maximum", Asked: 100, Granted: 5, Limit: "server.autoscaling.replicas.limits.maximum"},
				{Field: "spec.autoscaling.metrics.queueTime.threshold", Asked: 1, Granted: 5000, Limit: "x", Default: true},
			},
		},
		Term: v1alpha1.Term{Duration: "1h", AutoRenew: true},
	}
	return lease
}

func TestAnswer(t *testing.T) {
	want := new(tmsv1.Lease)
	require.NoError(t, protojson.Unmarshal([]byte(`{
		"namespace": "ns", "id": "a", "state": "STATE_SERVING", "message": "1 of 1 replicas serve", "address": "tms-a.default.svc",
		"createdAt": "2027-01-15T08:00:00Z", "expiresAt": "2027-01-15T09:00:00Z", "replicas": {"current": 3, "ready": 2, "wanted": 4},
		"models": [{"model": {"name": "m", "uri": "/m"}, "state": "MODEL_STATE_READY"}, {"model": {"name": "n", "uri": "/n"}, "state": "MODEL_STATE_READY"}],
		"granted": {"autoscaled": true, "minReplicas": 1, "maxReplicas": 5, "duration": "3600s", "autoRenew": true,
			"warnings": ["spec.autoscaling.metrics[METRIC_GPU_UTILIZATION]: no GPU"],
			"metrics": [{"metric": "METRIC_CPU_UTILIZATION", "threshold": 80}, {"metric": "METRIC_GPU_UTILIZATION", "threshold": 70}, {"metric": "METRIC_QUEUE_TIME", "threshold": 5000}],
			"adjustments": [
				{"field": "spec.autoscaling.max_replicas", "asked": 100, "granted": 5, "limit": "server.autoscaling.replicas.limits.maximum",
					"message": "spec.autoscaling.max_replicas: asked 100, granted 5 (server.autoscaling.replicas.limits.maximum)"},
				{"field": "spec.autoscaling.metrics[METRIC_QUEUE_TIME].threshold", "asked": 1, "granted": 5000, "limit": "x",
					"message": "spec.autoscaling.metrics[METRIC_QUEUE_TIME].threshold: default 1, granted 5000 (x)"}]}}`), want))
	lease := whole()
	before := lease.DeepCopy()
	require.True(t, proto.Equal(want, answer(lease)), protojson.Format(answer(lease)))
	require.Equal(t, before, lease, "which others read, too")
}

// TestWhatChanged: each part of an answer is left out while it is as it was.
func TestWhatChanged(t *testing.T) {
	told := answer(whole())
	same := &tmsv1.Lease{Namespace: "ns", Id: "a", State: tmsv1.State_STATE_SERVING}
	require.True(t, proto.Equal(same, whatChanged(told, proto.CloneOf(told))), "%v", whatChanged(told, told))
	require.True(t, proto.Equal(told, whatChanged(nil, told)))
	for name, change := range map[string]func(now, want *tmsv1.Lease){
		"state":    func(now, want *tmsv1.Lease) { now.State, want.State = 4, 4 },
		"message":  func(now, want *tmsv1.Lease) { now.Message, want.Message = "b", "b" },
		"address":  func(now, want *tmsv1.Lease) { now.Address, want.Address = "b", "b" },
		"replicas": func(now, want *tmsv1.Lease) { now.Replicas.Ready, want.Replicas = 1, now.GetReplicas() },
		"granted":  func(now, want *tmsv1.Lease) { now.Granted.MaxReplicas, want.Granted = 1, now.GetGranted() },
		"expires":  func(now, want *tmsv1.Lease) { now.ExpiresAt = timestamppb.Now(); want.ExpiresAt = now.GetExpiresAt() },
		"a model":  func(now, want *tmsv1.Lease) { now.Models[1].State = 4; want.Models = now.GetModels()[1:] },
	} {
		now, want := proto.CloneOf(told), proto.CloneOf(same)
		change(now, want)
		require.True(t, proto.Equal(want, whatChanged(told, now)), "%s: %v", name, whatChanged(told, now))
	}
}
