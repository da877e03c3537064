package lease

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/pkg/policy"
)

// gpuResource is the resource of the field gpus.
const gpuResource = "nvidia.com/gpu"

// newLease returns the lease that a request asks for, without a name. The errors are
// about what a TritonLease cannot express; the policy checks everything else.
func newLease(namespace string, request *tmsv1.LeaseSpec) (*v1alpha1.TritonLease, field.ErrorList) {
	lease := &v1alpha1.TritonLease{ObjectMeta: metav1.ObjectMeta{Namespace: namespace}}
	path := field.NewPath("spec")
	if tooMany := checkSizes(path, request); len(tooMany) > 0 {
		return lease, tooMany
	}
	for _, model := range request.GetModels() {
		lease.Spec.Models = append(lease.Spec.Models, v1alpha1.Model{Name: model.GetName(), URI: model.GetUri()})
	}
	lease.Spec.Image = request.GetTritonImage()
	if request != nil {
		lease.Spec.AutoRenew = request.AutoRenew // nil differs from false
	}
	var errs field.ErrorList
	if len(lease.Spec.Models) == 0 {
		errs = append(errs, field.Required(path.Child("models"), "at least one model is required"))
	}
	triton, tritonErrs := newTriton(path.Child("resources"), request.GetResources())
	lease.Spec.Triton, errs = triton, append(errs, tritonErrs...)
	if autoscaling := request.GetAutoscaling(); autoscaling != nil {
		metrics, metricErrs := newMetrics(path.Child("autoscaling", "metrics"), autoscaling.GetMetrics())
		lease.Spec.Autoscaling = v1alpha1.Autoscaling{
			Enable:   true,
			Replicas: v1alpha1.ReplicaRange{Minimum: autoscaling.MinReplicas, Maximum: autoscaling.MaxReplicas, Schedule: newSchedule(autoscaling.GetSchedule())},
			Metrics:  metrics,
		}
		errs = append(errs, metricErrs...)
	}
	if request.GetDuration() != nil {
		duration, durationErrs := newDuration(path.Child("duration"), request.GetDuration())
		lease.Spec.Duration, errs = &duration, append(errs, durationErrs...)
	}
	return lease, errs
}

// checkSizes refuses long lists before each of their items is checked.
func checkSizes(path *field.Path, request *tmsv1.LeaseSpec) field.ErrorList {
	var errs field.ErrorList
	for _, list := range []struct {
		path         *field.Path
		length, most int
	}{
		{path.Child("models"), len(request.GetModels()), v1alpha1.MaxModels},
		{path.Child("autoscaling", "metrics"), len(request.GetAutoscaling().GetMetrics()), v1alpha1.MaxMetrics},
		{path.Child("autoscaling", "replicas", "schedule"), len(request.GetAutoscaling().GetSchedule()), v1alpha1.MaxSchedule},
	} {
		if list.length > list.most {
			errs = append(errs, field.TooMany(list.path, list.length, list.most))
		}
	}
	return errs
}

// newTriton returns nil if the request asks for no resources.
func newTriton(path *field.Path, request *tmsv1.Resources) (*v1alpha1.Triton, field.ErrorList) {
	if request == nil {
		return nil, nil
	}
	var errs field.ErrorList
	resources := v1alpha1.Resources{Requests: map[string]v1alpha1.RawJSON{}, Limits: map[string]v1alpha1.RawJSON{}}
	if request.Gpus != nil {
		resources.Limits[gpuResource] = v1alpha1.Raw(request.GetGpus())
		if request.GetGpus() < 0 {
			errs = append(errs, field.Invalid(path.Child("gpus"), request.GetGpus(), "must not be negative"))
		}
	}
	if cpus := request.GetCpus(); cpus != "" {
		resources.Requests["cpu"] = v1alpha1.Raw(cpus)
	}
	if memory := request.GetMemory(); memory != "" {
		resources.Requests["memory"], resources.Limits["memory"] = v1alpha1.Raw(memory), v1alpha1.Raw(memory)
	}
	return &v1alpha1.Triton{Resources: resources}, errs
}

// newMetrics returns nil if the request names no metric.
func newMetrics(path *field.Path, requests []*tmsv1.MetricRequest) (map[v1alpha1.MetricName]v1alpha1.MetricRequest, field.ErrorList) {
	var metrics map[v1alpha1.MetricName]v1alpha1.MetricRequest
	var errs field.ErrorList
	for i, request := range requests {
		path, name := path.Index(i).Child("metric"), v1alpha1.MetricName(request.GetMetric())
		if !policy.ValidMetricName(request.GetMetric()) {
			errs = append(errs, field.Invalid(path, request.GetMetric(), "must be the name of a metric: "+metricNames()+", or a metric of the administrator"))
			continue
		}
		if _, ok := metrics[name]; ok {
			errs = append(errs, field.Duplicate(path, request.GetMetric()))
			continue
		}
		if metrics == nil {
			metrics = map[v1alpha1.MetricName]v1alpha1.MetricRequest{}
		}
		metrics[name] = v1alpha1.MetricRequest{Enabled: request.Enabled, Threshold: request.Threshold}
	}
	return metrics, errs
}

func metricNames() string {
	var names []string
	for _, name := range policy.MetricNames() {
		names = append(names, string(name))
	}
	return strings.Join(names, ", ")
}

func newSchedule(entries []*tmsv1.ScheduledReplicas) []v1alpha1.ScheduledRange {
	var schedule []v1alpha1.ScheduledRange
	for _, entry := range entries {
		schedule = append(schedule, v1alpha1.ScheduledRange{
			Cron: entry.GetCron(), TimeZone: entry.GetTimeZone(), Minimum: entry.Minimum, Maximum: entry.Maximum,
		})
	}
	return schedule
}

// newDuration returns a duration as a TritonLease spells it, in whole seconds.
func newDuration(path *field.Path, request *durationpb.Duration) (v1alpha1.Duration, field.ErrorList) {
	const maxSeconds = 99_999_999 // what v1alpha1.Duration can hold
	switch d := request.AsDuration(); {
	case !request.IsValid() || d < 0 || request.GetSeconds() > maxSeconds:
		return "", field.ErrorList{field.Invalid(path, d.String(), fmt.Sprintf("must be between 0s and %ds", maxSeconds))}
	case d%time.Second != 0:
		return "", field.ErrorList{field.Invalid(path, d.String(), "must be whole seconds")}
	default:
		return v1alpha1.Duration(fmt.Sprintf("%ds", request.GetSeconds())), nil
	}
}
