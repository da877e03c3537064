package policy

import "fmt"

// Adjustment is one number that was not granted as it was asked for.
type Adjustment struct {
	// Field is the path of the number, such as leases.resnet50.autoscaling.replicas.maximum.
	Field string `json:"field"`
	// Asked is the number that was asked for, or the administrator's default.
	Asked int64 `json:"asked"`
	// Default says that Asked is the administrator's default.
	Default bool `json:"default,omitempty"`
	// Granted is the number that the lease has instead.
	Granted int64 `json:"granted"`
	// Unit is that of both numbers, where their field does not tell: s, for seconds.
	Unit string `json:"unit,omitempty"`
	// Limit is the path of the bound that decided.
	Limit string `json:"limit"`
}

// String is the sentence that users see in warnings, notes and annotations.
func (a Adjustment) String() string {
	origin := "asked"
	if a.Default {
		origin = "default"
	}
	return fmt.Sprintf("%s: %s %d%s, granted %d%s (%s)", a.Field, origin, a.Asked, a.Unit, a.Granted, a.Unit, a.Limit)
}
