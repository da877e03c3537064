// Package policy decides what a lease is granted, and reports why that is less than it
// asks for.
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
// All functions are pure. They expect values that the schema of the chart accepts. The
// chart has a twin of this package, templates/_policy_config.tpl and _policy_lease.tpl,
// so that helm install works without Go code of ours. Tests hold both to the same
// grants and the same sentences.
package policy
