// Package policy decides what a lease is granted, and reports why a granted number
// differs from the requested one.
//
// The administrator sets bounds (Config, the values key server.autoscaling). A lease
// asks for replicas, metrics and thresholds (v1alpha1.Autoscaling, the values key
// leases.<name>.autoscaling). New validates the administrator's numbers, and
// Policy.Grant grants one request within them.
//
// A number outside its band is clamped and reported as an Adjustment. A contradiction,
// or something forbidden, is refused with the path of the key. Nothing is dropped
// silently.
//
// LeaseBounds (the values key server.leases) limit the fields, the resources and the
// durations of TritonLeases. They do not apply to leases in the values.
//
// All functions are pure. They expect values that the schema of the chart accepts. The
// chart implements the same policy, without LeaseBounds, in templates/_policy_*.tpl, for a
// plain helm install. Tests check that both give the same grants and messages.
package policy
