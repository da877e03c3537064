package policy

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// LeasePod is the judgement of the pods of a TritonLease.
type LeasePod struct {
	// GPUs is the number of GPUs of one pod.
	GPUs int64
	// ServiceAccount is the name of their service account.
	ServiceAccount string
	// Refused are the reasons why no TritonLease may have these pods.
	Refused field.ErrorList
}

// componentLabel is the label that tells the pods of leases from those of tms-server.
const componentLabel = "app.kubernetes.io/component"

// JudgePod judges the pods of a TritonLease, as they are rendered. The path is that of the
// lease.
func (b *LeaseBounds) JudgePod(path *field.Path, template *corev1.PodTemplateSpec) LeasePod {
	triton := path.Child("triton")
	pod := LeasePod{ServiceAccount: template.Spec.ServiceAccountName}
	if pod.ServiceAccount == "" {
		pod.ServiceAccount = template.Spec.DeprecatedServiceAccount
	}
	pod.GPUs, pod.Refused = b.checkResources(triton, template)
	pod.Refused = append(pod.Refused, b.checkPodSecurity(triton, template)...)
	if component := template.Labels[componentLabel]; component == "server" {
		pod.Refused = append(pod.Refused, field.Invalid(triton.Child("podTemplate", "metadata", "labels").Key(componentLabel), component,
			"must not be server: the Service of tms-server selects pods by this label"))
	}
	return pod
}

// CheckServiceAccount refuses the service account of tms-server for the pods of a lease in
// its namespace. The path is that of the lease.
func (p LeasePod) CheckServiceAccount(path *field.Path, ofServer string) field.ErrorList {
	if p.ServiceAccount != ofServer {
		return nil
	}
	return field.ErrorList{field.Forbidden(path.Child("triton", "serviceAccountName"), fmt.Sprintf(
		"no TritonLease may have the service account %s, which is that of tms-server: its pods could do what tms-server may", ofServer))}
}
