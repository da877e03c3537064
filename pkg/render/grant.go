package render

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/leasepod"
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
	// Models are its models. A lease with a target has none.
	Models []v1alpha1.Model
	// RequestedAutoscaling and RequestedTerm are what the lease asks for. Only a TritonLease
	// has a term.
	RequestedAutoscaling v1alpha1.Autoscaling
	RequestedTerm        policy.TermRequest
	// Grant and Term are what it is granted, with the adjustments of both in Grant.
	Grant v1alpha1.Grant
	Term  v1alpha1.Term
	// Workload identifies the target that the lease scales. It is empty if the lease has no
	// target or is not autoscaled.
	Workload string

	// connectionAge reports whether the image is known to have --grpc-max-connection-age.
	connectionAge bool

	// reloadedAt is when the pods of a TritonLease were last reloaded, in RFC 3339. It is
	// empty if they were not.
	reloadedAt string

	shape      *shape
	parameters []string
	// pod is the judgement of the pods of a TritonLease.
	pod leasepod.Verdict
	// value is the spec of a TritonLease.
	value map[string]any
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
	lr.hasServer = input.installsServer()
	grants := &Grants{Leases: make([]*GrantedLease, 0, len(leases)), Warnings: warnings}
	workloads := lr.deployments(leases)
	for _, name := range slices.Sorted(maps.Keys(leases)) {
		value, isMap := leases[name].(map[string]any)
		if refused.leases[name] || !isMap {
			continue
		}
		delete(leases, name) // frees the memory of a large fleet while it is granted
		granted, reasons := lr.grantLease(field.NewPath(leasesKey).Child(name), name, value, workloads)
		refused.add(reasons)
		if len(reasons) == 0 {
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
	faults, err := lr.refuseFaults(grants.Leases)
	if err != nil {
		return nil, nil, err
	}
	if refused.add(faults); len(faults) > 0 {
		return nil, nil, refused.reasons()
	}
	return lr, grants, nil
}

// deployments returns the Deployments of the leases that have one, as Workload names them.
func (lr *LeaseRenderer) deployments(leases map[string]any) map[string]bool {
	all := map[string]bool{}
	for name, lease := range leases {
		value, _ := lease.(map[string]any)
		if models, _ := value["models"].([]any); len(models) > 0 {
			all["apps Deployment "+lr.fullname+"-"+name] = true
		}
	}
	return all
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
	granted, reasons := lr.grantLease(field.NewPath(leasesKey).Child(name), name, value, nil)
	if len(reasons) > 0 {
		return nil, reasons
	}
	lr.addShape(granted, value)
	if err := lr.checkFaults(granted); err != nil {
		return nil, err
	}
	return granted, nil
}

// checkFaults returns a policy.Refusal if Kubernetes would refuse objects of the lease.
func (lr *LeaseRenderer) checkFaults(g *GrantedLease) error {
	reasons, err := lr.refuseFaults([]*GrantedLease{g})
	if len(reasons) > 0 {
		return reasons
	}
	return err
}

// validate validates one lease against the schema. Paths begin with leases.<name>.
func (lr *LeaseRenderer) validate(name string, value map[string]any) policy.Refusal {
	return policy.Refusal(lr.renderer.schema.Validate(map[string]any{leasesKey: map[string]any{name: value}}))
}

// grantLease decodes and grants one lease that the schema accepts, without its shape. It
// refuses a target in workloads, and adds the target to them. workloads is nil if the
// caller checks targets itself.
func (lr *LeaseRenderer) grantLease(path *field.Path, name string, value map[string]any, workloads map[string]bool) (*GrantedLease, policy.Refusal) {
	g := &GrantedLease{Name: name, ObjectName: lr.fullname + "-" + name, Path: path.String()}
	spec, err := values.DecodeLease(value)
	if err != nil {
		return g, policy.Refusal{field.InternalError(path, err)}
	}
	g.Models, g.RequestedAutoscaling = spec.Models, spec.Autoscaling
	reasons := lr.checkNames(path, g, spec)
	reasons = append(reasons, lr.checkRepositories(path, spec)...)
	reasons = append(reasons, lr.checkTriton(path, spec)...)
	if spec.Target != nil && spec.Autoscaling.Enable {
		g.Workload = spec.Target.Workload()
		if workloads[g.Workload] {
			reasons = append(reasons, policy.DuplicateTarget(path, spec.Target.Name, ""))
		}
		if workloads != nil {
			workloads[g.Workload] = true
		}
	}
	reasons = append(reasons, policy.Reasons(lr.images.Check(path, spec.Image))...)
	if spec.Triton != nil {
		reasons = append(reasons, policy.CheckArguments(argumentsOf(path.Child("triton"), spec.Triton)...)...)
	}
	if !lr.release.Controller {
		reasons = append(reasons, policy.CheckScheduleServer(path, spec.Autoscaling, lr.decoded.Server.Autoscaling.Source, lr.hasServer)...)
	}
	pod := lr.pod(path, spec)
	g.connectionAge = pod != nil && policy.ParseImage(pod.Image).ConnectionAge()
	if lr.policy != nil {
		g.Grant, err = lr.policy.Grant(path, spec.Autoscaling, pod)
		reasons = append(reasons, policy.Reasons(err)...)
	}
	g.Grant.Warnings = append(policy.ModelWarnings(path, spec.Models, lr.repositories), g.Grant.Warnings...)
	return g, reasons
}

// checkNames refuses a lease if its objects cannot have their name, or if two of its
// models have the same name.
func (lr *LeaseRenderer) checkNames(path *field.Path, g *GrantedLease, spec *v1alpha1.LeaseSpec) policy.Refusal {
	var reasons policy.Refusal
	if !lr.release.Controller {
		reasons = append(reasons, lr.checkServerName(path, g.ObjectName)...)
	}
	if !isObjectName(g.ObjectName) {
		reasons = append(reasons, field.Invalid(path, g.ObjectName,
			"the name of the lease's objects "+mustBeObjectName+": change the name of the lease or of the release, or set fullnameOverride"))
	} else if strings.HasSuffix(g.ObjectName, headlessSuffix) {
		reasons = append(reasons, field.Invalid(path, g.ObjectName,
			"the name of the lease's objects must not end in -headless, which ends the names of headless Services: change the name of the lease"))
	} else if name := g.ObjectName + headlessSuffix; lr.hasHeadless(spec) && !isObjectName(name) {
		reasons = append(reasons, field.Invalid(path, name,
			"the name of the headless Service must have at most 63 characters: "+
				"change the name of the lease or of the release, or set service.headless: false"))
	}
	seen := map[string]bool{}
	for i, model := range spec.Models {
		if seen[model.Name] {
			reasons = append(reasons, field.Duplicate(path.Child("models").Index(i).Child("name"), model.Name))
		}
		if model.Name == "*" && len(spec.Models) > 1 {
			reasons = append(reasons, field.Invalid(path.Child("models").Index(i).Child("name"), model.Name,
				"must be the only model, because it loads all models of its repository"))
		}
		seen[model.Name] = true
	}
	return reasons
}

// checkServerName refuses a lease in the namespace of the release if its objects have the
// name of those of tms-server.
func (lr *LeaseRenderer) checkServerName(path *field.Path, objectName string) policy.Refusal {
	if objectName != lr.serverName {
		return nil
	}
	return policy.Refusal{field.Invalid(path, objectName,
		"the name of the lease's objects must not be that of tms-server: change the name of the lease")}
}

// headlessSuffix is the end of the name of a headless Service.
const headlessSuffix = "-headless"

// hasHeadless reports whether the lease has a headless Service.
func (lr *LeaseRenderer) hasHeadless(spec *v1alpha1.LeaseSpec) bool {
	headless := lr.decoded.Service.Headless
	if spec.Service != nil && spec.Service.Headless != nil {
		headless = spec.Service.Headless
	}
	return len(spec.Models) > 0 && headless != nil && *headless
}

// checkTriton refuses a Triton that cannot run.
func (lr *LeaseRenderer) checkTriton(path *field.Path, spec *v1alpha1.LeaseSpec) policy.Refusal {
	if len(spec.Models) == 0 {
		return nil
	}
	var own v1alpha1.Triton
	if spec.Triton != nil {
		own = *spec.Triton
	}
	mounts := lr.repositories.Storage(lr.repositories.ResolveAll(spec.Models)).Mounts
	return policy.Refusal(policy.CheckTriton(path, own, lr.decoded.Triton, mounts))
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
	return []policy.Arguments{
		{Path: path.Child("args"), Items: triton.Args},
		{Path: path.Child("command"), Items: triton.Command, Command: true},
	}
}
