package render

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/fieldpath"
	"github.com/triton-leases/tms/pkg/policy"
	"github.com/triton-leases/tms/pkg/values"
)

// GrantedLease is a lease and what it was granted.
type GrantedLease struct {
	// Name is its key under leases, or the name of a TritonLease.
	Name string
	// Namespace is that of a TritonLease; it is empty for a lease of the values.
	Namespace string
	// ObjectName is the name of all of its objects.
	ObjectName string
	// Path is leases.<name>, or spec for a TritonLease. Messages name keys below it.
	Path string
	// Request is the autoscaling that the lease asks for. AskedTerm is the term that a
	// TritonLease asks for.
	Request   v1alpha1.Autoscaling
	AskedTerm policy.TermRequest
	// Grant is the autoscaling that it is granted, with its adjustments. Term is the term
	// that a TritonLease is granted.
	Grant v1alpha1.Grant
	Term  v1alpha1.Term
	// Workload identifies the target that the lease scales. It is empty if the lease has no
	// target or is not autoscaled.
	Workload string

	// connectionAge reports whether the image is known to have --grpc-max-connection-age.
	connectionAge bool

	shape      *shape
	parameters []string
}

// String returns the name of the lease, with the namespace of a TritonLease before it.
func (g *GrantedLease) String() string {
	if g.Namespace != "" {
		return g.Namespace + "/" + g.Name
	}
	return g.Name
}

// Grants are the grants of all leases of an input.
type Grants struct {
	// Leases are ordered by name.
	Leases []*GrantedLease
	// Warnings are the messages to the user: the adjustments, and other warnings.
	Warnings []string
}

// grant validates the values and grants all their leases. It removes the leases from the
// input. The error is a policy.Refusal with every reason.
func (r *Renderer) grant(release Release, input *Input) (*LeaseRenderer, *Grants, error) {
	if input.spent {
		return nil, nil, errSpent
	}
	input.spent = true
	merged, err := r.chart.Coalesce(input.withoutLeases())
	if err != nil {
		return nil, nil, err
	}
	leases, _ := input.values[leasesKey].(map[string]any)
	if given, has := input.values[leasesKey]; has && given != nil {
		merged[leasesKey] = given
	}
	refused := newRefusals(merged, r.schema.Validate(merged))
	lr, warnings, err := r.configure(release, merged, refused)
	if err != nil {
		return nil, nil, err
	}
	grants := &Grants{Leases: make([]*GrantedLease, 0, len(leases)), Warnings: warnings}
	workloads := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(leases)) {
		value, isMap := leases[name].(map[string]any)
		if refused.leases[name] || !isMap {
			continue
		}
		delete(leases, name) // frees the memory of a large fleet while it is granted
		granted, reasons := lr.grantLease(field.NewPath(leasesKey).Child(name), name, value)
		if granted.Workload != "" && workloads[granted.Workload] {
			reasons.byPolicy = slices.Insert(reasons.byPolicy, reasons.names, policy.DuplicateTarget(granted.path(), granted.workloadName(), ""))
		}
		workloads[granted.Workload] = true
		if refused.add(reasons.byPolicy); len(reasons.byPolicy) == 0 {
			lr.addShape(granted, value)
		}
		grants.Leases = append(grants.Leases, granted)
		for _, adjustment := range granted.Grant.Adjustments {
			grants.Warnings = append(grants.Warnings, adjustment.String())
		}
		for _, warning := range granted.Grant.Warnings {
			grants.Warnings = append(grants.Warnings, warning.String())
		}
	}
	if reasons := refused.reasons(); len(reasons) > 0 {
		return nil, nil, reasons
	}
	return lr, grants, nil
}

// Grant grants one lease of the values. The error is a policy.Refusal with paths that
// begin with leases.<name>.
func (lr *LeaseRenderer) Grant(name string, spec *v1alpha1.LeaseSpec) (*GrantedLease, error) {
	value, err := spec.Map()
	if err != nil {
		return nil, err
	}
	if refused := lr.validate(name, value); len(refused) > 0 {
		return nil, refused
	}
	granted, reasons := lr.grantLease(field.NewPath(leasesKey).Child(name), name, value)
	if len(reasons.byPolicy) > 0 {
		return nil, reasons.byPolicy
	}
	lr.addShape(granted, value)
	return granted, nil
}

// GrantTritonLease grants the autoscaling and the term of a TritonLease. The error is a
// policy.Refusal with paths that begin with spec. lr must be made for a Release with
// Controller set.
func (lr *LeaseRenderer) GrantTritonLease(lease *v1alpha1.TritonLease) (*GrantedLease, error) {
	if reasons := checkSize(lease); len(reasons) > 0 {
		return nil, reasons
	}
	value, err := lease.Spec.Map()
	if err != nil {
		return nil, err
	}
	spec := field.NewPath("spec")
	granted := &GrantedLease{Name: lease.Name}
	refused := lr.validate(lease.Name, value)
	for _, reason := range refused {
		moved, _ := fieldpath.Parse(reason.Field).Rebase(fieldpath.New(leasesKey, lease.Name), fieldpath.New("spec"))
		reason.Field = moved.String()
	}
	if len(refused) == 0 {
		var reasons *leaseReasons
		granted, reasons = lr.grantLease(spec, lease.Name, value)
		refused = reasons.byPolicy
	}
	asked := policy.TermRequest{Duration: lease.Spec.Duration, AutoRenew: lease.Spec.AutoRenew}
	term, adjustments, err := lr.terms.Grant(spec, asked)
	if refused = append(refused, policy.Reasons(err)...); len(refused) > 0 {
		return nil, refused
	}
	granted.Namespace, granted.AskedTerm, granted.Term = lease.Namespace, asked, term
	lr.addShape(granted, value)
	granted.Grant.Adjustments = append(granted.Grant.Adjustments, adjustments...)
	return granted, nil
}

// validate validates one lease against the schema. Paths begin with leases.<name>.
func (lr *LeaseRenderer) validate(name string, value map[string]any) policy.Refusal {
	return policy.Refusal(lr.renderer.schema.Validate(map[string]any{leasesKey: map[string]any{name: value}}))
}

// leaseReasons are the reasons why the policy refuses one lease.
type leaseReasons struct {
	byPolicy policy.Refusal
	// names is the number of reasons about names, which come first in byPolicy.
	names int
}

// grantLease decodes and grants one lease that the schema accepts, without its shape.
func (lr *LeaseRenderer) grantLease(path *field.Path, name string, value map[string]any) (*GrantedLease, *leaseReasons) {
	g := &GrantedLease{Name: name, ObjectName: lr.fullname + "-" + name, Path: path.String()}
	reasons := new(leaseReasons)
	spec, err := values.DecodeLease(value)
	if err != nil {
		reasons.byPolicy = policy.Refusal{field.InternalError(path, err)}
		return g, reasons
	}
	reasons.byPolicy = lr.checkNames(path, g, spec)
	reasons.names = len(reasons.byPolicy)
	g.Request = spec.Autoscaling
	if spec.Target != nil && g.Request.Enable {
		g.Workload = spec.Target.Workload()
	}
	reasons.byPolicy = append(reasons.byPolicy, policy.Reasons(lr.images.Check(path, spec.Image))...)
	if spec.Triton != nil {
		reasons.byPolicy = append(reasons.byPolicy, policy.CheckArguments(argumentsOf(path.Child("triton"), spec.Triton)...)...)
	}
	pod := lr.pod(path, spec)
	g.connectionAge = pod != nil && policy.ParseImage(pod.Image).ConnectionAge()
	if lr.policy != nil {
		g.Grant, err = lr.policy.Grant(path, spec.Autoscaling, pod)
		reasons.byPolicy = append(reasons.byPolicy, policy.Reasons(err)...)
	}
	return g, reasons
}

// checkNames refuses a lease if its objects cannot have their name, or if two of its
// models have the same name.
func (lr *LeaseRenderer) checkNames(path *field.Path, g *GrantedLease, spec *v1alpha1.LeaseSpec) policy.Refusal {
	var reasons policy.Refusal
	if g.ObjectName == lr.serverName {
		reasons = append(reasons, field.Invalid(path, g.ObjectName,
			"the objects of this lease would have this name, which is that of tms-server"))
	}
	if !isObjectName(g.ObjectName) {
		reasons = append(reasons, field.Invalid(path, g.ObjectName,
			"the objects of this lease would have this name, which must be a DNS label of at most 63 characters that begins with a letter; "+
				"change the name of the lease or of the release, or set fullnameOverride"))
	}
	seen := map[string]bool{}
	for i, model := range spec.Models {
		if seen[model.Name] {
			reasons = append(reasons, field.Duplicate(path.Child("models").Index(i).Child("name"), model.Name))
		}
		seen[model.Name] = true
	}
	return reasons
}

// path returns the path of the lease.
func (g *GrantedLease) path() *field.Path { return fieldpath.Parse(g.Path).Field() }

// workloadName returns the name of the target.
func (g *GrantedLease) workloadName() string {
	return g.Workload[strings.LastIndexByte(g.Workload, ' ')+1:]
}

// pod returns what the policy needs to know about the pods of a lease, or nil for a lease
// with a target. The path is that of the lease.
func (lr *LeaseRenderer) pod(path *field.Path, spec *v1alpha1.LeaseSpec) *policy.Pod {
	if len(spec.Models) == 0 {
		return nil
	}
	var own v1alpha1.Triton
	if spec.Triton != nil {
		own = *spec.Triton
	}
	defaults := lr.decoded.Triton.Resources
	arguments := argumentsOf(field.NewPath("triton"), &lr.decoded.Triton)
	for i, list := range argumentsOf(path.Child("triton"), &own) {
		if list.Items != nil { // a lease's list replaces the default, also if it is empty
			arguments[i] = list
		}
	}
	return &policy.Pod{
		CPURequest:    values.RequestsCPU(own.Resources, defaults),
		GPULimit:      values.LimitsGPU(own.Resources, defaults),
		FixedReplicas: own.Replicas != nil,
		Image:         cmp.Or(spec.Image, lr.decoded.Images.Triton),
		Arguments:     arguments,
	}
}

// argumentsOf returns the lists of arguments of a Triton.
func argumentsOf(path *field.Path, triton *v1alpha1.Triton) []policy.Arguments {
	return []policy.Arguments{{Path: path.Child("args"), Items: triton.Args}}
}
