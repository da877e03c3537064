package controller

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/triton-leases/tms/internal/shorten"
)

// pendingEvent is an event about the lease, and about one of its objects if related is
// not nil.
type pendingEvent struct {
	related                 client.Object
	eventType, reason, note string
}

// recordEvent records an event once the status is written.
func (r *reconciliation) recordEvent(reason string, related client.Object, format string, args ...any) {
	if related != nil {
		// The recorder counts equal events as one, and the version would make all differ.
		related = related.DeepCopyObject().(client.Object)
		related.SetResourceVersion("")
	}
	r.pendingEvents = append(r.pendingEvents, pendingEvent{related, eventTypeOf(reason), reason, fmt.Sprintf(format, args...)})
}

// recordCondition records an event if the reason or the message of a condition changed.
func (r *reconciliation) recordCondition(conditionType string) {
	before := meta.FindStatusCondition(r.lease.Status.Conditions, conditionType)
	now := meta.FindStatusCondition(r.status.Conditions, conditionType)
	if now != nil && (before == nil || before.Reason != now.Reason || before.Message != now.Message) {
		r.recordEvent(now.Reason, nil, "%s", now.Message)
	}
}

// maxEventNote is the longest note of an event that the API server accepts, less a
// few bytes.
const maxEventNote = 1000

// recordPending records the pending events.
func (r *reconciliation) recordPending() {
	for _, e := range r.pendingEvents {
		r.recorder.Eventf(r.lease, e.related, e.eventType, e.reason, "Reconcile", "%s", shorten.End(e.note, maxEventNote))
	}
	r.pendingEvents = nil
}
