package policy

import (
	"cmp"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// DefaultTimeZone is the time zone of an entry of a schedule that names none.
const DefaultTimeZone = "Etc/UTC"

// grantSchedule clamps the replicas of each entry of a schedule by the same limits as those
// of the lease. A number that an entry does not name is what the lease is granted without a
// schedule. parent is the path of the replicas.
func (p *Policy) grantSchedule(parent func() *field.Path, schedule []v1alpha1.ScheduledRange, grant *v1alpha1.Grant) field.ErrorList {
	var reasons field.ErrorList
	defaults := ReplicaDefaults{Minimum: grant.MinReplicas, Maximum: grant.MaxReplicas}
	for i, entry := range schedule {
		granted := v1alpha1.ScheduledReplicas{Cron: entry.Cron, TimeZone: cmp.Or(entry.TimeZone, DefaultTimeZone)}
		var refused field.ErrorList
		granted.MinReplicas, granted.MaxReplicas, refused = p.grantRange(
			func() *field.Path { return parent().Child("schedule").Index(i) }, entry.Minimum, entry.Maximum, defaults, grant)
		reasons = append(reasons, refused...)
		grant.Schedule = append(grant.Schedule, granted)
	}
	return reasons
}

// scheduleWarning warns of a schedule in a lease that does not ask for autoscaling.
func scheduleWarning(path *field.Path, request v1alpha1.Autoscaling) []v1alpha1.Warning {
	if len(request.Replicas.Schedule) == 0 {
		return nil
	}
	return []v1alpha1.Warning{warning(path.Child("autoscaling", "replicas", "schedule"),
		"ignored, because the lease is not autoscaled: set autoscaling.enable to true")}
}

// CheckScheduleServer refuses a schedule in a lease of the values of a release without
// tms-server, or with KEDA. The path is that of the lease.
func CheckScheduleServer(path *field.Path, request v1alpha1.Autoscaling, source Source, hasServer bool) Refusal {
	if len(request.Replicas.Schedule) == 0 {
		return nil
	}
	var reasons Refusal
	path = path.Child("autoscaling", "replicas", "schedule")
	if !hasServer {
		reasons = append(reasons, field.Forbidden(path, "needs server.enabled: true, because tms-server changes the replicas at these times"))
	}
	if source == SourceKEDA {
		reasons = append(reasons, field.Forbidden(path, "needs server.autoscaling.source: adapter; with keda, only a TritonLease can have a schedule"))
	}
	return reasons
}
