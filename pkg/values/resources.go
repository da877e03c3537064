package values

import (
	"bytes"
	"strings"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// RequestsCPU reports whether a Triton with these resources, merged over the defaults,
// requests CPU. A limit without a request counts: Kubernetes copies it.
func RequestsCPU(r, defaults v1alpha1.Resources) bool {
	if request := merged(r.Requests, defaults.Requests, "cpu"); request != nil {
		return positive(request)
	}
	return positive(merged(r.Limits, defaults.Limits, "cpu"))
}

// merged returns a quantity of r, or the default. It is nil if there is none, or if an
// empty string removes it.
func merged(r, defaults map[string]v1alpha1.RawJSON, name string) v1alpha1.RawJSON {
	quantity, has := r[name]
	if !has {
		quantity = defaults[name]
	}
	if string(quantity) == `""` {
		return nil
	}
	return quantity
}

// LimitsGPU reports whether a Triton with these resources, merged over the defaults,
// has a limit of NVIDIA GPUs whose utilization Triton reports. A MIG device is none.
func LimitsGPU(r, defaults v1alpha1.Resources) bool {
	for name, quantity := range defaults.Limits {
		if _, overridden := r.Limits[name]; !overridden && isGPU(name) && positive(quantity) {
			return true
		}
	}
	for name, quantity := range r.Limits {
		if isGPU(name) && positive(quantity) {
			return true
		}
	}
	return false
}

func isGPU(resource string) bool {
	return strings.HasPrefix(resource, "nvidia.com/") && !strings.HasPrefix(resource, "nvidia.com/mig-")
}

// positive reports whether a quantity that the schema accepts is more than zero: a
// digit other than 0 comes before its unit.
func positive(quantity v1alpha1.RawJSON) bool {
	digits := bytes.TrimLeft(quantity, `"0.`)
	return len(digits) > 0 && digits[0] >= '1' && digits[0] <= '9'
}
