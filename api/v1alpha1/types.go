// Package v1alpha1 is the custom resource TritonLease.
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/triton-leases/tms/pkg/policy"
	"github.com/triton-leases/tms/pkg/values"
)

// TritonLease is a Triton, or several replicas of it, serving a set of models.
type TritonLease struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   TritonLeaseSpec   `json:"spec"`
	Status TritonLeaseStatus `json:"status,omitzero"`
}

// TritonLeaseSpec is what the lease asks for: what leases.<name> of the chart's
// values says, and how long.
type TritonLeaseSpec struct {
	values.Lease `json:",inline"`
	// Duration is how long the lease lasts from its creation, or from its last
	// renewal; 0s has no end. Where it is nil, it is the administrator's default.
	Duration *policy.Duration `json:"duration,omitempty"`
	// AutoRenew extends the lease while it serves requests.
	AutoRenew *bool `json:"autoRenew,omitempty"`
	// RenewTime is when somebody renewed the lease. One that lies in the future
	// does not count before it comes.
	RenewTime *metav1.Time `json:"renewTime,omitempty"`
	// AcquireBy is when the lease is released again, unless whoever asked for it has
	// taken this away because it has it now.
	AcquireBy *metav1.Time `json:"acquireBy,omitempty"`
}

// TritonLeaseStatus is what the controller saw and did last.
type TritonLeaseStatus struct {
	// Installation is the tms-server that looks after the lease, as namespace/release.
	// Others leave it alone.
	Installation string `json:"installation,omitempty"`
	// Models are the names of the models, for people who list leases.
	Models string `json:"models,omitempty"`
	// ObservedGeneration is the generation of the spec that the rest is about.
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Conditions are those below.
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// Granted is what the lease has within the administrator's bounds.
	Granted *Granted `json:"granted,omitempty"`
	// Replicas are those that there are now, ReadyReplicas those of them that serve,
	// and WantedReplicas those that the Deployment is asked for.
	Replicas       int32 `json:"replicas,omitempty"`
	ReadyReplicas  int32 `json:"readyReplicas,omitempty"`
	WantedReplicas int32 `json:"wantedReplicas,omitempty"`
	// Address is where clients reach the Triton, such as tms-resnet50.inference.svc.
	Address string `json:"address,omitempty"`
	// RenewedAt is when the lease was last renewed, by somebody or because it served
	// requests.
	RenewedAt *metav1.Time `json:"renewedAt,omitempty"`
	// ExpiresAt is when the lease ends.
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`
}

// Granted is what a lease has within the administrator's bounds, and for how long.
type Granted struct {
	policy.Grant `json:",inline"`
	policy.Term  `json:",inline"`
}

// The conditions of a TritonLease.
const (
	// ConditionGranted is false where the request is refused; the message says why.
	ConditionGranted = "Granted"
	// ConditionReady is true while the Triton serves all models.
	ConditionReady = "Ready"
	// ConditionAutoscaling is true while the lease scales.
	ConditionAutoscaling = "Autoscaling"
	// ConditionAutoRenew says whether the lease will be extended: it is there near
	// the end of a lease that asks for it.
	ConditionAutoRenew = "AutoRenew"
)

// TritonLeaseList is a list of them.
type TritonLeaseList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []TritonLease `json:"items"`
}
