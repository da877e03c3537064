package values

import (
	"fmt"
	"strings"
)

// Triton is how a Triton runs.
type Triton struct {
	// Replicas is the number of replicas of a lease that is not autoscaled.
	Replicas                      *int64               `json:"replicas,omitempty"`
	Resources                     Resources            `json:"resources,omitzero"`
	Args                          []string             `json:"args,omitzero"`
	Env                           []Env                `json:"env,omitzero"`
	SharedMemorySize              Quantity             `json:"sharedMemorySize,omitempty"`
	Volumes                       []Verbatim           `json:"volumes,omitzero"`
	VolumeMounts                  []Verbatim           `json:"volumeMounts,omitzero"`
	NodeSelector                  map[string]string    `json:"nodeSelector,omitzero"`
	Tolerations                   []Verbatim           `json:"tolerations,omitzero"`
	Affinity                      Verbatim             `json:"affinity,omitzero"`
	TopologySpreadConstraints     []Verbatim           `json:"topologySpreadConstraints,omitzero"`
	PriorityClassName             string               `json:"priorityClassName,omitempty"`
	ServiceAccountName            string               `json:"serviceAccountName,omitempty"`
	TerminationGracePeriodSeconds *int64               `json:"terminationGracePeriodSeconds,omitempty"`
	Strategy                      Verbatim             `json:"strategy,omitzero"`
	ProgressDeadlineSeconds       *int64               `json:"progressDeadlineSeconds,omitempty"`
	PodSecurityContext            Verbatim             `json:"podSecurityContext,omitzero"`
	SecurityContext               Verbatim             `json:"securityContext,omitzero"`
	Probes                        Probes               `json:"probes,omitzero"`
	PodDisruptionBudget           *PodDisruptionBudget `json:"podDisruptionBudget,omitempty"`
}

// Resources are the compute resources of the Triton container.
type Resources struct {
	Requests map[string]Quantity `json:"requests,omitzero"`
	Limits   map[string]Quantity `json:"limits,omitzero"`
}

// Quantity is a Kubernetes quantity: a string, or a number.
type Quantity any

// Env is an environment variable of the Triton container.
type Env struct {
	Name      string   `json:"name"`
	Value     string   `json:"value,omitempty"`
	ValueFrom Verbatim `json:"valueFrom,omitzero"`
}

// Probes are the timings of the probes of the Triton container.
type Probes struct {
	Startup   Probe `json:"startup,omitzero"`
	Readiness Probe `json:"readiness,omitzero"`
	Liveness  Probe `json:"liveness,omitzero"`
}

// Probe is the timing of one probe: seconds, and numbers of probes in a row.
type Probe struct {
	InitialDelaySeconds           *int64 `json:"initialDelaySeconds,omitempty"`
	PeriodSeconds                 *int64 `json:"periodSeconds,omitempty"`
	TimeoutSeconds                *int64 `json:"timeoutSeconds,omitempty"`
	SuccessThreshold              *int64 `json:"successThreshold,omitempty"`
	FailureThreshold              *int64 `json:"failureThreshold,omitempty"`
	TerminationGracePeriodSeconds *int64 `json:"terminationGracePeriodSeconds,omitempty"`
}

// PodDisruptionBudget has either of the first two: a number or a percentage.
type PodDisruptionBudget struct {
	MinAvailable               any    `json:"minAvailable,omitempty"`
	MaxUnavailable             any    `json:"maxUnavailable,omitempty"`
	UnhealthyPodEvictionPolicy string `json:"unhealthyPodEvictionPolicy,omitempty"`
}

// RequestsCPU says whether a Triton with these resources over those of defaults
// requests CPU. A limit without a request is a request too: Kubernetes copies it.
func (r Resources) RequestsCPU(defaults Resources) bool {
	for _, quantity := range []any{
		r.Requests["cpu"], defaults.Requests["cpu"], r.Limits["cpu"], defaults.Limits["cpu"],
	} {
		if quantity != nil {
			return positive(quantity)
		}
	}
	return false
}

// LimitsGPU says whether a Triton with these resources over those of defaults has an NVIDIA GPU.
func (r Resources) LimitsGPU(defaults Resources) bool {
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

func isGPU(resource string) bool { return strings.HasPrefix(resource, "nvidia.com/") }

// positive says whether a quantity that the schema accepts is more than zero:
// whether its digits, before the unit, have one that is not 0.
func positive(quantity Quantity) bool {
	digits := strings.TrimLeft(fmt.Sprint(quantity), "0.")
	return digits != "" && digits[0] >= '1' && digits[0] <= '9'
}
