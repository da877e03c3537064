package lease

import (
	"strings"
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

// TestState checks the state, the message and the state of models for all conditions.
func TestState(t *testing.T) {
	t.Parallel()
	set := func(kind string, value bool, reason, message string) func(*v1alpha1.TritonLeaseStatus) {
		return func(status *v1alpha1.TritonLeaseStatus) { condition(status, kind, value, reason, message) }
	}
	granted := set(v1alpha1.ConditionGranted, true, "Granted", "the lease has what it asks for")
	refused := set(v1alpha1.ConditionGranted, false, "Refused", "spec.image: no")
	refusals := func(status *v1alpha1.TritonLeaseStatus) {
		status.Refusals = []v1alpha1.Refusal{
			{Field: "spec.autoscaling.replicas.minimum", Message: "too many"}, {Field: "spec.image", Message: "registry/spec.image:1 is not allowed"},
		}
	}
	type statuses []func(*v1alpha1.TritonLeaseStatus)
	for name, test := range map[string]struct {
		status  statuses
		deleted bool
		state   tmsv1.State
		model   tmsv1.ModelState
		message string
	}{
		"new":             {nil, false, 1, 1, "the lease is not reconciled yet"},
		"no Ready yet":    {statuses{granted}, false, 1, 1, "the lease is not reconciled yet"},
		"starting":        {statuses{granted, set("Ready", false, "Starting", "0 of 1 replicas serve")}, false, 2, 1, "0 of 1 replicas serve"},
		"loading":         {statuses{starting, func(s *v1alpha1.TritonLeaseStatus) { s.Replicas = 1 }}, false, 2, 2, "0 of 1 replicas serve"},
		"scaled to zero":  {statuses{granted, set("Ready", false, "ScaledToZero", "no replicas")}, false, 2, 1, "no replicas"},
		"serving":         {statuses{serving}, false, 3, 3, "1 of 1 replicas serve"},
		"failed":          {statuses{granted, set("Ready", false, "Failed", "quota")}, false, 4, 4, "quota"},
		"conflict":        {statuses{granted, set("Ready", false, "Conflict", "taken")}, false, 4, 4, "taken"},
		"refused":         {statuses{refused, refusals, set("Ready", false, "Refused", "the lease is refused")}, false, 5, 1, "spec.autoscaling.min_replicas: too many\nspec.triton_image: registry/spec.image:1 is not allowed"},
		"no refusals":     {statuses{refused, set("Ready", false, "Refused", "the lease is refused")}, false, 5, 1, "spec.image: no"},
		"refused, serves": {statuses{refused, refusals, set("Ready", true, "Serving", "1 of 1")}, false, 3, 3, "1 of 1"},
		"being deleted":   {statuses{serving}, true, 6, 2, "the lease is being deleted"},
	} {
		t.Run(name, func(t *testing.T) {
			lease := &v1alpha1.TritonLease{Spec: v1alpha1.TritonLeaseSpec{LeaseSpec: v1alpha1.LeaseSpec{Models: []v1alpha1.Model{{Name: "m"}}}}}
			for _, change := range test.status {
				change(&lease.Status)
			}
			if test.deleted {
				lease.DeletionTimestamp = new(metav1.Now())
			}
			message := toProto(lease)
			require.Equal(t, test.state, message.GetState())
			require.Equal(t, test.message, message.GetMessage())
			require.Equal(t, test.model, message.GetModels()[0].GetState())
		})
	}
}

// fullLease returns a lease with all fields.
func fullLease() *v1alpha1.TritonLease {
	at := metav1.NewTime(time.Unix(1_800_000_000, 0))
	lease := &v1alpha1.TritonLease{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "a", CreationTimestamp: at}}
	lease.Spec.Models = []v1alpha1.Model{{Name: "m", URI: "/m"}, {Name: "n", URI: "/n"}}
	serving(&lease.Status)
	lease.Status.Replicas, lease.Status.ReadyReplicas, lease.Status.WantedReplicas = 3, 2, 4
	lease.Status.ExpiresAt = new(metav1.NewTime(at.Add(time.Hour)))
	lease.Status.Granted = &v1alpha1.Granted{
		Grant: v1alpha1.Grant{
			Autoscaled: true, MinReplicas: 1, MaxReplicas: 5, Replicas: 6, GPUs: 2, Warnings: []v1alpha1.Warning{{Field: "spec.autoscaling.metrics.gpuUtilization", Message: "no GPU for metadata.name"}},
			Metrics: []v1alpha1.MetricThreshold{{Metric: v1alpha1.CPUUtilization, Threshold: 80}, {Metric: v1alpha1.GPUUtilization, Threshold: 70}, {Metric: v1alpha1.QueueTime, Threshold: 5000}},
			Adjustments: []v1alpha1.Adjustment{
				{Field: "spec.autoscaling.replicas.maximum", Asked: 100, Granted: 5, Limit: "server.autoscaling.replicas.limits.maximum"},
				{Field: "spec.autoscaling.metrics.queueTime.threshold", Asked: 1, Granted: 5000, Limit: "x", Default: true},
				{Field: "spec.autoscaling.replicas.minimum", Asked: 2, Granted: 1, Limit: "spec.autoscaling.replicas.maximum"},
				{Field: "spec.duration", Asked: 100, Granted: 60, Unit: "s", Limit: "server.leases.duration.maximum"},
			},
		},
		Term: v1alpha1.Term{Duration: "1h", AutoRenew: true},
	}
	lease.Status.Limits = &v1alpha1.Limits{Replicas: 10, GPUs: 8, CPU: "4", Memory: "8Gi"}
	lease.Status.Budget = &v1alpha1.Budget{GPUs: 16, Charged: 10, Used: 12}
	lease.Status.Refusals = []v1alpha1.Refusal{{Field: "spec.image", Reason: "FieldValueForbidden", Message: "Forbidden: registry/metadata.name:1 is not allowed"}}
	return lease
}

// TestToProto checks all fields of the message. Texts that look like paths are not
// rewritten.
func TestToProto(t *testing.T) {
	t.Parallel()
	want := new(tmsv1.Lease)
	require.NoError(t, protojson.Unmarshal([]byte(`{
		"namespace": "ns", "id": "a", "state": "STATE_SERVING", "message": "1 of 1 replicas serve", "address": "tms-a.default.svc",
		"createdAt": "2027-01-15T08:00:00Z", "expiresAt": "2027-01-15T09:00:00Z", "replicas": {"current": 3, "ready": 2, "wanted": 4},
		"models": [{"model": {"name": "m", "uri": "/m"}, "state": "MODEL_STATE_READY"}, {"model": {"name": "n", "uri": "/n"}, "state": "MODEL_STATE_READY"}],
		"granted": {"autoscaled": true, "minReplicas": 1, "maxReplicas": 5, "replicas": 6, "gpus": 2, "duration": "3600s", "autoRenew": true,
			"warnings": [{"field": "spec.autoscaling.metrics.gpuUtilization", "message": "no GPU for metadata.name"}],
			"metrics": [{"metric": "cpuUtilization", "threshold": 80}, {"metric": "gpuUtilization", "threshold": 70}, {"metric": "queueTime", "threshold": 5000}],
			"adjustments": [
				{"field": "spec.autoscaling.max_replicas", "asked": 100, "granted": 5, "limit": "server.autoscaling.replicas.limits.maximum",
					"message": "spec.autoscaling.max_replicas: asked 100, granted 5 (server.autoscaling.replicas.limits.maximum)"},
				{"field": "spec.autoscaling.metrics.queueTime.threshold", "asked": 1, "isDefault": true, "granted": 5000, "limit": "x",
					"message": "spec.autoscaling.metrics.queueTime.threshold: default 1, granted 5000 (x)"},
				{"field": "spec.autoscaling.min_replicas", "asked": 2, "granted": 1, "limit": "spec.autoscaling.max_replicas",
					"message": "spec.autoscaling.min_replicas: asked 2, granted 1 (spec.autoscaling.max_replicas)"},
				{"field": "spec.duration", "asked": 100, "granted": 60, "unit": "s", "limit": "server.leases.duration.maximum",
					"message": "spec.duration: asked 100s, granted 60s (server.leases.duration.maximum)"}]},
		"limits": {"replicas": 10, "gpus": 8, "cpus": "4", "memory": "8Gi"}, "budget": {"gpus": 16, "charged": 10, "used": 12},
		"refusals": [{"field": "spec.triton_image", "reason": "FieldValueForbidden", "message": "Forbidden: registry/metadata.name:1 is not allowed"}]}`), want))
	lease := fullLease()
	before := lease.DeepCopy()
	require.True(t, proto.Equal(want, toProto(lease)), protojson.Format(toProto(lease)))
	require.Equal(t, before, lease, "the lease belongs to the cache")
}

// TestModelStates checks that a lease that does not serve shows what each model does.
func TestModelStates(t *testing.T) {
	t.Parallel()
	lease := &v1alpha1.TritonLease{Spec: v1alpha1.TritonLeaseSpec{LeaseSpec: v1alpha1.LeaseSpec{Models: []v1alpha1.Model{{Name: "a"}, {Name: "b"}, {Name: "c"}}}}}
	starting(&lease.Status)
	lease.Status.Replicas, lease.Status.UpdatedReplicas, lease.Status.ReloadedAt = 2, 1, new(metav1.Unix(1e9, 0))
	lease.Status.ModelStates = []v1alpha1.ModelState{
		{Name: "b", State: v1alpha1.ModelDownloading, Message: "3.1 of 12 GiB"}, {Name: "a", State: v1alpha1.ModelFailed, Message: "no such file"}, {Name: "removed", State: v1alpha1.ModelReady},
	}
	states := func() (all []string) {
		for _, model := range toProto(lease).GetModels() {
			all = append(all, model.GetModel().GetName()+" "+model.GetState().String()+" "+model.GetMessage())
		}
		return all
	}
	require.Equal(t, []string{"a MODEL_STATE_FAILED no such file", "b MODEL_STATE_DOWNLOADING 3.1 of 12 GiB", "c MODEL_STATE_LOADING "}, states())
	require.EqualValues(t, 1, toProto(lease).GetReplicas().GetUpdated())
	require.EqualValues(t, 1e9, toProto(lease).GetReloadedAt().GetSeconds())
	for _, state := range []string{v1alpha1.ModelPending, v1alpha1.ModelLoading, v1alpha1.ModelReady} {
		lease.Status.ModelStates = []v1alpha1.ModelState{{Name: "a", State: state}}
		require.Equal(t, "a MODEL_STATE_"+strings.ToUpper(state)+" ", states()[0])
	}
	serving(&lease.Status)
	require.Equal(t, "a MODEL_STATE_READY ", states()[0])
}

// TestSchedule checks the schedule of a lease, and which of its entries is in effect.
func TestSchedule(t *testing.T) {
	t.Parallel()
	lease := fullLease()
	lease.Status.Granted.Schedule = []v1alpha1.ScheduledReplicas{{Cron: "@daily", TimeZone: "Etc/UTC", MinReplicas: 1, MaxReplicas: 4}}
	lease.Status.Schedule = &v1alpha1.ScheduleStatus{Since: metav1.Unix(1e9, 0), NextTime: metav1.Unix(2e9, 0)}
	shown := toProto(lease)
	require.True(t, proto.Equal(&tmsv1.ScheduleState{Since: &timestamppb.Timestamp{Seconds: 1e9}, NextTime: &timestamppb.Timestamp{Seconds: 2e9}}, shown.GetSchedule()))
	require.Len(t, shown.GetGranted().GetSchedule(), 1)
	require.True(t, proto.Equal(&tmsv1.ScheduledReplicas{Cron: "@daily", TimeZone: "Etc/UTC", Minimum: new(int64(1)), Maximum: new(int64(4))}, shown.GetGranted().GetSchedule()[0]))
	later := proto.CloneOf(shown)
	require.Nil(t, changedFields(shown, later).GetSchedule())
	later.Schedule.Active = 1
	require.NotNil(t, changedFields(shown, later).GetSchedule())
}

// TestChangedFields checks that each field is left out until it changes.
func TestChangedFields(t *testing.T) {
	t.Parallel()
	sent := toProto(fullLease())
	same := &tmsv1.Lease{Namespace: "ns", Id: "a", State: tmsv1.State_STATE_SERVING}
	require.True(t, proto.Equal(same, changedFields(sent, proto.CloneOf(sent))), "%v", changedFields(sent, sent))
	require.True(t, proto.Equal(sent, changedFields(nil, sent)))
	for name, change := range map[string]func(now, want *tmsv1.Lease){
		"state":    func(now, want *tmsv1.Lease) { now.State, want.State = 4, 4 },
		"message":  func(now, want *tmsv1.Lease) { now.Message, want.Message = "b", "b" },
		"address":  func(now, want *tmsv1.Lease) { now.Address, want.Address = "b", "b" },
		"replicas": func(now, want *tmsv1.Lease) { now.Replicas.Ready, want.Replicas = 1, now.GetReplicas() },
		"granted":  func(now, want *tmsv1.Lease) { now.Granted.MaxReplicas, want.Granted = 1, now.GetGranted() },
		"expires":  func(now, want *tmsv1.Lease) { now.ExpiresAt = timestamppb.Now(); want.ExpiresAt = now.GetExpiresAt() },
		"refusals": func(now, want *tmsv1.Lease) { now.Refusals[0].Field = "a"; want.Refusals = now.GetRefusals() },
		"limits":   func(now, want *tmsv1.Lease) { now.Limits.Gpus = 1; want.Limits = now.GetLimits() },
		"budget":   func(now, want *tmsv1.Lease) { now.Budget.Used = 1; want.Budget = now.GetBudget() },
		"reloaded": func(now, want *tmsv1.Lease) {
			now.ReloadedAt = timestamppb.Now()
			want.ReloadedAt = now.GetReloadedAt()
		},
		"a model": func(now, want *tmsv1.Lease) { now.Models[1].State = 4; want.Models = now.GetModels()[1:] },
	} {
		now, want := proto.CloneOf(sent), proto.CloneOf(same)
		change(now, want)
		require.True(t, proto.Equal(want, changedFields(sent, now)), "%s: %v", name, changedFields(sent, now))
	}
}
