package controller

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// TestExpiresAt: when a lease expires that was created an hour ago.
func TestExpiresAt(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) *metav1.Time { return &metav1.Time{Time: now.Add(d)} }
	for name, test := range map[string]struct {
		duration          time.Duration
		promised, renewed *metav1.Time
		granted           bool // before
		want              *metav1.Time
	}{
		"a new lease":                         {duration: 2 * time.Hour, want: at(time.Hour)},
		"it does not expire":                  {duration: 0, want: nil},
		"reconciled late":                     {duration: time.Minute, want: at(-59 * time.Minute)},
		"as promised":                         {duration: 2 * time.Hour, granted: true, promised: at(time.Hour), want: at(time.Hour)},
		"it asks for longer":                  {duration: 5 * time.Hour, granted: true, promised: at(time.Hour), want: at(4 * time.Hour)},
		"it was renewed":                      {duration: 2 * time.Hour, granted: true, promised: at(time.Hour), renewed: at(0), want: at(2 * time.Hour)},
		"shorter, with notice":                {duration: 30 * time.Minute, granted: true, promised: at(time.Hour), want: at(30 * time.Minute)},
		"shorter, a while ago":                {duration: 30 * time.Minute, granted: true, promised: at(10 * time.Minute), want: at(10 * time.Minute)},
		"shorter, and still longer than that": {duration: 110 * time.Minute, granted: true, promised: at(time.Hour), want: at(time.Hour)},
		"it expires now":                      {duration: time.Hour, granted: true, promised: at(0), want: at(0)},
		"it did not expire":                   {duration: 30 * time.Minute, granted: true, want: at(30 * time.Minute)},
		"it no longer expires":                {duration: 0, granted: true, promised: at(time.Minute), want: nil},
		"renewed before its creation":         {duration: 2 * time.Hour, renewed: at(-5 * time.Hour), want: at(time.Hour)},
	} {
		t.Run(name, func(t *testing.T) {
			lease := &v1alpha1.TritonLease{}
			lease.CreationTimestamp = *at(-time.Hour)
			lease.Status.ExpiresAt = test.promised
			if test.granted {
				lease.Status.Granted = &v1alpha1.Granted{}
			}
			r := &reconciliation{lease: lease, status: new(v1alpha1.TritonLeaseStatus), startedAt: now}
			r.status.RenewedAt = test.renewed
			got := r.expiresAt(test.duration)
			if test.want == nil {
				require.Nil(t, got)
				return
			}
			require.Equal(t, test.want.UTC(), got.UTC())

			// The next reconciliation decides the same.
			lease.Status.ExpiresAt, lease.Status.Granted = got, &v1alpha1.Granted{}
			r.startedAt = now.Add(time.Second)
			require.Equal(t, test.want.UTC(), r.expiresAt(test.duration).UTC(), "a moment later")
		})
	}
}

func TestRenewedAt(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) *metav1.Time { return &metav1.Time{Time: now.Add(d)} }
	for name, test := range map[string]struct {
		asked, known, want *metav1.Time
		again              time.Duration
	}{
		"never":                      {},
		"by a user":                  {asked: at(-time.Minute), want: at(-time.Minute)},
		"now":                        {asked: at(0), want: at(0)},
		"by a user, in the future":   {asked: at(time.Hour), known: at(-time.Hour), want: at(-time.Hour), again: time.Hour},
		"automatically, after that":  {asked: at(-time.Hour), known: at(-time.Minute), want: at(-time.Minute)},
		"by a user, after that":      {asked: at(-time.Minute), known: at(-time.Hour), want: at(-time.Minute)},
		"the user removed renewTime": {known: at(-time.Hour), want: at(-time.Hour)},
	} {
		t.Run(name, func(t *testing.T) {
			lease := &v1alpha1.TritonLease{}
			lease.Spec.RenewTime, lease.Status.RenewedAt = test.asked, test.known
			r := &reconciliation{lease: lease, startedAt: now}
			require.Equal(t, test.want, r.renewedAt())
			require.Equal(t, test.again, r.result.RequeueAfter)
		})
	}
}

func TestFirstGrantAfterRefusalIsFromNow(t *testing.T) {
	t.Parallel()
	now := time.Now().Truncate(time.Second)
	lease := new(v1alpha1.TritonLease)
	lease.CreationTimestamp = metav1.NewTime(now.Add(-time.Hour))
	lease.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionGranted, Status: metav1.ConditionFalse}}
	r := &reconciliation{lease: lease, status: new(v1alpha1.TritonLeaseStatus), startedAt: now}
	if got := r.expiresAt(time.Minute); !got.Time.Equal(now.Add(time.Minute)) {
		t.Errorf("it expires at %s, want a minute from now, %s", got, now)
	}
}

func TestRenewalBeforeTheCreation(t *testing.T) {
	t.Parallel()
	lease := new(v1alpha1.TritonLease)
	lease.CreationTimestamp = metav1.Now()
	r := &reconciliation{lease: lease, startedAt: time.Now()}
	for _, text := range []string{"0000-01-01T00:00:00+23:59", "0001-01-01T00:00:00Z"} {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		asked := metav1.NewTime(at)
		lease.Spec.RenewTime = &asked
		if got := r.renewedAt(); got != nil {
			t.Errorf("%s renews at %s", text, got)
		}
	}
}
