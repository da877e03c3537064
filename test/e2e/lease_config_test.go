//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestLeaseConfiguration checks that tms-server reconciles every lease when its
// configuration changes, without a restart, and that it ignores an invalid
// configuration.
func TestLeaseConfiguration(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "lease-configuration")
	l := s.ownLeases(3) // Helm 4 applies server-side, and would conflict with kubectl edit
	pods, err := l.serverPods(s.Context())
	s.must(err)
	many := []string{"a", "b", "c", "d"}
	for _, name := range many {
		l.apply(name, scaled(4))
	}
	l.apply("modest", `{`+vision+`, duration: 30m, autoscaling: {enable: true, replicas: {maximum: 2}}}`)
	created := l.is("modest", "Granted", metav1.ConditionTrue, "Granted")
	for _, name := range many {
		l.is(name, "Granted", metav1.ConditionTrue, "Granted")
		l.serves(name)
	}
	running := l.snapshotPods(many...)
	s.step("a refused lease keeps its objects")
	l.apply("stubborn", scaled(4))
	l.serves("stubborn")
	l.patch("stubborn", `{"autoscaling":{"replicas":{"minimum":5}}}`)
	const contradiction = "must not exceed maximum (4)"
	l.is("stubborn", "Granted", metav1.ConditionFalse, "Refused", contradiction)
	l.maximum("stubborn", 4)

	l.configure("server: {autoscaling: {replicas: {limits: {maximum: 2}, default: {maximum: 2}}}}")
	for _, name := range many {
		message := "spec.autoscaling.replicas.maximum: asked 4, granted 2 (server.autoscaling.replicas.limits.maximum)"
		l.is(name, "Granted", metav1.ConditionTrue, "Adjusted", message)
		l.hasEvent(name, "Adjusted", message)
		l.maximum(name, 2)
	}
	l.is("modest", "Granted", metav1.ConditionTrue, "Granted")

	s.step("the new maximum applies to the refused lease")
	l.maximum("stubborn", 2)
	if lease := l.is("stubborn", "Granted", metav1.ConditionFalse, "Refused", contradiction); lease.Status.Granted.MaxReplicas != 2 {
		s.fatal("its status.granted is %+v", *lease.Status.Granted)
	}
	l.patch("stubborn", `{"autoscaling":{"replicas":{"minimum":1}}}`)
	l.is("stubborn", "Granted", metav1.ConditionTrue, "Adjusted", "asked 4, granted 2")
	l.has("stubborn", scaledKinds)

	// Edit the ConfigMap directly, because helm refuses such values.
	good := l.configured()
	for what, text := range map[string]string{
		"contradictory": strings.Replace(good, "rateWindow: 8s", "rateWindow: 1s", 1), "no YAML": "server: [}", "of another kind": "server: {autoscaling: 1}", "missing": missing,
	} {
		l.edit(text)
		l.reloads(0)
		l.quiet(6 * time.Second)
		l.apply("meanwhile", scaled(4))
		l.is("meanwhile", "Granted", metav1.ConditionTrue, "Adjusted", "asked 4, granted 2")
		l.delete("meanwhile")
		l.gone("meanwhile")
		s.step("a configuration that is %s changes nothing", what)
	}
	l.edit(strings.ReplaceAll(good, "maximum: 2", "maximum: 3"))
	l.reloads(1)
	for _, name := range many {
		l.is(name, "Granted", metav1.ConditionTrue, "Adjusted", "asked 4, granted 3")
		l.maximum(name, 3)
	}

	s.step("autoscaling is disabled for all leases, and enabled again")
	l.configure("server: {autoscaling: {enable: false}}")
	l.is("a", "Autoscaling", metav1.ConditionFalse, "SwitchedOff", "server.autoscaling.enable")
	for _, name := range many {
		l.has(name, plainKinds)
	}
	l.configure("{}")
	for _, name := range many {
		l.has(name, scaledKinds)
		l.is(name, "Granted", metav1.ConditionTrue, "Granted")
	}

	running()

	s.step("a lower maximum duration does not expire existing leases at once")
	if lived := 15*time.Second - time.Since(created.CreationTimestamp.Time); lived > 0 {
		s.pause(lived)
	}
	changed := time.Now()
	l.configure("server: {leases: {duration: {default: 15s, maximum: 15s}}}")
	lease := l.is("modest", "Granted", metav1.ConditionTrue, "Adjusted", "spec.duration: asked 1800s, granted 15s (server.leases.duration.maximum)")
	if end := lease.Status.ExpiresAt; end.Before(&metav1.Time{Time: changed.Add(15 * time.Second).Truncate(time.Second)}) {
		s.fatal("the maximum was lowered at %v, and the lease expires at %v", changed, end)
	}
	for _, name := range append(many, "modest") {
		l.gone(name)
		l.hasEvent(name, "Expired")
	}

	after, err := l.serverPods(s.Context())
	s.must(err)
	for name := range pods {
		if pod, ok := after[name]; !ok || pod.Status.ContainerStatuses[0].RestartCount > 0 {
			s.fatal("the server %s was replaced, or restarted", name)
		}
	}
	s.step("the servers were not restarted")
}

// configure upgrades the release of the server.
func (l *leases) configure(values string) {
	l.Helper()
	l.step("helm3 upgrade: %s", values)
	_, err := h.Helm(3).Upgrade(l.Context(), l.release, append(append([]string{shortened}, l.values...), values)...)
	l.must(err)
}

const (
	configurationMap = "tms-server"
	// missing makes edit remove the configuration.
	missing = "missing"
)

// configured returns the current configuration of the server.
func (l *leases) configured() string {
	l.Helper()
	m, err := l.cluster.Client.CoreV1().ConfigMaps(l.namespace).Get(l.Context(), configurationMap, metav1.GetOptions{})
	l.must(err)
	return m.Data["values.yaml"]
}

// edit changes the ConfigMap of the server directly.
func (l *leases) edit(text string) {
	l.Helper()
	m, err := l.cluster.Client.CoreV1().ConfigMaps(l.namespace).Get(l.Context(), configurationMap, metav1.GetOptions{})
	l.must(err)
	m.Data = map[string]string{"values.yaml": text}
	if text == missing {
		m.Data = map[string]string{"other.yaml": text}
	}
	_, err = l.cluster.Client.CoreV1().ConfigMaps(l.namespace).Update(l.Context(), m, metav1.UpdateOptions{})
	l.must(err)
}

// reloads waits until all pods of the server report the result of their last reload: 1 for
// success, 0 for failure.
func (l *leases) reloads(want float64) {
	l.Helper()
	l.eventually(fmt.Sprintf("all servers report tms_configuration_last_reload_successful %g", want), func() (bool, string) {
		pods, err := l.serverPods(l.Context())
		if err != nil || len(pods) != 2 {
			return false, fmt.Sprint(len(pods), err)
		}
		for _, pod := range pods {
			if got, err := l.metric(l.Context(), pod, "tms_configuration_last_reload_successful", ""); err != nil || got != want {
				return false, fmt.Sprintf("%s: %g, %v", pod.Name, got, err)
			}
		}
		return true, "both servers"
	})
	if want == 0 {
		pods, err := l.serverPods(l.Context())
		l.must(err)
		for name := range pods {
			text, err := l.cluster.Client.CoreV1().Pods(l.release.Namespace).GetLogs(name, new(corev1.PodLogOptions)).DoRaw(l.Context())
			l.must(err)
			if !strings.Contains(string(text), "the previous one stays in force") {
				l.fatal("the log of %s does not report that the configuration was refused", name)
			}
		}
	}
}

// maximum waits until the HorizontalPodAutoscaler of a lease has a maximum.
func (l *leases) maximum(name string, want int32) {
	l.Helper()
	l.eventually(fmt.Sprintf("%s scales up to %d", name, want), func() (bool, string) {
		a, summary := hpa(l.Context(), l.namespace, objectName(name))
		return a.Spec.MaxReplicas == want, summary
	})
}
