package controller

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// TestExpiresAt: when a lease ends that is an hour old.
func TestExpiresAt(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) *metav1.Time { return &metav1.Time{Time: now.Add(d)} }
	for name, test := range map[string]struct {
		duration          time.Duration
		promised, renewed *metav1.Time
		granted           bool // before
		want              *metav1.Time
	}{
		"a new lease":                         {duration: 2 * time.Hour, want: at(time.Hour)},
		"one without an end":                  {duration: 0, want: nil},
		"one that was seen late":              {duration: time.Minute, want: at(-59 * time.Minute)},
		"as it was promised":                  {duration: 2 * time.Hour, granted: true, promised: at(time.Hour), want: at(time.Hour)},
		"it asks for longer":                  {duration: 5 * time.Hour, granted: true, promised: at(time.Hour), want: at(4 * time.Hour)},
		"it was renewed":                      {duration: 2 * time.Hour, granted: true, promised: at(time.Hour), renewed: at(0), want: at(2 * time.Hour)},
		"shorter, with notice":                {duration: 30 * time.Minute, granted: true, promised: at(time.Hour), want: at(30 * time.Minute)},
		"shorter, a while ago":                {duration: 30 * time.Minute, granted: true, promised: at(10 * time.Minute), want: at(10 * time.Minute)},
		"shorter, and still longer than that": {duration: 110 * time.Minute, granted: true, promised: at(time.Hour), want: at(time.Hour)},
		"its end has come":                    {duration: time.Hour, granted: true, promised: at(0), want: at(0)},
		"it had no end":                       {duration: 30 * time.Minute, granted: true, want: at(30 * time.Minute)},
		"the end goes":                        {duration: 0, granted: true, promised: at(time.Minute), want: nil},
		"renewed before it was made":          {duration: 2 * time.Hour, renewed: at(-5 * time.Hour), want: at(time.Hour)},
	} {
		t.Run(name, func(t *testing.T) {
			lease := &v1alpha1.TritonLease{}
			lease.CreationTimestamp = *at(-time.Hour)
			lease.Status.ExpiresAt = test.promised
			if test.granted {
				lease.Status.Granted = &v1alpha1.Granted{}
			}
			p := &pass{lease: lease, status: new(v1alpha1.TritonLeaseStatus), at: now}
			p.status.RenewedAt = test.renewed
			got := p.expiresAt(test.duration)
			if test.want == nil {
				require.Nil(t, got)
				return
			}
			require.Equal(t, test.want.UTC(), got.UTC())

			// What was decided stays decided.
			lease.Status.ExpiresAt, lease.Status.Granted = got, &v1alpha1.Granted{}
			p.at = now.Add(time.Second)
			require.Equal(t, test.want.UTC(), p.expiresAt(test.duration).UTC(), "a moment later")
		})
	}
}

func TestRenewedAt(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) *metav1.Time { return &metav1.Time{Time: now.Add(d)} }
	for name, test := range map[string]struct {
		asked, known, want *metav1.Time
		again              time.Duration
	}{
		"never":                       {},
		"by somebody":                 {asked: at(-time.Minute), want: at(-time.Minute)},
		"now":                         {asked: at(0), want: at(0)},
		"not before it comes":         {asked: at(time.Hour), known: at(-time.Hour), want: at(-time.Hour), again: time.Hour},
		"by itself, after that":       {asked: at(-time.Hour), known: at(-time.Minute), want: at(-time.Minute)},
		"by somebody, after that":     {asked: at(-time.Minute), known: at(-time.Hour), want: at(-time.Minute)},
		"what was asked is withdrawn": {known: at(-time.Hour), want: at(-time.Hour)},
	} {
		t.Run(name, func(t *testing.T) {
			lease := &v1alpha1.TritonLease{}
			lease.Spec.RenewTime, lease.Status.RenewedAt = test.asked, test.known
			p := &pass{lease: lease, at: now}
			require.Equal(t, test.want, p.renewedAt())
			require.Equal(t, test.again, p.next)
		})
	}
}

func TestFirstGrantAfterRefusalIsFromNow(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	lease := new(v1alpha1.TritonLease)
	lease.CreationTimestamp = metav1.NewTime(now.Add(-time.Hour))
	lease.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionGranted, Status: no}}
	p := &pass{lease: lease, status: new(v1alpha1.TritonLeaseStatus), at: now}
	if got := p.expiresAt(time.Minute); !got.Time.Equal(now.Add(time.Minute)) {
		t.Errorf("it ends at %s, want a minute from now, %s", got, now)
	}
}

func TestRenewalBeforeTheCreation(t *testing.T) {
	lease := new(v1alpha1.TritonLease)
	lease.CreationTimestamp = metav1.Now()
	p := &pass{lease: lease, at: time.Now()}
	for _, text := range []string{"0000-01-01T00:00:00+23:59", "0001-01-01T00:00:00Z"} {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		asked := metav1.NewTime(at)
		lease.Spec.RenewTime = &asked
		if got := p.renewedAt(); got != nil {
			t.Errorf("%s renews at %s", text, got)
		}
	}
}
