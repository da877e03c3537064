package v1alpha1

import (
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is the API group and version of ScaledObject.
var GroupVersion = schema.GroupVersion{Group: "keda.sh", Version: "v1alpha1"}

// ScaledObject asks KEDA for a HorizontalPodAutoscaler.
//
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
type ScaledObject struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec ScaledObjectSpec `json:"spec"`
}

// ScaledObjectSpec is what KEDA scales, and by which metrics.
type ScaledObjectSpec struct {
	ScaleTargetRef  autoscalingv2.CrossVersionObjectReference `json:"scaleTargetRef"`
	MinReplicaCount *int32                                    `json:"minReplicaCount,omitempty"`
	MaxReplicaCount *int32                                    `json:"maxReplicaCount,omitempty"`
	Advanced        AdvancedConfig                            `json:"advanced"`
	// Fallback is what KEDA reports for a metric that it cannot read. KEDA allows none if all
	// triggers are of type cpu.
	Fallback *Fallback      `json:"fallback,omitempty"`
	Triggers []ScaleTrigger `json:"triggers"`
}

// AdvancedConfig configures the HorizontalPodAutoscaler.
type AdvancedConfig struct {
	HorizontalPodAutoscalerConfig HorizontalPodAutoscalerConfig `json:"horizontalPodAutoscalerConfig"`
}

// HorizontalPodAutoscalerConfig is the name and the behavior of the HorizontalPodAutoscaler.
type HorizontalPodAutoscalerConfig struct {
	Name     string                                         `json:"name"`
	Behavior *autoscalingv2.HorizontalPodAutoscalerBehavior `json:"behavior,omitempty"`
}

// Fallback replaces a metric after more than FailureThreshold failures in a row.
type Fallback struct {
	FailureThreshold int32  `json:"failureThreshold"`
	Replicas         int32  `json:"replicas"`
	Behavior         string `json:"behavior"`
}

// ScaleTrigger is one metric.
type ScaleTrigger struct {
	Type       string                         `json:"type"`
	Name       string                         `json:"name"`
	MetricType autoscalingv2.MetricTargetType `json:"metricType"`
	// Metadata is defined by the type of the trigger.
	Metadata          map[string]string  `json:"metadata"`
	AuthenticationRef *AuthenticationRef `json:"authenticationRef,omitempty"`
}

// AuthenticationRef names a TriggerAuthentication or a ClusterTriggerAuthentication.
type AuthenticationRef struct {
	Name string `json:"name"`
	Kind string `json:"kind,omitempty"`
}

// ScaledObjectList is a list of ScaledObjects.
//
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
type ScaledObjectList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []ScaledObject `json:"items"`
}
