//go:build e2e

package e2e

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestLeaseExpiry checks that a lease and its objects are deleted when it expires, and
// that a renewal restarts its duration. A renewTime in the future has no effect.
func TestLeaseExpiry(t *testing.T) {
	t.Parallel()
	// duration is long enough for a machine that needs seconds to create a lease.
	const duration = 45 * time.Second
	s := newScenario(t, "lease-expiry")
	l := s.leases()
	short := func(duration string) string { return fmt.Sprintf("{%s, duration: %s}", vision, duration) }
	l.apply("short", short("45s"))
	l.apply("renewed", short("45s"))
	l.apply("early", `{`+vision+`, duration: 45s, renewTime: "`+time.Now().Add(time.Hour).UTC().Format(time.RFC3339)+`"}`)
	l.apply("greedy", short("9999h"))
	l.apply("endless", short("0s"))
	l.apply("plain", "{"+vision+"}")

	for name, c := range map[string]struct {
		message  string
		duration time.Duration
	}{
		"greedy":  {"spec.duration: asked 35996400s, granted 604800s (server.leases.duration.maximum)", 168 * time.Hour},
		"endless": {"spec.duration: asked 0s, granted 604800s (server.leases.duration.maximum)", 168 * time.Hour},
	} {
		lease := l.is(name, "Granted", metav1.ConditionTrue, "Adjusted", c.message)
		l.hasEvent(name, "Adjusted", c.message)
		l.lasts(lease, c.duration)
	}
	l.lasts(l.is("plain", "Granted", metav1.ConditionTrue, "Granted"), 24*time.Hour)
	first := l.is("renewed", "Granted", metav1.ConditionTrue, "Granted")
	l.lasts(first, duration)
	l.lasts(l.is("early", "Granted", metav1.ConditionTrue, "Granted"), duration)

	for range 4 { // almost twice its duration
		s.pause(20 * time.Second)
		now := time.Now().UTC().Truncate(time.Second)
		l.patch("renewed", fmt.Sprintf(`{"renewTime":%q}`, now.Format(time.RFC3339)))
		s.eventually("the renewal takes effect", func() (bool, string) {
			lease, err := l.get("renewed")
			if err != nil {
				return false, err.Error()
			}
			st := lease.Status
			so := st.RenewedAt != nil && st.RenewedAt.Time.Equal(now) && st.ExpiresAt != nil && st.ExpiresAt.Time.Equal(now.Add(duration))
			return so, fmt.Sprintf("renewed at %v, expires at %v", st.RenewedAt, st.ExpiresAt)
		})
	}
	for _, name := range []string{"short", "early"} {
		l.gone(name)
		l.hasEvent(name, "Expired", "the lease expired at")
	}
	if lease := l.mustGet("renewed"); lease.UID != first.UID || time.Since(first.CreationTimestamp.Time) < 80*time.Second {
		s.fatal("the renewed lease was replaced, or is too young")
	}
	s.step("a renewTime in the past does not shorten the lease")
	before := l.mustGet("renewed").Status.ExpiresAt
	l.patch("renewed", `{"renewTime":"2020-01-01T00:00:00Z"}`)
	s.eventually("the spec is observed", func() (bool, string) {
		lease, err := l.get("renewed")
		return err == nil && lease.Status.ObservedGeneration == lease.Generation, fmt.Sprint(err)
	})
	if after := l.mustGet("renewed").Status.ExpiresAt; !after.Equal(before) {
		s.fatal("it expires at %v, before the change at %v", after, before)
	}
	l.patch("renewed", `{"renewTime":null}`)
	l.gone("renewed")
}

// lasts checks that a lease expires a duration after its creation.
func (l *leases) lasts(lease *tritonLease, duration time.Duration) {
	l.Helper()
	end := lease.Status.ExpiresAt
	if end == nil || end.Sub(lease.CreationTimestamp.Time) != duration {
		l.fatal("%s was created at %v and expires at %v, want after %v", lease.Name, lease.CreationTimestamp, end, duration)
	}
	l.step("%s expires %s after its creation", lease.Name, duration)
}
