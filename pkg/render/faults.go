package render

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/json"

	"github.com/triton-leases/tms/internal/fieldpath"
	"github.com/triton-leases/tms/internal/leasepod"
	"github.com/triton-leases/tms/internal/objectrules"
	"github.com/triton-leases/tms/internal/schedule"
	"github.com/triton-leases/tms/pkg/policy"
)

// OfKubernetes is the origin of reasons that pkg/policy does not know: Kubernetes would
// refuse an object of the lease. Helm alone finds them only when it installs the release.
const OfKubernetes = "kubernetes"

// OfSchedule is the origin of reasons that pkg/policy does not know: a cron expression has no
// time, or there is no such time zone.
const OfSchedule = "schedule"

// fault is an error of one object of a shape. The path is that of the object.
type fault struct {
	kind string
	err  *field.Error
}

// refuseFaults returns the reasons why Kubernetes would refuse objects of the leases, why
// TritonLeases may not have their pods, and why schedules have no times.
func (lr *LeaseRenderer) refuseFaults(leases []*GrantedLease) (policy.Refusal, error) {
	if err := lr.renderShapes(leases); err != nil {
		return nil, err
	}
	var reasons policy.Refusal
	for _, g := range leases {
		faults, err := lr.faultsOf(g)
		if err != nil {
			return nil, err
		}
		for _, f := range faults {
			reasons = append(reasons, lr.reason(g, f))
		}
		reasons = append(reasons, g.pod.Refused...)
		reasons = append(reasons, checkSchedule(g)...)
	}
	return reasons, nil
}

// checkSchedule returns the faults of the schedule of a lease that scales.
func checkSchedule(g *GrantedLease) policy.Refusal {
	if len(g.Grant.Schedule) == 0 {
		return nil
	}
	path := fieldpath.Parse(g.Path).Field().Child("autoscaling", "replicas", "schedule")
	faults := schedule.Check(path, g.RequestedAutoscaling.Replicas.Schedule)
	for _, fault := range faults {
		fault.Origin = OfSchedule
	}
	return policy.Refusal(faults)
}

// faultsOf returns the faults of the shape of a lease. The parameters cannot be at fault:
// the schema and the policy validate them.
func (lr *LeaseRenderer) faultsOf(g *GrantedLease) ([]fault, error) {
	lr.shapes.lock.Lock()
	defer lr.shapes.lock.Unlock()
	if lr.release.Controller {
		if err := lr.judge(g); err != nil {
			return nil, err
		}
	}
	if g.shape.checked {
		return g.shape.faults, nil
	}
	for k, kind := range kinds {
		if !kind.verbatim || g.shape.yaml[k] == nil {
			continue
		}
		manifest, err := lr.jsonOf(g.shape, k)
		if err != nil {
			return nil, err
		}
		object := kind.New()
		unknown, err := json.UnmarshalStrict(manifest.Append(nil, g.parameters), object)
		var faults field.ErrorList
		for _, err := range unknown {
			faults = append(faults, misreadError(err))
		}
		if err != nil {
			faults = append(faults, misreadError(err))
		} else {
			faults = append(faults, objectrules.Validate(object)...)
		}
		for _, err := range faults {
			g.shape.faults = append(g.shape.faults, fault{kind.Kind, err})
		}
	}
	g.shape.checked = true
	return g.shape.faults, nil
}

// judge judges the pods of a TritonLease, once for each shape and the bounds in force. The
// caller holds the lock of the cache.
func (lr *LeaseRenderer) judge(g *GrantedLease) error {
	if g.shape.judgedBy != lr.bounds {
		g.shape.judgedBy, g.shape.pod = lr.bounds, leasepod.Verdict{}
		k := slices.IndexFunc(kinds, func(k Kind) bool { return k.Kind == "Deployment" })
		manifest, err := lr.jsonOf(g.shape, k)
		if err != nil {
			return err
		}
		deployment := new(appsv1.Deployment)
		if manifest != nil && json.UnmarshalCaseSensitivePreserveInts(manifest.Append(nil, g.parameters), deployment) == nil { // otherwise it is a fault
			g.shape.pod = leasepod.Judge(lr.bounds, fieldpath.Parse(g.Path).Field(), &deployment.Spec.Template)
		}
	}
	g.pod = g.shape.pod
	return nil
}

var (
	unknownField = regexp.MustCompile(`^unknown field "(.*)"$`)
	wrongType    = regexp.MustCompile(`^json: cannot unmarshal (\S+) into Go struct field (?:[^.]*\.)?(\S+) of type (\S+)$`)
)

// misreadError returns an error of the decoder as an error of the field that it names.
func misreadError(err error) *field.Error {
	if found := unknownField.FindStringSubmatch(err.Error()); found != nil {
		return field.Forbidden(fieldpath.Parse(found[1]).Field(), "Kubernetes has no such field")
	}
	if found := wrongType.FindStringSubmatch(err.Error()); found != nil {
		return field.TypeInvalid(fieldpath.Parse(found[2]).Field(), found[1], "must be of type "+found[3])
	}
	return field.Invalid(field.NewPath("spec"), field.OmitValueType{}, err.Error())
}

// reason returns a fault as a reason against the key of the values that causes it.
func (lr *LeaseRenderer) reason(g *GrantedLease, f fault) *field.Error {
	reason := *f.err
	reason.Origin = OfKubernetes
	path := fieldpath.Parse(f.err.Field)
	source := lr.source(g, f.kind, path)
	reason.Field = source.path.String()
	if source.rest != "" {
		reason.Detail = strings.TrimSuffix(fmt.Sprintf("%s of the %s: %s", source.rest, f.kind, f.err.Detail), ": ")
	}
	return &reason
}

// source is the key of the values that a field of an object comes from. If the key holds
// the field at another path, rest is the path in the object.
type source struct {
	path fieldpath.Path
	rest string
}

// sources maps fields of a Deployment to keys of triton. The first prefix of a path counts.
var sources = []struct{ field, key string }{
	{"spec.template.metadata.labels", "podLabels"},
	{"spec.template.metadata.annotations", "podAnnotations"},
	{"spec.template.spec.containers[0].startupProbe", "probes.startup"},
	{"spec.template.spec.containers[0].readinessProbe", "probes.readiness"},
	{"spec.template.spec.containers[0].livenessProbe", "probes.liveness"},
	{"spec.template.spec.containers[0]", ""},
	{"spec.template.spec.securityContext", "podSecurityContext"},
	{"spec.template.spec", ""},
	{"spec", ""},
}

// source returns where the value of a field comes from.
func (lr *LeaseRenderer) source(g *GrantedLease, kind string, path fieldpath.Path) source {
	switch kind {
	case "NetworkPolicy":
		return source{fieldpath.New("networkPolicy", "from"), path.String()}
	case "HTTPRoute", "GRPCRoute":
		return source{fieldpath.New("routes", "parentRefs"), path.String()}
	}
	lease := fieldpath.Parse(g.Path)
	own, _ := g.shape.spec["triton"].(map[string]any)
	defaults, _ := lr.values["triton"].(map[string]any)
	// A key of the lease overrides the default, and its path is the one to name.
	at := func(key string) fieldpath.Path {
		if _, has := own[key]; has {
			return lease.Child(fieldpath.Key("triton"), fieldpath.Key(key))
		}
		return fieldpath.New("triton", key)
	}
	if rest, ok := path.Rebase(fieldpath.New("spec", "template"), nil); ok && (lays(own, rest) || lays(defaults, rest)) {
		return source{at("podTemplate"), rest.String()}
	}
	for _, s := range sources {
		rest, ok := path.Rebase(fieldpath.Parse(s.field), nil)
		if !ok {
			continue
		}
		full := append(fieldpath.Parse(s.key), rest...)
		if len(full) == 0 {
			break
		}
		if offset := lr.chartItems(g, full[0].Key); offset > 0 && len(full) > 1 {
			if full[1].Index < offset {
				break // an item of the chart itself
			}
			full[1].Index -= offset
		}
		if _, known := defaults[full[0].Key]; !known && own[full[0].Key] == nil {
			break
		}
		return source{path: append(at(full[0].Key), full[1:]...)}
	}
	return source{lease.Child(fieldpath.Key("triton")), path.String()}
}

// lays reports whether the podTemplate of a triton has a field of the pod: metadata.labels,
// spec.containers or another of the second level.
func lays(triton map[string]any, path fieldpath.Path) bool {
	template, _ := triton["podTemplate"].(map[string]any)
	if len(path) < 2 {
		return len(template) > 0
	}
	part, _ := template[path[0].Key].(map[string]any)
	_, has := part[path[1].Key]
	return has
}

// chartItems returns how many items of the chart come before those of the values in a list
// of the pod: the shared memory, and what the models need.
func (lr *LeaseRenderer) chartItems(g *GrantedLease, key string) int {
	storage := lr.repositories.Storage(lr.repositories.ResolveAll(g.Models))
	switch {
	case key == "volumes":
		return 1 + len(storage.Mounts) + storage.FetchCredentials
	case key == "volumeMounts":
		return 1 + len(storage.Mounts)
	case key == "initContainers" && storage.Downloads:
		return 1
	}
	return 0
}
