package lease

import (
	"slices"

	"google.golang.org/protobuf/proto"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
)

// changedFields returns current without the fields that are the same in sent. The first
// response has all fields: sent is nil then.
func changedFields(sent, current *tmsv1.Lease) *tmsv1.Lease {
	changed := proto.CloneOf(current)
	if sent == nil {
		return changed
	}
	changed.Models = nil
	for i, model := range current.GetModels() {
		if i >= len(sent.GetModels()) || !proto.Equal(model, sent.GetModels()[i]) {
			changed.Models = append(changed.Models, model)
		}
	}
	if proto.Equal(sent.GetReplicas(), current.GetReplicas()) {
		changed.Replicas = nil
	}
	if proto.Equal(sent.GetGranted(), current.GetGranted()) {
		changed.Granted = nil
	}
	if proto.Equal(sent.GetLimits(), current.GetLimits()) {
		changed.Limits = nil
	}
	if proto.Equal(sent.GetBudget(), current.GetBudget()) {
		changed.Budget = nil
	}
	if proto.Equal(sent.GetSchedule(), current.GetSchedule()) {
		changed.Schedule = nil
	}
	if slices.EqualFunc(sent.GetRefusals(), current.GetRefusals(), func(a, b *tmsv1.Refusal) bool { return proto.Equal(a, b) }) {
		changed.Refusals = nil
	}
	if sent.GetMessage() == current.GetMessage() {
		changed.Message = ""
	}
	if sent.GetAddress() == current.GetAddress() {
		changed.Address = ""
	}
	if proto.Equal(sent.GetExpiresAt(), current.GetExpiresAt()) {
		changed.ExpiresAt = nil
	}
	if proto.Equal(sent.GetReloadedAt(), current.GetReloadedAt()) {
		changed.ReloadedAt = nil
	}
	changed.CreatedAt = nil
	return changed
}
