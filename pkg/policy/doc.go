// Package policy judges what a lease may have, and why it got less.
//
// An administrator sets bounds (Config, the values key server.autoscaling); a
// lease asks for replicas, metrics and thresholds (Request, the values key
// leases.<name>.autoscaling). Two verbs connect them:
//
//   - New validates the administrator's own numbers;
//   - Policy.Grant evaluates one request within them.
//
// One principle rules both: a number outside its band is clamped and the clamp
// is reported as an Adjustment; a contradiction, or something forbidden, is
// refused with the path of the offending key. Nothing is dropped silently.
//
// Everything here is a pure function. The chart carries a twin of this package
// in templates/_policy.tpl, so that helm install works without our code; tests
// hold the two equal to the byte.
package policy
