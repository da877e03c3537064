package lease

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/durationpb"
	"sigs.k8s.io/yaml"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/api/v1alpha1"
)

// TestNewLease checks the fields of the lease for each field of a request.
func TestNewLease(t *testing.T) {
	t.Parallel()
	models := []*tmsv1.Model{{Name: "m", Uri: "s3://models/m"}}
	const model = "models: [{name: m, uri: \"s3://models/m\"}]\n"
	for name, test := range map[string]struct {
		request *tmsv1.LeaseSpec
		want    string
	}{
		"models only":  {&tmsv1.LeaseSpec{}, ""},
		"image":        {&tmsv1.LeaseSpec{TritonImage: "example.com/triton:1"}, "image: example.com/triton:1"},
		"no resources": {&tmsv1.LeaseSpec{Resources: &tmsv1.Resources{}}, "triton: {resources: {requests: {}, limits: {}}}"},
		"GPUs":         {&tmsv1.LeaseSpec{Resources: &tmsv1.Resources{Gpus: new(int64(2))}}, "triton: {resources: {requests: {}, limits: {nvidia.com/gpu: 2}}}"},
		"no GPUs":      {&tmsv1.LeaseSpec{Resources: &tmsv1.Resources{Gpus: new(int64(0))}}, "triton: {resources: {requests: {}, limits: {nvidia.com/gpu: 0}}}"},
		"CPUs":         {&tmsv1.LeaseSpec{Resources: &tmsv1.Resources{Cpus: "500m"}}, "triton: {resources: {requests: {cpu: 500m}, limits: {}}}"},
		"memory":       {&tmsv1.LeaseSpec{Resources: &tmsv1.Resources{Memory: "2Gi"}}, "triton: {resources: {requests: {memory: 2Gi}, limits: {memory: 2Gi}}}"},
		"scaled":       {&tmsv1.LeaseSpec{Autoscaling: &tmsv1.Autoscaling{}}, "autoscaling: {enable: true}"},
		"replicas":     {&tmsv1.LeaseSpec{Autoscaling: &tmsv1.Autoscaling{MinReplicas: new(int64(0)), MaxReplicas: new(int64(3))}}, "autoscaling: {enable: true, replicas: {minimum: 0, maximum: 3}}"},
		"a schedule": {
			&tmsv1.LeaseSpec{Autoscaling: &tmsv1.Autoscaling{Schedule: []*tmsv1.ScheduledReplicas{{Cron: "0 8 * * *", TimeZone: "Europe/Berlin", Minimum: new(int64(2))}, {Cron: "@daily", Maximum: new(int64(4))}}}},
			"autoscaling: {enable: true, replicas: {schedule: [{cron: 0 8 * * *, timeZone: Europe/Berlin, minimum: 2}, {cron: \"@daily\", maximum: 4}]}}",
		},
		"a duration":         {&tmsv1.LeaseSpec{Duration: durationpb.New(90 * time.Minute)}, "duration: 5400s"},
		"no expiry":          {&tmsv1.LeaseSpec{Duration: durationpb.New(0)}, "duration: 0s"},
		"the longest":        {&tmsv1.LeaseSpec{Duration: &durationpb.Duration{Seconds: 99_999_999}}, "duration: 99999999s"},
		"auto-renew":         {&tmsv1.LeaseSpec{AutoRenew: new(true)}, "autoRenew: true"},
		"no auto-renew":      {&tmsv1.LeaseSpec{AutoRenew: new(false)}, "autoRenew: false"},
		"metrics on and off": {metricsOf(&tmsv1.MetricRequest{Metric: "cpuUtilization", Enabled: new(true)}, &tmsv1.MetricRequest{Metric: "gpuUtilization", Enabled: new(false)}), "autoscaling: {enable: true, metrics: {cpuUtilization: {enabled: true}, gpuUtilization: {enabled: false}}}"},
		"a threshold":        {metricsOf(&tmsv1.MetricRequest{Metric: "queueTime", Threshold: new(int64(5000))}), "autoscaling: {enable: true, metrics: {queueTime: {threshold: 5000}}}"},
		"a metric alone":     {metricsOf(&tmsv1.MetricRequest{Metric: "queueTime"}), "autoscaling: {enable: true, metrics: {queueTime: {}}}"},
	} {
		t.Run(name, func(t *testing.T) {
			test.request.Models = models
			lease, errs := newLease("ns", test.request)
			require.Empty(t, errs)
			require.Equal(t, "ns", lease.Namespace)
			text, err := json.Marshal(lease.Spec)
			require.NoError(t, err)
			want, err := yaml.YAMLToJSON([]byte(model + test.want))
			require.NoError(t, err)
			require.JSONEq(t, string(want), string(text))

			stored := new(v1alpha1.TritonLease)
			require.NoError(t, json.Unmarshal(text, &stored.Spec))
			require.True(t, sameSpec(lease, stored), "after a round trip through JSON")
		})
	}
}

func metricsOf(metrics ...*tmsv1.MetricRequest) *tmsv1.LeaseSpec {
	return &tmsv1.LeaseSpec{Autoscaling: &tmsv1.Autoscaling{Metrics: metrics}}
}

// TestInvalidRequests checks that all violations are returned at once, with the paths of
// the request and without control characters. The first violations are of newLease, the
// others of the policy.
func TestInvalidRequests(t *testing.T) {
	t.Parallel()
	hostile := "\x1b[2J\n---\nkind: Secret\u202e"
	for name, test := range map[string]struct {
		change func(*tmsv1.AcquireRequest)
		want   map[string]string
	}{
		"no spec": {func(r *tmsv1.AcquireRequest) { r.Spec = nil }, map[string]string{"spec.models": "Required value: at least one model is required"}},
		"too long lists": {func(r *tmsv1.AcquireRequest) {
			r.Spec.Models = make([]*tmsv1.Model, v1alpha1.MaxModels+1)
			r.Spec.Autoscaling = &tmsv1.Autoscaling{Metrics: make([]*tmsv1.MetricRequest, v1alpha1.MaxMetrics+1)}
		}, map[string]string{
			"spec.models":              "Too many: 101: must have at most 100 items",
			"spec.autoscaling.metrics": "Too many: 65: must have at most 64 items",
		}},
		"what a TritonLease cannot express": {func(r *tmsv1.AcquireRequest) {
			r.Namespace, r.Name, r.RequestId = "A", hostile, strings.Repeat("a", 129)
			r.Spec = metricsOf(&tmsv1.MetricRequest{}, &tmsv1.MetricRequest{Metric: "queueTime"}, &tmsv1.MetricRequest{Metric: "queueTime"}, &tmsv1.MetricRequest{Metric: "METRIC_QUEUE_TIME"})
			r.Spec.Resources, r.Spec.Duration = &tmsv1.Resources{Gpus: new(int64(-1))}, durationpb.New(-time.Second)
		}, map[string]string{
			"namespace": "must be a DNS label", "name": "must be a DNS label", "request_id": "at most 128 printable ASCII characters",
			"spec.models": "at least one model is required", "spec.resources.gpus": "must not be negative", "spec.duration": "must be between 0s and 99999999s",
			"spec.autoscaling.metrics[0].metric": "must be the name of a metric: cpuUtilization, gpuUtilization, queueTime", "spec.autoscaling.metrics[2].metric": "Duplicate value: \"queueTime\"",
			"spec.autoscaling.metrics[3].metric": "Invalid value: \"METRIC_QUEUE_TIME\": must be the name of a metric: cpuUtilization, gpuUtilization, queueTime",
		}},
		"a request id that is not ASCII": {func(r *tmsv1.AcquireRequest) { r.RequestId = "é" }, map[string]string{"request_id": "printable"}},
		"parts of seconds":               {func(r *tmsv1.AcquireRequest) { r.Spec.Duration = durationpb.New(time.Millisecond) }, map[string]string{"spec.duration": "whole seconds"}},
		"too long":                       {func(r *tmsv1.AcquireRequest) { r.Spec.Duration = &durationpb.Duration{Seconds: 100_000_000} }, map[string]string{"spec.duration": "between"}},
		"out of range":                   {func(r *tmsv1.AcquireRequest) { r.Spec.Duration = &durationpb.Duration{Seconds: math.MaxInt64} }, map[string]string{"spec.duration": "between"}},
		"an invalid duration":            {func(r *tmsv1.AcquireRequest) { r.Spec.Duration = &durationpb.Duration{Seconds: 1, Nanos: -1} }, map[string]string{"spec.duration": "between"}},
		"what the policy refuses": {func(r *tmsv1.AcquireRequest) {
			r.Spec.Models = []*tmsv1.Model{{Name: hostile, Uri: hostile}}
			r.Spec.TritonImage = hostile
			r.Spec.Resources = &tmsv1.Resources{Cpus: hostile, Memory: "{{ .Values }}"}
			r.Spec.Autoscaling = metricsOf(&tmsv1.MetricRequest{Metric: "queueTime", Threshold: new(int64(-1))}).Autoscaling
			r.Spec.Autoscaling.MinReplicas, r.Spec.Autoscaling.MaxReplicas = new(int64(-1)), new(int64(-1))
		}, map[string]string{
			"spec.models[0].name": "must be the name of a folder", "spec.models[0].uri": "must be s3://",
			"spec.triton_image": "must be an image reference", "spec.resources.cpus": "must be a quantity", "spec.resources.memory": "must be a quantity",
			"spec.autoscaling.min_replicas": "must be at least 0", "spec.autoscaling.max_replicas": "must be at least 0",
			"spec.autoscaling.metrics.queueTime.threshold": "must be at least 0",
		}},
		"contradictions": {func(r *tmsv1.AcquireRequest) {
			r.Spec.Models = append(r.Spec.Models, r.GetSpec().GetModels()[0])
			r.Spec.Autoscaling = metricsOf(&tmsv1.MetricRequest{Metric: "latency"}).Autoscaling
			r.Spec.Autoscaling.MinReplicas, r.Spec.Autoscaling.MaxReplicas = new(int64(3)), new(int64(2))
		}, map[string]string{
			"spec.models[1].name": "Duplicate value", "spec.autoscaling.min_replicas": "must not exceed maximum (2)",
			"spec.autoscaling.metrics.latency": "unknown metric (known here: cpuUtilization, gpuUtilization, queueTime, firstResponseTime, waitingRequests)",
		}},
		"two models of one name": {func(r *tmsv1.AcquireRequest) { r.Spec.Models = append(r.Spec.Models, r.GetSpec().GetModels()[0]) }, map[string]string{
			"spec.models[1].name": "Duplicate value: \"m\"",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t)
				_, err := c.acquire(t.Context(), "ann", request(test.change)).result()
				requireCode(t, connect.CodeInvalidArgument, err)
				got := map[string]string{}
				for field, message := range fields(t, err) {
					require.Contains(t, message, test.want[field], field)
					got[field] = test.want[field]
					require.Contains(t, err.Error(), field+": ")
				}
				require.Equal(t, test.want, got)
				for _, c := range err.Error() {
					require.True(t, c == '\n' || c >= ' ' && c <= '~', "%q", err.Error())
				}
				require.Empty(t, c.all())
			})
		})
	}
}
