// Package v1alpha1 defines the TritonLease custom resource: what a lease asks for,
// and what it was granted. It imports no other package of this project, so that
// clients can use the types alone.
//
// The same types describe leases.<name> of the chart's values. The JSON schema of
// the values is the source of the CustomResourceDefinition; a test holds these
// types to it.
//
// +k8s:deepcopy-gen=package
package v1alpha1
