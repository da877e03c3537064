package policy_test

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/pkg/policy"
)

func ExamplePolicy_Grant() {
	p, err := policy.New(policy.Config{
		Enable: true,
		Replicas: policy.ReplicaBounds{
			Default: policy.ReplicaDefaults{Minimum: 1, Maximum: 5},
			Limits:  policy.ReplicaLimits{Maximum: 10, Minimum: policy.MinimumLimits{LowerBound: 1, UpperBound: 2}},
		},
		Metrics: map[v1alpha1.MetricName]policy.MetricBounds{
			v1alpha1.CPUUtilization: {Threshold: policy.ThresholdBounds{Default: 90, Minimum: 50, Maximum: 100}},
			v1alpha1.GPUUtilization: {Threshold: policy.ThresholdBounds{Default: 90, Minimum: 50, Maximum: 100}},
			v1alpha1.QueueTime:      {Enabled: true, Threshold: policy.ThresholdBounds{Default: 10_000, Minimum: 10_000}},
		},
		Prometheus: policy.Prometheus{ScrapeInterval: "15s", EvaluationInterval: "15s", RateWindow: "1m"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fifty := int64(50)
	grant, err := p.Grant(field.NewPath("leases", "resnet50"), v1alpha1.Autoscaling{
		Enable:   true,
		Replicas: v1alpha1.ReplicaRange{Maximum: &fifty},
	}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(grant.MinReplicas, grant.MaxReplicas, grant.Metrics)
	fmt.Println(grant.Adjustments[0])
	// Output:
	// 1 10 [{queueTime 10000}]
	// leases.resnet50.autoscaling.replicas.maximum: asked 50, granted 10 (server.autoscaling.replicas.limits.maximum)
}
