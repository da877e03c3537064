package leasepod_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/pkg/policy"
)

func TestResources(t *testing.T) {
	t.Parallel()
	limits := policy.LimitsConfig{GPUs: 8, CPU: v1alpha1.Raw("16"), Memory: v1alpha1.Raw("64Gi")}
	const (
		small  = "resources: {limits: {memory: 1Gi}}"
		triton = "containers: [{name: triton, resources: {limits: {memory: 1Gi, nvidia.com/gpu: 4}}}"
	)
	invalid := func(key, value, limit, bound string) string {
		return "spec.triton.resources" + key + `: Invalid value: "` + value + `": must not exceed server.leases.limits.` + limit + " (" + bound +
			") in all containers of a pod together; an administrator sets it in the values of the release"
	}
	tooMany := func(n string) string { return invalid(".limits", n, "gpus", "8") }
	for name, test := range map[string]struct {
		limits  *policy.LimitsConfig
		spec    string
		gpus    int64
		refused []string
	}{
		"at the limits":                   {spec: "containers: [{name: triton, resources: {limits: {memory: 64Gi, nvidia.com/gpu: 8, cpu: 16}}}]", gpus: 8},
		"above the limits":                {spec: "containers: [{name: triton, resources: {limits: {memory: 65Gi, nvidia.com/gpu: 9, cpu: 16001m}}}]", refused: []string{tooMany("9"), invalid("", "16001m", "cpu", "16"), invalid(".limits.memory", "65Gi", "memory", "64Gi")}},
		"a CPU request above the limit":   {spec: "containers: [{name: triton, resources: {requests: {cpu: 17}, limits: {memory: 1Gi}}}]", refused: []string{invalid("", "17", "cpu", "16")}},
		"no CPU limit":                    {spec: "containers: [{name: triton, " + small + "}]"},
		"no memory limit":                 {spec: "containers: [{name: triton}], initContainers: [{name: a}, {name: b, " + small + "}]", refused: []string{"spec.triton.resources.limits.memory: Required value: the container a needs a memory limit, because there is a server.leases.limits.memory", "spec.triton.resources.limits.memory: Required value: the container triton needs a memory limit, because there is a server.leases.limits.memory"}},
		"a memory limit of the pod":       {spec: "resources: {limits: {memory: 64Gi}}, containers: [{name: triton}]"},
		"a high memory limit of the pod":  {spec: "resources: {limits: {memory: 65Gi}}, containers: [{name: triton}]", refused: []string{invalid(".limits.memory", "65Gi", "memory", "64Gi")}},
		"huge pages":                      {spec: "containers: [{name: triton, resources: {limits: {memory: 64Gi, hugepages-2Mi: 2Mi}}}]", refused: []string{invalid(".limits.memory", "65538Mi", "memory", "64Gi")}},
		"two containers":                  {spec: triton + ", {name: a, resources: {limits: {memory: 1Gi, nvidia.com/gpu: 5}}}]", refused: []string{tooMany("9")}},
		"a sidecar":                       {spec: triton + "], initContainers: [{name: a, restartPolicy: Always, resources: {limits: {memory: 1Gi, nvidia.com/gpu: 5}}}]", refused: []string{tooMany("9")}},
		"an init container":               {spec: triton + "], initContainers: [{name: a, resources: {limits: {memory: 1Gi, nvidia.com/gpu: 5}}}]", gpus: 5},
		"an init container after sidecar": {spec: triton + "], initContainers: [{name: a, restartPolicy: Always, resources: {limits: {memory: 1Gi, nvidia.com/gpu: 1}}}, {name: b, resources: {limits: {memory: 1Gi, nvidia.com/gpu: 8}}}]", refused: []string{tooMany("9")}},
		"a GPU that is only requested":    {spec: "containers: [{name: triton, resources: {requests: {nvidia.com/gpu: 9}, limits: {memory: 1Gi}}}]", refused: []string{tooMany("9")}},
		"several kinds of GPUs":           {spec: "containers: [{name: triton, resources: {limits: {memory: 1Gi, nvidia.com/gpu: 1, nvidia.com/gpu.shared: 1, nvidia.com/mig-1g.5gb: 1, amd.com/gpu: 1, gpu.intel.com/i915: 1, example.com/GPU-x: 1, example.com/fpga: 7}}}]", gpus: 6},
		"devices of classes":              {spec: "containers: [{name: triton, resources: {limits: {memory: 1Gi, deviceclass.resource.kubernetes.io/h100: 9}}}]", refused: []string{tooMany("9")}},
		"a low CPU request of the pod":    {spec: "resources: {requests: {cpu: 1}}, containers: [{name: triton, resources: {requests: {cpu: 17}, limits: {memory: 1Gi}}}]", refused: []string{invalid("", "17", "cpu", "16")}},
		"more GPUs than an integer":       {spec: "containers: [{name: triton, resources: {limits: {memory: 1Gi, nvidia.com/gpu: 1e30}}}]", refused: []string{tooMany("1e30")}},
		"no GPUs":                         {limits: &policy.LimitsConfig{}, spec: "containers: [{name: triton, resources: {limits: {nvidia.com/gpu: 1}}}]", refused: []string{invalid(".limits", "1", "gpus", "0")}},
		"no limits but of GPUs":           {limits: &policy.LimitsConfig{CPU: v1alpha1.Raw("")}, spec: "containers: [{name: triton, resources: {limits: {cpu: 1e9}, requests: {memory: 1e15}}}]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := policy.LeaseConfig{Limits: limits, PodSecurityStandard: "privileged"}
			if test.limits != nil {
				config.Limits = *test.limits
			}
			pod := judge(t, config, "{spec: {"+test.spec+"}}")
			if test.refused == nil {
				require.Equal(t, test.gpus, pod.GPUs)
			}
			require.Equal(t, test.refused, messages(pod.Refused))
		})
	}
}
