package lease

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/api/v1alpha1"
)

// gpus is the resource that requests for GPUs ask for.
const gpus = "nvidia.com/gpu"

// newLease returns the lease that a request asks for, without a name. The errors are
// about what a lease cannot say; what it may say is decided as for every lease.
func newLease(namespace string, asked *tmsv1.LeaseSpec) (*v1alpha1.TritonLease, field.ErrorList) {
	lease := &v1alpha1.TritonLease{ObjectMeta: metav1.ObjectMeta{Namespace: namespace}}
	spec := field.NewPath("spec")
	for _, model := range asked.GetModels() {
		lease.Spec.Models = append(lease.Spec.Models, v1alpha1.Model{Name: model.GetName(), URI: model.GetUri()})
	}
	lease.Spec.Image = asked.GetTritonImage()
	if asked != nil {
		lease.Spec.AutoRenew = asked.AutoRenew // absent is not false
	}
	var wrong field.ErrorList
	if len(lease.Spec.Models) == 0 {
		wrong = append(wrong, field.Required(spec.Child("models"), "name at least one model"))
	}
	triton, err := newTriton(spec.Child("resources"), asked.GetResources())
	lease.Spec.Triton, wrong = triton, append(wrong, err...)
	if scaling := asked.GetAutoscaling(); scaling != nil {
		lease.Spec.Autoscaling = v1alpha1.Autoscaling{Enable: true, Replicas: v1alpha1.ReplicaRange{
			Minimum: scaling.MinReplicas, Maximum: scaling.MaxReplicas,
		}}
		wrong = append(wrong, setMetrics(spec.Child("autoscaling", "metrics"), &lease.Spec.Autoscaling, scaling.GetMetrics())...)
	}
	if d := asked.GetDuration(); d != nil {
		duration, err := newDuration(spec.Child("duration"), d)
		lease.Spec.Duration = &duration
		wrong = append(wrong, err...)
	}
	return lease, wrong
}

// newTriton returns how the Triton runs, nil where the request does not say.
func newTriton(path *field.Path, asked *tmsv1.Resources) (*v1alpha1.Triton, field.ErrorList) {
	resources := v1alpha1.Resources{Requests: map[string]v1alpha1.RawJSON{}, Limits: map[string]v1alpha1.RawJSON{}}
	if asked == nil {
		return nil, nil
	}
	var wrong field.ErrorList
	if asked.Gpus != nil {
		if resources.Limits[gpus] = v1alpha1.Raw(asked.GetGpus()); asked.GetGpus() < 0 {
			wrong = append(wrong, field.Invalid(path.Child("gpus"), asked.GetGpus(), "must not be negative"))
		}
	}
	if cpus := asked.GetCpus(); cpus != "" {
		resources.Requests["cpu"] = v1alpha1.Raw(cpus)
	}
	if memory := asked.GetMemory(); memory != "" {
		resources.Requests["memory"], resources.Limits["memory"] = v1alpha1.Raw(memory), v1alpha1.Raw(memory)
	}
	return &v1alpha1.Triton{Resources: resources}, wrong
}

// setMetrics sets what a request asks of metrics.
func setMetrics(path *field.Path, to *v1alpha1.Autoscaling, asked []*tmsv1.MetricRequest) field.ErrorList {
	var wrong field.ErrorList
	for i, one := range asked {
		metric, known := metrics[one.GetMetric()]
		switch {
		case !known:
			wrong = append(wrong, field.NotSupported(path.Index(i).Child("metric"), one.GetMetric().String(), names))
		case has(to.Metrics, metric):
			wrong = append(wrong, field.Duplicate(path.Index(i).Child("metric"), one.GetMetric().String()))
		default:
			if to.Metrics == nil {
				to.Metrics = map[v1alpha1.MetricName]v1alpha1.MetricRequest{}
			}
			to.Metrics[metric] = v1alpha1.MetricRequest{Enabled: one.Enabled, Threshold: one.Threshold}
		}
	}
	return wrong
}

func has[K comparable, V any](m map[K]V, key K) bool {
	_, ok := m[key]
	return ok
}

// metrics are those of the policy, by those of the API.
var metrics = map[tmsv1.Metric]v1alpha1.MetricName{
	tmsv1.Metric_METRIC_CPU_UTILIZATION: v1alpha1.CPUUtilization,
	tmsv1.Metric_METRIC_GPU_UTILIZATION: v1alpha1.GPUUtilization,
	tmsv1.Metric_METRIC_QUEUE_TIME:      v1alpha1.QueueTime,
}

// names are the metrics as requests spell them.
var names = []string{"METRIC_CPU_UTILIZATION", "METRIC_GPU_UTILIZATION", "METRIC_QUEUE_TIME"}

// newDuration returns a duration in the words of a lease, which count whole seconds.
func newDuration(path *field.Path, asked *durationpb.Duration) (v1alpha1.Duration, field.ErrorList) {
	const most = 99_999_999 // seconds: what a lease can say
	switch d := asked.AsDuration(); {
	case !asked.IsValid() || d < 0 || asked.GetSeconds() > most:
		return "", field.ErrorList{field.Invalid(path, asked.AsDuration().String(), fmt.Sprintf("must be between 0s and %ds", most))}
	case d%time.Second != 0:
		return "", field.ErrorList{field.Invalid(path, d.String(), "must be whole seconds")}
	default:
		return v1alpha1.Duration(fmt.Sprintf("%ds", asked.GetSeconds())), nil
	}
}
