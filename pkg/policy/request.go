package policy

import "github.com/triton-leases/tms/api/v1alpha1"

// choice returns the key with which a lease turns a metric on or off, and its value;
// nil if it names neither key.
func choice(r v1alpha1.MetricRequest) (key string, value *bool) {
	if r.Enabled != nil {
		return "enabled", r.Enabled
	}
	return "enable", r.Enable
}

// Pod is what the policy needs to know about the pods of a lease. A nil *Pod stands for
// the pods of a target, which are not known.
type Pod struct {
	// CPURequest reports whether the Triton container requests CPU.
	CPURequest bool
	// GPULimit reports whether the Triton container has a GPU limit.
	GPULimit bool
	// Image is the Triton image.
	Image string
	// Arguments are the arguments of Triton.
	Arguments []Arguments
	// FixedReplicas reports whether the lease names a fixed number of replicas.
	FixedReplicas bool
}
