package values

import (
	"maps"
	"slices"

	"github.com/triton-leases/tms/internal/generic"
)

// DeepCopy returns a lease that shares nothing with this one.
func (l Lease) DeepCopy() Lease {
	l.Models = slices.Clone(l.Models)
	if l.Target != nil {
		target := *l.Target
		target.Selector = maps.Clone(target.Selector)
		l.Target = &target
	}
	if l.Triton != nil {
		triton := l.Triton.DeepCopy()
		l.Triton = &triton
	}
	l.Autoscaling = l.Autoscaling.DeepCopy()
	return l
}

// DeepCopy returns a Triton that shares nothing with this one.
func (t Triton) DeepCopy() Triton {
	t.Replicas = generic.Pointer(t.Replicas)
	t.Resources.Requests, t.Resources.Limits = maps.Clone(t.Resources.Requests), maps.Clone(t.Resources.Limits)
	t.Args = slices.Clone(t.Args)
	t.Env = slices.Clone(t.Env)
	for i := range t.Env {
		t.Env[i].ValueFrom = t.Env[i].ValueFrom.deepCopy()
	}
	t.Volumes, t.VolumeMounts = deepCopies(t.Volumes), deepCopies(t.VolumeMounts)
	t.NodeSelector = maps.Clone(t.NodeSelector)
	t.Tolerations, t.TopologySpreadConstraints = deepCopies(t.Tolerations), deepCopies(t.TopologySpreadConstraints)
	t.Affinity, t.Strategy = t.Affinity.deepCopy(), t.Strategy.deepCopy()
	t.PodSecurityContext, t.SecurityContext = t.PodSecurityContext.deepCopy(), t.SecurityContext.deepCopy()
	t.TerminationGracePeriodSeconds = generic.Pointer(t.TerminationGracePeriodSeconds)
	t.ProgressDeadlineSeconds = generic.Pointer(t.ProgressDeadlineSeconds)
	for _, probe := range []*Probe{&t.Probes.Startup, &t.Probes.Readiness, &t.Probes.Liveness} {
		for _, number := range []**int64{
			&probe.InitialDelaySeconds, &probe.PeriodSeconds, &probe.TimeoutSeconds,
			&probe.SuccessThreshold, &probe.FailureThreshold, &probe.TerminationGracePeriodSeconds,
		} {
			*number = generic.Pointer(*number)
		}
	}
	t.PodDisruptionBudget = generic.Pointer(t.PodDisruptionBudget)
	return t
}

func (v Verbatim) deepCopy() Verbatim {
	if v == nil {
		return nil
	}
	copied, _ := generic.Clone(map[string]any(v)).(map[string]any)
	return copied
}

func deepCopies(all []Verbatim) []Verbatim {
	copied := slices.Clone(all)
	for i := range copied {
		copied[i] = copied[i].deepCopy()
	}
	return copied
}
