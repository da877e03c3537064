package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TritonLease is a lease at run time: a Triton, or several replicas of it, that
// serves a set of models.
//
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
type TritonLease struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   TritonLeaseSpec   `json:"spec"`
	Status TritonLeaseStatus `json:"status,omitzero"`
}

// TritonLeaseSpec is what the lease asks for, and for how long.
type TritonLeaseSpec struct {
	LeaseSpec `json:",inline"`
	// Duration is how long the lease lasts from its creation, or from its last
	// renewal. 0s means that it does not expire. If it is nil, the lease gets the
	// administrator's default.
	Duration *Duration `json:"duration,omitempty"`
	// AutoRenew extends the lease while it serves requests.
	AutoRenew *bool `json:"autoRenew,omitempty"`
	// RenewTime is when a user renewed the lease. A time in the future has no effect
	// until it comes.
	RenewTime *metav1.Time `json:"renewTime,omitempty"`
	// ReloadTime is when a user asked for new pods, which load the models again. A time in
	// the future has no effect until it comes.
	ReloadTime *metav1.Time `json:"reloadTime,omitempty"`
	// AcquireBy is when the controller releases the lease, unless the client that
	// acquires it has removed the field by then.
	AcquireBy *metav1.Time `json:"acquireBy,omitempty"`
}

// TritonLeaseStatus is what the controller observed and granted.
type TritonLeaseStatus struct {
	// Installation is the tms-server that reconciles the lease, as namespace/release.
	// Other installations ignore the lease.
	Installation string `json:"installation,omitempty"`
	// Models are the names of the models, for kubectl get.
	Models string `json:"models,omitempty"`
	// ObservedGeneration is the generation of the spec that the status describes.
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Conditions have the types below.
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// Granted is what the lease has within the administrator's bounds. A lease that is
	// refused keeps what it was granted before.
	Granted *Granted `json:"granted,omitempty"`
	// Schedule is which entry of the granted schedule is in effect. It is nil if the lease has
	// no schedule.
	Schedule *ScheduleStatus `json:"schedule,omitempty"`
	// Refusals are the reasons why the spec is refused, at most 100. They are empty if
	// it is granted. The condition Granted has all reasons as one message.
	Refusals []Refusal `json:"refusals,omitempty"`
	// Limits are the administrator's limits for each lease.
	Limits *Limits `json:"limits,omitempty"`
	// Budget is the GPU budget of the namespace. It is nil if there is none.
	Budget *Budget `json:"budget,omitempty"`
	// Replicas is the number of pods, ReadyReplicas the number of pods that serve,
	// UpdatedReplicas the number of pods of the current manifests, and WantedReplicas the
	// number that the Deployment asks for.
	Replicas        int32 `json:"replicas,omitempty"`
	ReadyReplicas   int32 `json:"readyReplicas,omitempty"`
	UpdatedReplicas int32 `json:"updatedReplicas,omitempty"`
	WantedReplicas  int32 `json:"wantedReplicas,omitempty"`
	// ModelStates are the states of the models while no replica serves, if the controller
	// knows them. At most MaxModels.
	ModelStates []ModelState `json:"modelStates,omitempty"`
	// Address is where clients reach the Triton, such as tms-resnet50.inference.svc.
	Address string `json:"address,omitempty"`
	// RenewedAt is when the lease was last renewed, by a user or because it served
	// requests.
	RenewedAt *metav1.Time `json:"renewedAt,omitempty"`
	// ReloadedAt is the last reloadTime that took effect.
	ReloadedAt *metav1.Time `json:"reloadedAt,omitempty"`
	// ExpiresAt is when the lease expires.
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`
}

// ScheduleStatus is which entry of a granted schedule is in effect.
type ScheduleStatus struct {
	// Active is the index of the entry.
	Active int64 `json:"active"`
	// Since is when the entry took effect, and NextTime is the next time of any entry.
	Since    metav1.Time `json:"since"`
	NextTime metav1.Time `json:"nextTime"`
}

// ModelState is what one model does while a lease starts.
type ModelState struct {
	// Name is the name of the model.
	Name string `json:"name"`
	// State is one of the constants below.
	State string `json:"state"`
	// Message is the progress of a download, or why the model does not load.
	Message string `json:"message,omitempty"`
}

// The states of a model.
const (
	ModelPending     = "Pending"
	ModelDownloading = "Downloading"
	ModelLoading     = "Loading"
	ModelReady       = "Ready"
	ModelFailed      = "Failed"
)

// The conditions of a TritonLease.
const (
	// ConditionGranted is false if the request is refused; the message says why.
	ConditionGranted = "Granted"
	// ConditionReady is true while the Triton serves all models.
	ConditionReady = "Ready"
	// ConditionAutoscaling is true while the lease scales.
	ConditionAutoscaling = "Autoscaling"
	// ConditionAutoRenew reports whether the lease will be extended. It exists near
	// the end of a lease that asks for renewal.
	ConditionAutoRenew = "AutoRenew"
)

// TritonLeaseList is a list of TritonLeases.
//
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
type TritonLeaseList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []TritonLease `json:"items"`
}
