package render

import (
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// SetReplicas sets the highest number of replicas of a granted TritonLease. If limit is not
// empty, it is the path of the bound that lowers the number, and reason says why.
func (lr *LeaseRenderer) SetReplicas(g *GrantedLease, replicas int64, limit, reason string) {
	path := field.NewPath("spec")
	var adjustment v1alpha1.Adjustment
	switch {
	case len(g.Grant.Schedule) > 0:
		lowerSchedule(g, replicas, limit, reason)
		limit = ""
	case g.Grant.Autoscaled:
		adjustment = v1alpha1.Adjustment{
			Field: path.Child("autoscaling", "replicas", "maximum").String(),
			Asked: g.Grant.MaxReplicas, Default: g.RequestedAutoscaling.Replicas.Maximum == nil,
		}
		g.Grant.MaxReplicas = replicas
	default:
		triton, _ := g.value["triton"].(map[string]any)
		_, asks := triton["replicas"]
		byDefault := lr.decoded.Triton.Replicas // users may also scale the Deployment
		adjustment = v1alpha1.Adjustment{
			Field: path.Child("triton", "replicas").String(), Asked: g.Grant.Replicas,
			Default: !asks && byDefault != nil && g.Grant.Replicas == *byDefault,
		}
		g.Grant.Replicas = replicas
		triton = maps.Clone(triton) // the cache of shapes has the original
		if triton == nil {
			triton = map[string]any{}
		}
		triton["replicas"] = float64(replicas)
		g.value = maps.Clone(g.value)
		g.value["triton"] = triton
	}
	if limit != "" {
		adjustment.Granted, adjustment.Limit, adjustment.Reason = replicas, limit, reason
		g.Grant.Adjustments = ReplaceAdjustment(g.Grant.Adjustments, adjustment)
	}
	lr.reshape(g)
}

// SetInForce sets the replicas of a granted TritonLease to those of an entry of its schedule.
func (lr *LeaseRenderer) SetInForce(g *GrantedLease, entry int) {
	g.Grant.SetInForce(entry)
	lr.reshape(g)
}

// lowerSchedule lowers the maximum of each entry of the schedule of a lease, as SetReplicas
// does. No minimum is higher.
func lowerSchedule(g *GrantedLease, replicas int64, limit, reason string) {
	path := field.NewPath("spec", "autoscaling", "replicas", "schedule")
	g.Grant.Schedule = slices.Clone(g.Grant.Schedule)
	for i := range g.Grant.Schedule {
		granted := &g.Grant.Schedule[i].MaxReplicas
		if *granted <= replicas {
			continue
		}
		if limit != "" {
			g.Grant.Adjustments = ReplaceAdjustment(g.Grant.Adjustments, v1alpha1.Adjustment{
				Field: path.Index(i).Child("maximum").String(),
				Asked: *granted, Default: g.RequestedAutoscaling.Replicas.Schedule[i].Maximum == nil,
				Granted: replicas, Limit: limit, Reason: reason,
			})
		}
		*granted = replicas
	}
	g.Grant.MaxReplicas = min(g.Grant.MaxReplicas, replicas)
}

// reshape sets the shape and the parameters of a TritonLease again after its grant changed.
func (lr *LeaseRenderer) reshape(g *GrantedLease) {
	shaped := *g
	isTerm := func(a v1alpha1.Adjustment) bool { return a.Unit != "" } // the manifests do not have the term
	shaped.Grant.Adjustments = slices.DeleteFunc(slices.Clone(g.Grant.Adjustments), isTerm)
	lr.addShape(&shaped, g.value)
	g.shape, g.parameters = shaped.shape, shaped.parameters
}

// ReplaceAdjustment returns the adjustments with one more, or with one that replaces that
// of the same field: the lease still asked for what it asked.
func ReplaceAdjustment(adjustments []v1alpha1.Adjustment, adjustment v1alpha1.Adjustment) []v1alpha1.Adjustment {
	adjustments = slices.Clone(adjustments)
	for i, before := range adjustments {
		if before.Field == adjustment.Field {
			adjustment.Asked, adjustment.Default = before.Asked, before.Default
			adjustments[i] = adjustment
			return adjustments
		}
	}
	return append(adjustments, adjustment)
}
