//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// everyMinute is the replicas of a lease whose bounds change each minute.
const everyMinute = `{schedule: [{cron: "0-59/2 * * * *", maximum: 2}, {cron: "1-59/2 * * * *", timeZone: Europe/Berlin, minimum: 2, maximum: 50}]}`

// TestSchedule checks that the bounds of a TritonLease and of a lease in the values follow their
// schedules, and that upgrades with Helm 4 remove and add a schedule.
func TestSchedule(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "schedule")
	values := func(replicas string) string {
		return fmt.Sprintf("leases: {office: {%s, autoscaling: {enable: true, replicas: %s}}}", vision, replicas)
	}
	l := s.ownLeases(4, values(everyMinute))
	const plain, scheduled = "tms-office", "tms-office.schedule"
	l.apply("resnet50", fmt.Sprintf("{%s, autoscaling: {enable: true, replicas: %s}}", vision, everyMinute))
	l.is("resnet50", "Granted", metav1.ConditionTrue, "Adjusted",
		"spec.autoscaling.replicas.schedule[1].maximum: asked 50, granted 4 (server.autoscaling.replicas.limits.maximum)")
	bounds := func(name string) string {
		a, summary := hpa(s.Context(), l.namespace, name)
		if a.Spec.MinReplicas == nil {
			return summary
		}
		return fmt.Sprint(*a.Spec.MinReplicas, "-", a.Spec.MaxReplicas)
	}
	for _, change := range []string{"1-2", "2-4", "1-2"} {
		for _, name := range []string{objectName("resnet50"), scheduled} {
			s.eventually(fmt.Sprintf("%s has the bounds %s", name, change), func() (bool, string) {
				now := bounds(name)
				return now == change, now
			})
		}
		if change == "2-4" {
			s.becomes(l.namespace, plain, 2)
			l.hasEvent("resnet50", "Scheduled", "2 to 4 replicas by spec.autoscaling.replicas.schedule[1]")
		}
	}
	s.step("the bounds change each minute")

	endSchedules := func(values ...string) {
		s.Helper()
		l.permitted()
		s.upgrade(l.release, values...)
		l.serversLeft(2)
	}
	base := l.server.values[:2] // without the lease
	endSchedules(append(slices.Clone(base), values("{maximum: 3}"))...)
	s.eventually("Helm's autoscaler is the only one", func() (bool, string) {
		now, other := bounds(plain), bounds(scheduled)
		return now == "1-3" && strings.Contains(other, "not found"), now + ", " + other
	})
	s.upgrade(l.release, l.server.values...)
	s.eventually("the autoscaler of the schedule is the only one", func() (bool, string) {
		now, other := bounds(scheduled), bounds(plain)
		return (now == "1-2" || now == "2-4") && strings.Contains(other, "not found"), now + ", " + other
	})
	endSchedules(base...)
	s.eventually("no autoscaler is left of a lease that is removed", func() (bool, string) {
		now := bounds(scheduled)
		return strings.Contains(now, "not found"), now
	})
	if now := bounds(objectName("resnet50")); now != "1-2" && now != "2-4" {
		s.fatal("the TritonLease has the bounds %s", now)
	}
}
