package policy

import "github.com/triton-leases/tms/api/v1alpha1"

// enabledKey returns the key that turns a metric on or off, and its value. The value is nil
// if the lease has neither enabled nor enable.
func enabledKey(r v1alpha1.MetricRequest) (key string, value *bool) {
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
