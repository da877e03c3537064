package render

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/stencil"
	"github.com/triton-leases/tms/pkg/policy"
	"github.com/triton-leases/tms/pkg/values"
)

// LeaseRenderer grants and renders the leases of one release. The values, except the
// leases, are validated and decoded when it is made. It is safe for concurrent use.
type LeaseRenderer struct {
	renderer *Renderer
	release  Release
	// values are the release's values without leases, merged with the chart's defaults.
	values  map[string]any
	decoded *values.Values
	// leaseValues are the values that the templates of kinds can read.
	leaseValues map[string]any
	// fullname is the prefix of the names of all objects. serverName is the name of
	// tms-server's objects and service account, or empty if tms-server is not installed.
	fullname, serverName string
	// hasServer reports whether the release has tms-server.
	hasServer bool
	// policy and bounds are nil if the configuration is refused.
	policy     *policy.Policy
	bounds     *policy.LeaseBounds
	metrics    map[string]policy.Metric // by name
	ruleLabels map[string]string
	images     policy.Allowlist

	placeholders stencil.Placeholders
	shapes       *shapeCache
	monitoring   *monitoringCache
	// namesMounts reports whether the defaults in triton name a path below mountPath.
	namesMounts  bool
	repositories policy.ModelRepositories
}

// LeaseRenderer returns a LeaseRenderer for the values of an input. It ignores their
// leases. The error is a policy.Refusal with every reason. Only the embedded chart is
// supported.
func (r *Renderer) LeaseRenderer(release Release, input *Input) (*LeaseRenderer, error) {
	if r.foreign {
		return nil, errForeign
	}
	merged, err := r.chart.Coalesce(input.Configuration().values)
	if err != nil {
		return nil, err
	}
	refused := newRefusals(merged, r.schema.Validate(merged))
	lr, _, err := r.configure(release, merged, refused)
	if err != nil {
		return nil, err
	}
	if reasons := refused.reasons(); len(reasons) > 0 {
		return nil, reasons
	}
	lr.hasServer = input.installsServer()
	return lr, nil
}

// configure makes a LeaseRenderer from merged values, and adds the reasons against the
// values to refused. The LeaseRenderer leaves out the keys that the schema refuses, so
// that the leases can still be checked. It also returns the warnings about the values.
func (r *Renderer) configure(release Release, merged map[string]any, refused *refusals) (*LeaseRenderer, []string, error) {
	accepted := maps.Clone(merged)
	delete(accepted, leasesKey)
	for key := range refused.ignored {
		delete(accepted, key)
	}
	decoded, err := values.Decode(accepted)
	if err != nil {
		return nil, nil, err
	}
	lr := &LeaseRenderer{
		renderer: r, release: release, values: accepted, decoded: decoded, leaseValues: leaseValues(accepted),
		fullname: fullname(r.chart.Name(), release.Name, decoded), images: decoded.AllowedImages(),
		placeholders: stencil.NewPlaceholders(), shapes: &shapeCache{limit: r.shapeCacheBytes}, monitoring: new(monitoringCache),
		namesMounts: namesMount(accepted["triton"]), repositories: decoded.Server.ModelRepositories,
	}
	if release.Controller {
		delete(accepted, "serviceAccount") // it exists in the namespace of the release only
		delete(lr.leaseValues, "serviceAccount")
	}
	serverName := lr.fullname + "-server"
	if decoded.Server.Enabled || release.Controller {
		lr.serverName = serverName
	}
	refused.add(release.validate())
	warnings := ignoredKeys(decoded, lr.downloads(merged[leasesKey]))
	lr.policy, err = policy.New(decoded.Server.Autoscaling)
	refused.addError(err)
	if lr.policy != nil {
		lr.metrics = map[string]policy.Metric{}
		for _, metric := range lr.policy.Metrics() {
			lr.metrics[string(metric.Name)] = metric
		}
		warnings = append(warnings, lr.policy.Warnings()...)
		var overridden []string
		lr.ruleLabels, overridden = lr.policy.RuleLabels()
		warnings = append(warnings, overridden...)
	}
	refused.add(checkServiceName(decoded, serverName))
	refused.add(checkExtraEnv(decoded.Server.ExtraEnv))
	lr.bounds, err = policy.NewLeaseBounds(decoded.Server.Leases, decoded.Server.Autoscaling.Prometheus.RateWindow)
	refused.addError(err)
	refused.add(policy.CheckArguments(argumentsOf(field.NewPath("triton"), &decoded.Triton)...))
	return lr, warnings, nil
}

// checkServiceName refuses a name of tms-server's Service that is not a DNS label.
func checkServiceName(v *values.Values, name string) policy.Refusal {
	if !v.Server.APIService.Enabled || isObjectName(name) {
		return nil
	}
	return policy.Refusal{field.Invalid(field.NewPath("server", "apiService"), name,
		"the name of the API's Service "+mustBeObjectName+": change the name of the release, or set fullnameOverride")}
}

// checkExtraEnv refuses names of environment variables of tms-server that occur twice.
func checkExtraEnv(variables []v1alpha1.Env) policy.Refusal {
	var reasons policy.Refusal
	seen := map[string]bool{}
	for i, variable := range variables {
		if seen[variable.Name] {
			reasons = append(reasons, field.Duplicate(field.NewPath("server", "extraEnv").Index(i).Child("name"), variable.Name))
		}
		seen[variable.Name] = true
	}
	return reasons
}

// Bounds returns the bounds of TritonLeases.
func (lr *LeaseRenderer) Bounds() *policy.LeaseBounds { return lr.bounds }

// ServerName returns the name of the objects of tms-server.
func (lr *LeaseRenderer) ServerName() string { return lr.serverName }

// LeaseOf returns the name of the TritonLease that would have an object with a name, and
// reports whether a TritonLease can have one.
func (lr *LeaseRenderer) LeaseOf(objectName string) (lease string, ok bool) {
	return strings.CutPrefix(strings.TrimSuffix(objectName, headlessSuffix), lr.fullname+"-")
}

// AllowedImages returns the Triton images that leases may use, the default first.
func (lr *LeaseRenderer) AllowedImages() []string { return slices.Clone(lr.images) }

// WithImages returns a LeaseRenderer that allows more Triton images. It shares all
// rendered shapes with lr.
func (lr *LeaseRenderer) WithImages(images ...string) *LeaseRenderer {
	more := *lr
	more.images = slices.Concat(lr.images, images)
	return &more
}

// ReuseShapes lets lr use the shapes that an earlier LeaseRenderer rendered, if the templates
// would render them alike: a change of bounds does not render all shapes again. It must be
// called before lr grants a lease.
func (lr *LeaseRenderer) ReuseShapes(before *LeaseRenderer) {
	if before.renderer == lr.renderer && before.templateInput() == lr.templateInput() {
		lr.placeholders, lr.shapes = before.placeholders, before.shapes
	}
}

// templateInput identifies what the templates of kinds read besides a shape.
func (lr *LeaseRenderer) templateInput() string {
	metrics := map[string]any{}
	for name, metric := range lr.metrics {
		metrics[name] = metricValue(metric)
	}
	text, _ := json.Marshal([]any{lr.leaseValues, lr.release, metrics, lr.ruleLabels}) // values were decoded from YAML
	return string(text)
}

// leaseValues returns the values that the templates of kinds can read: not those that only
// the policy and tms-server read.
func leaseValues(all map[string]any) map[string]any {
	server, _ := all["server"].(map[string]any)
	pick := func(from string, keys ...string) map[string]any {
		section, _ := server[from].(map[string]any)
		picked := map[string]any{}
		for _, key := range keys {
			if value, has := section[key]; has {
				picked[key] = value
			}
		}
		return picked
	}
	picked := maps.Clone(all)
	picked["server"] = map[string]any{"autoscaling": pick("autoscaling", "source", "keda", "behavior", "prometheus"), "leases": pick("leases", "autoRenew")}
	for _, key := range []string{"modelRepositories", "modelDownloads"} {
		if value, has := server[key]; has {
			picked["server"].(map[string]any)[key] = value
		}
	}
	return picked
}

// ClampReplicas clamps the replicas of an existing grant to the current bounds, which may
// have changed since. The GPUs, the metrics and the thresholds stay. If the bounds no longer
// allow autoscaling by these metrics, it returns a grant without autoscaling.
func (lr *LeaseRenderer) ClampReplicas(granted v1alpha1.Grant) v1alpha1.Grant {
	if !granted.Autoscaled {
		replicas, adjustments := lr.bounds.GrantReplicas(field.NewPath("spec"), granted.Replicas, false)
		granted.Replicas, granted.Adjustments = replicas, mergeAdjustments(adjustments, granted.Adjustments)
		return granted
	}
	request := v1alpha1.Autoscaling{
		Enable:   true,
		Replicas: v1alpha1.ReplicaRange{Minimum: &granted.MinReplicas, Maximum: &granted.MaxReplicas},
		Metrics:  map[v1alpha1.MetricName]v1alpha1.MetricRequest{},
	}
	for i, entry := range granted.Schedule {
		request.Replicas.Schedule = append(request.Replicas.Schedule, v1alpha1.ScheduledRange{
			Cron: entry.Cron, TimeZone: entry.TimeZone, Minimum: &granted.Schedule[i].MinReplicas, Maximum: &granted.Schedule[i].MaxReplicas,
		})
	}
	for _, m := range granted.Metrics {
		request.Metrics[m.Metric] = v1alpha1.MetricRequest{Enabled: new(true)}
	}
	clamped, err := lr.policy.Grant(field.NewPath("spec"), request, nil)
	if err != nil {
		return v1alpha1.Grant{GPUs: granted.GPUs}
	}
	if !clamped.Autoscaled {
		clamped.GPUs = granted.GPUs
		return clamped
	}
	granted.Adjustments = mergeAdjustments(clamped.Adjustments, granted.Adjustments)
	granted.MinReplicas, granted.MaxReplicas, granted.Schedule = clamped.MinReplicas, clamped.MaxReplicas, clamped.Schedule
	return granted
}

// mergeAdjustments returns new adjustments, and earlier ones of other fields.
func mergeAdjustments(now, before []v1alpha1.Adjustment) []v1alpha1.Adjustment {
	kept := slices.DeleteFunc(slices.Clone(before), func(b v1alpha1.Adjustment) bool {
		return slices.ContainsFunc(now, func(n v1alpha1.Adjustment) bool { return n.Field == b.Field })
	})
	return slices.Concat(now, kept)
}

// namespaceOf returns the namespace of a lease's objects.
func (lr *LeaseRenderer) namespaceOf(g *GrantedLease) string {
	return cmp.Or(g.Namespace, lr.release.Namespace)
}
