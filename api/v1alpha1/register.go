package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is the API group and version of TritonLease.
var GroupVersion = schema.GroupVersion{Group: "tms.triton-leases.dev", Version: "v1alpha1"}

// LeaseLabel is the label with the name of the lease, on each object and pod of a lease.
const LeaseLabel = "tms.triton-leases.dev/lease"

// ScheduleLabel is "true" on the ConfigMap from which tms-server creates the autoscaler of a
// lease in the values with a schedule.
const ScheduleLabel = "tms.triton-leases.dev/schedule"

// Labels of the Service of a name of a lease.
const (
	// NamedLeaseLabel has the name of the lease that the name points to.
	NamedLeaseLabel = "tms.triton-leases.dev/named-lease"
	// ServerNamespaceLabel has the namespace of the release of tms-server. The name of the
	// release is in app.kubernetes.io/instance.
	ServerNamespaceLabel = "tms.triton-leases.dev/server-namespace"
)

// AddToScheme adds TritonLease to a scheme.
func AddToScheme(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion, &TritonLease{}, &TritonLeaseList{})
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
