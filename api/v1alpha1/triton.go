package v1alpha1

// Triton describes the Triton container and its pod.
type Triton struct {
	// Replicas is the number of replicas of a lease that is not autoscaled.
	Replicas  *int64    `json:"replicas,omitempty"`
	Resources Resources `json:"resources,omitzero"`
	// Command replaces the entrypoint of the image, and runs tritonserver.
	Command         []string  `json:"command,omitzero"`
	Args            []string  `json:"args,omitzero"`
	ImagePullPolicy string    `json:"imagePullPolicy,omitempty"`
	Env             []Env     `json:"env,omitzero"`
	EnvFrom         []EnvFrom `json:"envFrom,omitzero"`
	// Lifecycle is a Lifecycle of Kubernetes. A lease's own replaces the default.
	Lifecycle                     RawJSON           `json:"lifecycle,omitempty"`
	SharedMemorySize              RawJSON           `json:"sharedMemorySize,omitempty"`
	Volumes                       []RawJSON         `json:"volumes,omitzero"`
	VolumeMounts                  []RawJSON         `json:"volumeMounts,omitzero"`
	InitContainers                []RawJSON         `json:"initContainers,omitzero"`
	PodAnnotations                map[string]string `json:"podAnnotations,omitzero"`
	PodLabels                     map[string]string `json:"podLabels,omitzero"`
	NodeSelector                  map[string]string `json:"nodeSelector,omitzero"`
	Tolerations                   []RawJSON         `json:"tolerations,omitzero"`
	Affinity                      RawJSON           `json:"affinity,omitempty"`
	TopologySpreadConstraints     []RawJSON         `json:"topologySpreadConstraints,omitzero"`
	PriorityClassName             string            `json:"priorityClassName,omitempty"`
	RuntimeClassName              string            `json:"runtimeClassName,omitempty"`
	SchedulerName                 string            `json:"schedulerName,omitempty"`
	DNSPolicy                     string            `json:"dnsPolicy,omitempty"`
	HostIPC                       bool              `json:"hostIPC,omitempty"`
	ResourceClaims                []RawJSON         `json:"resourceClaims,omitzero"`
	ServiceAccountName            string            `json:"serviceAccountName,omitempty"`
	TerminationGracePeriodSeconds *int64            `json:"terminationGracePeriodSeconds,omitempty"`
	// ConnectionAgeSeconds is the age at which Triton closes a gRPC connection; 0 means
	// never.
	ConnectionAgeSeconds    *int64               `json:"connectionAgeSeconds,omitempty"`
	Strategy                RawJSON              `json:"strategy,omitempty"`
	ProgressDeadlineSeconds *int64               `json:"progressDeadlineSeconds,omitempty"`
	PodSecurityContext      RawJSON              `json:"podSecurityContext,omitempty"`
	SecurityContext         RawJSON              `json:"securityContext,omitempty"`
	Probes                  Probes               `json:"probes,omitzero"`
	PodDisruptionBudget     *PodDisruptionBudget `json:"podDisruptionBudget,omitempty"`
	// PodTemplate is a part of a PodTemplateSpec of Kubernetes that the chart lays over the
	// pod.
	PodTemplate RawJSON `json:"podTemplate,omitempty"`
}

// Resources are the compute resources of the Triton container. Each quantity is a
// Kubernetes quantity, as a JSON string or number.
type Resources struct {
	Requests map[string]RawJSON `json:"requests,omitzero"`
	Limits   map[string]RawJSON `json:"limits,omitzero"`
	// Claims are the claims of the pod that the container uses.
	Claims []ResourceClaim `json:"claims,omitzero"`
}

// ResourceClaim names a claim of the pod, or one request of the claim.
type ResourceClaim struct {
	Name    string `json:"name"`
	Request string `json:"request,omitempty"`
}

// Env is an environment variable of the Triton container.
type Env struct {
	Name      string  `json:"name"`
	Value     string  `json:"value,omitempty"`
	ValueFrom RawJSON `json:"valueFrom,omitempty"`
}

// EnvFrom is a source of environment variables: a Secret or a ConfigMap.
type EnvFrom struct {
	Prefix       string     `json:"prefix,omitempty"`
	SecretRef    *Reference `json:"secretRef,omitempty"`
	ConfigMapRef *Reference `json:"configMapRef,omitempty"`
}

// Reference names an object in the namespace of the pod.
type Reference struct {
	Name string `json:"name"`
	// Optional lets the container start without the object.
	Optional bool `json:"optional,omitempty"`
}

// Service is the Service of a lease.
type Service struct {
	// Type is ClusterIP, NodePort or LoadBalancer.
	Type        string            `json:"type,omitempty"`
	Annotations map[string]string `json:"annotations,omitzero"`
	Labels      map[string]string `json:"labels,omitzero"`
	// Headless adds a headless Service.
	Headless *bool `json:"headless,omitempty"`
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
