package controller

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/pkg/policy"
)

const (
	yes     = metav1.ConditionTrue
	no      = metav1.ConditionFalse
	unknown = metav1.ConditionUnknown
)

// news is an event about the lease, and perhaps about one of its objects.
type news struct {
	related            client.Object
	kind, reason, note string
}

// happened keeps an event until the status that goes with it is written.
func (p *pass) happened(reason string, related client.Object, format string, args ...any) {
	kind := corev1.EventTypeNormal
	switch reason {
	case "Refused", "Adjusted", "Conflict", "Corrected", "Failed", "Idle", "NoMetrics":
		kind = corev1.EventTypeWarning
	}
	if related != nil { // of any version: otherwise no two events are the same
		related = related.DeepCopyObject().(client.Object)
		related.SetResourceVersion("")
	}
	p.news = append(p.news, news{related, kind, reason, fmt.Sprintf(format, args...)})
}

// set sets a condition of the status.
func (p *pass) set(condition string, status metav1.ConditionStatus, reason, message string) {
	const most = 32768 // the longest message that the definition allows
	message = shorten(message, most)
	meta.SetStatusCondition(&p.status.Conditions, metav1.Condition{
		Type: condition, Status: status, Reason: reason, Message: message, ObservedGeneration: p.lease.Generation,
	})
}

// tell tells of a condition, where its reason or message is another than before.
func (p *pass) tell(condition string) {
	before := meta.FindStatusCondition(p.lease.Status.Conditions, condition)
	now := meta.FindStatusCondition(p.status.Conditions, condition)
	if now != nil && (before == nil || before.Reason != now.Reason || before.Message != now.Message) {
		p.happened(now.Reason, nil, "%s", now.Message)
	}
}

func (p *pass) refuse(reasons policy.Refusal) {
	p.set(v1alpha1.ConditionGranted, no, "Refused", reasons.Error())
	p.tell(v1alpha1.ConditionGranted)
}

// report writes the status where it is another than before, and then the events
// that go with it: where the status cannot be written, all is done once more.
func (p *pass) report(ctx context.Context) error {
	if !equality.Semantic.DeepEqual(p.lease.Status, *p.status) {
		changed := p.lease.DeepCopy()
		changed.Status = *p.status
		if err := p.Status().Update(ctx, changed); err != nil {
			return client.IgnoreNotFound(err)
		}
		p.lease = changed
	}
	p.announce()
	return nil
}

// announce records the events. One is counted, and not written again, where it is
// about the same version of the lease, the same object and for the same reason as one
// before. An event has room for a thousand characters.
func (p *pass) announce() {
	const most = 1000
	for _, n := range p.news {
		n.note = shorten(n.note, most)
		if n.related == nil {
			p.recorder.Eventf(p.lease, nil, n.kind, n.reason, "Reconcile", "%s", n.note)
		} else {
			p.recorder.Eventf(p.lease, n.related, n.kind, n.reason, "Reconcile", "%s", n.note)
		}
	}
}

// mostNames is how much of the names of models people see who list leases.
const mostNames = 1000

func shorten(text string, most int) string {
	if len(text) > most {
		return strings.ToValidUTF8(text[:most-3], "") + "..."
	}
	return text
}
