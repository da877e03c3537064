// Package leasepod checks the rendered pods of a TritonLease against the bounds of the
// administrator: their resources, their security, and that no Service takes them for pods of
// tms-server.
package leasepod

import (
	"cmp"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/triton-leases/tms/pkg/policy"
)

// Verdict is the result of Judge.
type Verdict struct {
	// GPUs is the number of GPUs of one pod.
	GPUs int64
	// ServiceAccount is the name of their service account.
	ServiceAccount string
	// Refused are the reasons why no TritonLease may have these pods.
	Refused field.ErrorList
}

// componentLabel distinguishes the pods of leases from those of tms-server.
const componentLabel = "app.kubernetes.io/component"

// Judge checks the template of the pods of a TritonLease. The path is that of the lease.
func Judge(bounds *policy.LeaseBounds, path *field.Path, template *corev1.PodTemplateSpec) Verdict {
	triton := path.Child("triton")
	verdict := Verdict{ServiceAccount: cmp.Or(template.Spec.ServiceAccountName, template.Spec.DeprecatedServiceAccount)}
	verdict.GPUs, verdict.Refused = checkResources(bounds, triton, template)
	verdict.Refused = append(verdict.Refused, checkSecurity(bounds, triton, template)...)
	if component := template.Labels[componentLabel]; component == "server" {
		verdict.Refused = append(verdict.Refused, field.Invalid(triton.Child("podTemplate", "metadata", "labels").Key(componentLabel), component,
			"must not be server: the Service of tms-server selects pods by this label"))
	}
	return verdict
}

// CheckServiceAccount refuses the service account of tms-server for the pods of a lease in
// its namespace. The path is that of the lease.
func (v Verdict) CheckServiceAccount(path *field.Path, ofServer string) field.ErrorList {
	if v.ServiceAccount != ofServer {
		return nil
	}
	return field.ErrorList{field.Forbidden(path.Child("triton", "serviceAccountName"), fmt.Sprintf(
		"no TritonLease may have the service account %s, which is that of tms-server: its pods could do what tms-server may", ofServer))}
}
