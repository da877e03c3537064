// Package v1alpha1 defines the part of the ScaledObject of KEDA (keda.sh/v1alpha1) that
// leases use. KEDA's own package would add the modules of all its scalers.
//
// +k8s:deepcopy-gen=package
package v1alpha1
