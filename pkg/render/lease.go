package render

import (
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/pkg/policy"
)

// Lease is one lease and what it was granted.
type Lease struct {
	// Name is its key under leases, or the name of a TritonLease.
	Name string
	// ObjectName is the name of all of its objects.
	ObjectName string
	// Request is what it asked for.
	Request v1alpha1.Autoscaling
	// Grant is what it has, and why it is not what it asked for.
	Grant v1alpha1.Grant
	// Term is how long a TritonLease lasts.
	Term v1alpha1.Term

	path *field.Path // where it stands
	// atRunTime is nil for a lease of values. It is a pointer because there may be
	// a hundred thousand of these, and few TritonLeases.
	atRunTime *atRunTime
}

// atRunTime is what only a TritonLease has.
type atRunTime struct {
	namespace string
	asked     policy.TermRequest
}

// Path is where the lease stands: leases.<name> of the values, or the spec of a
// TritonLease. What is said of a lease names keys below it.
func (l *Lease) Path() string { return l.path.String() }

// Namespace is that of a TritonLease, and empty for a lease of values.
func (l *Lease) Namespace() string {
	if l.atRunTime == nil {
		return ""
	}
	return l.atRunTime.namespace
}

// AskedTerm is how long a TritonLease asked to last.
func (l *Lease) AskedTerm() policy.TermRequest {
	if l.atRunTime == nil {
		return policy.TermRequest{}
	}
	return l.atRunTime.asked
}

// String is how people tell leases apart: by name, and by namespace and name where
// they are TritonLeases.
func (l *Lease) String() string {
	if namespace := l.Namespace(); namespace != "" {
		return namespace + "/" + l.Name
	}
	return l.Name
}

// Judgement is what was decided about all leases, before anything is rendered.
type Judgement struct {
	// Leases are by name, and by namespace before that.
	Leases []*Lease
	// Warnings are sentences for a person: one for each adjustment, and what else deserves a look.
	Warnings []string
}
