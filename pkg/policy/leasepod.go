package policy

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// LeasePod is the judgement of the pods of a TritonLease.
type LeasePod struct {
	// GPUs is the number of GPUs of one pod.
	GPUs int64
	// Refused are the reasons why no TritonLease may have these pods.
	Refused field.ErrorList
}

// JudgePod judges the pods of a TritonLease, as they are rendered. The path is that of the
// lease.
func (b *LeaseBounds) JudgePod(path *field.Path, template *corev1.PodTemplateSpec) LeasePod {
	var pod LeasePod
	pod.GPUs, pod.Refused = b.checkResources(path.Child("triton"), template)
	return pod
}
