package v1alpha1

// Triton describes the Triton container and its pod.
type Triton struct {
	// Replicas is the number of replicas of a lease that is not autoscaled.
	Replicas                      *int64               `json:"replicas,omitempty"`
	Resources                     Resources            `json:"resources,omitzero"`
	Args                          []string             `json:"args,omitzero"`
	Env                           []Env                `json:"env,omitzero"`
	SharedMemorySize              RawJSON              `json:"sharedMemorySize,omitempty"`
	Volumes                       []RawJSON            `json:"volumes,omitzero"`
	VolumeMounts                  []RawJSON            `json:"volumeMounts,omitzero"`
	NodeSelector                  map[string]string    `json:"nodeSelector,omitzero"`
	Tolerations                   []RawJSON            `json:"tolerations,omitzero"`
	Affinity                      RawJSON              `json:"affinity,omitempty"`
	TopologySpreadConstraints     []RawJSON            `json:"topologySpreadConstraints,omitzero"`
	PriorityClassName             string               `json:"priorityClassName,omitempty"`
	ServiceAccountName            string               `json:"serviceAccountName,omitempty"`
	TerminationGracePeriodSeconds *int64               `json:"terminationGracePeriodSeconds,omitempty"`
	Strategy                      RawJSON              `json:"strategy,omitempty"`
	ProgressDeadlineSeconds       *int64               `json:"progressDeadlineSeconds,omitempty"`
	PodSecurityContext            RawJSON              `json:"podSecurityContext,omitempty"`
	SecurityContext               RawJSON              `json:"securityContext,omitempty"`
	Probes                        Probes               `json:"probes,omitzero"`
	PodDisruptionBudget           *PodDisruptionBudget `json:"podDisruptionBudget,omitempty"`
}

// Resources are the compute resources of the Triton container. Each quantity is a
// Kubernetes quantity, as a JSON string or number.
type Resources struct {
	Requests map[string]RawJSON `json:"requests,omitzero"`
	Limits   map[string]RawJSON `json:"limits,omitzero"`
}

// Env is an environment variable of the Triton container.
type Env struct {
	Name      string  `json:"name"`
	Value     string  `json:"value,omitempty"`
	ValueFrom RawJSON `json:"valueFrom,omitempty"`
}

// Probes are the timings of the probes of the Triton container.
type Probes struct {
	Startup   Probe `json:"startup,omitzero"`
	Readiness Probe `json:"readiness,omitzero"`
	Liveness  Probe `json:"liveness,omitzero"`
}

// Probe is the timing of one probe: periods in seconds, thresholds in probes.
type Probe struct {
	InitialDelaySeconds           *int64 `json:"initialDelaySeconds,omitempty"`
	PeriodSeconds                 *int64 `json:"periodSeconds,omitempty"`
	TimeoutSeconds                *int64 `json:"timeoutSeconds,omitempty"`
	SuccessThreshold              *int64 `json:"successThreshold,omitempty"`
	FailureThreshold              *int64 `json:"failureThreshold,omitempty"`
	TerminationGracePeriodSeconds *int64 `json:"terminationGracePeriodSeconds,omitempty"`
}

// PodDisruptionBudget sets one of MinAvailable and MaxUnavailable, each a number or
// a percentage.
type PodDisruptionBudget struct {
	MinAvailable               RawJSON `json:"minAvailable,omitempty"`
	MaxUnavailable             RawJSON `json:"maxUnavailable,omitempty"`
	UnhealthyPodEvictionPolicy string  `json:"unhealthyPodEvictionPolicy,omitempty"`
}
