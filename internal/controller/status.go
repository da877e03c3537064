package controller

import (
	"context"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/triton-leases/tms/internal/shorten"
)

// maxConditionMessage is the longest message that the CustomResourceDefinition allows.
const maxConditionMessage = 32768

// setCondition sets a condition of the status.
func (r *reconciliation) setCondition(conditionType string, status metav1.ConditionStatus, reason, message string) {
	meta.SetStatusCondition(&r.status.Conditions, metav1.Condition{
		Type: conditionType, Status: status, Reason: reason, Message: shorten.End(message, maxConditionMessage),
		ObservedGeneration: r.lease.Generation,
	})
}

// updateStatus writes the status if it changed, and then records the pending events. It
// records none if the write fails, because the next reconciliation repeats them.
func (r *reconciliation) updateStatus(ctx context.Context) error {
	if !equality.Semantic.DeepEqual(r.lease.Status, *r.status) {
		changed := r.lease.DeepCopy()
		changed.Status = *r.status
		if err := r.Status().Update(ctx, changed); err != nil {
			return err
		}
		r.lease, r.status = changed, changed.Status.DeepCopy() // with times as they are stored
		if r.charge != nil {
			r.charge.account.wrote(changed)
		}
	}
	r.recordPending()
	return nil
}
