package render

import (
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/source"
	"github.com/triton-leases/tms/pkg/policy"
	"github.com/triton-leases/tms/pkg/values"
)

// Installation is a release of which everything is decided but its leases. It is
// safe for concurrent use.
type Installation struct {
	renderer *Renderer
	release  Release
	// rest are the values that the schema accepts, without leases.
	rest    map[string]any
	decoded *values.Values
	// prefix is what the names of all objects begin with, and prefixed says that
	// an object can be called so.
	prefix   string
	prefixed bool
	// server is the name of the objects of tms-server, empty where it is not installed.
	server string
	// policy is nil where the administrator's configuration is not coherent, of
	// which nothing can be said about a lease.
	policy     *policy.Policy
	ruleLabels map[string]string
	// terms is nil where what is said of how long leases last is not coherent.
	terms  *policy.Terms
	images policy.Allowlist

	// leases is where the leases stand in the values.
	leases *field.Path

	forms   memory[string, *form]
	objects memory[variant, *objectForm]
}

// install decides about all values but the leases. Where some are wrong the
// Installation is of those that are not, and the reasons are in the order in
// which people shall read them.
func (r *Renderer) install(release Release, input *Input) (*Installation, refusals, []string, error) {
	var refused refusals
	rest, err := r.chart.Coalesce(input.values.Rest())
	if err != nil {
		return nil, refused, nil, err
	}
	refused.bySchema = r.schema.Validate(rest)
	sound := without(rest, refused.bySchema)
	decoded, err := values.Decode(sound)
	if err != nil {
		return nil, refused, nil, err
	}
	in := &Installation{
		renderer: r, release: release, rest: sound, decoded: decoded,
		prefix: fullname(r.chart.Name(), release.Name, decoded),
		images: decoded.AllowedImages(), leases: field.NewPath("leases"),
		forms: memory[string, *form]{most: r.memory}, objects: memory[variant, *objectForm]{most: r.memory},
	}
	in.prefixed = objectName.MatchString(in.prefix + "-0")
	refused.byPolicy = release.validate()
	if decoded.Images.Triton == "" {
		refused.byPolicy = append(refused.byPolicy, field.Required(field.NewPath("images", "triton"), "the image of Triton Inference Server"))
	}
	warnings := ignored(decoded)
	coherent, err := policy.New(decoded.Server.Autoscaling)
	refused.byPolicy = append(refused.byPolicy, refusal(err)...)
	if err == nil {
		in.policy = coherent
		var overridden []string
		in.ruleLabels, overridden = coherent.RuleLabels()
		warnings = append(warnings, overridden...)
	}
	if decoded.Server.Enabled {
		in.server = in.prefix + "-server"
		if decoded.Images.Server == "" {
			refused.byPolicy = append(refused.byPolicy,
				field.Required(field.NewPath("images", "server"), "the image of tms-server, which server.enabled installs"))
		}
	}
	refused.byPolicy = append(refused.byPolicy, checkAPI(&decoded.Server, in.prefix+"-server")...)
	in.terms, err = policy.NewTerms(decoded.Server.Leases, decoded.Server.Autoscaling.Prometheus.RateWindow)
	refused.byPolicy = append(refused.byPolicy, refusal(err)...)
	refused.leftOut = func(key string) bool {
		_, was := rest[key]
		_, is := sound[key]
		return was && !is
	}
	return in, refused, warnings, nil
}

// Terms are how long leases at run time may last.
func (in *Installation) Terms() *policy.Terms { return in.terms }

// Allow has leases have more images of Triton than the values allow. It must be
// called before anything is rendered.
func (in *Installation) Allow(images ...string) { in.images = append(in.images, images...) }

// AllowedImages are the images of Triton that leases may have, the default first.
func (in *Installation) AllowedImages() []string { return slices.Clone(in.images) }

// Tighten returns what is left of a grant within bounds that may have changed since.
// Of a lease that cannot scale any more nothing is autoscaled.
func (in *Installation) Tighten(granted v1alpha1.Grant) v1alpha1.Grant {
	request := v1alpha1.Autoscaling{Enable: granted.Autoscaled, Replicas: v1alpha1.ReplicaRange{
		Minimum: &granted.MinReplicas, Maximum: &granted.MaxReplicas,
	}, Metrics: map[v1alpha1.MetricName]v1alpha1.MetricRequest{}}
	for _, m := range granted.Metrics {
		request.Metrics[m.Metric] = v1alpha1.MetricRequest{Threshold: &m.Threshold}
	}
	tightened, err := in.policy.Grant(field.NewPath("spec"), request, nil)
	if err != nil {
		return v1alpha1.Grant{}
	}
	return tightened
}

// path is where a lease stands, for errors and adjustments.
func (in *Installation) path(lease string) *field.Path {
	if in.release.Controller {
		return field.NewPath("spec")
	}
	return in.leases.Child(lease)
}

// without returns values without the parts that the schema refuses: single
// leases, or whole top-level keys.
func without(all map[string]any, invalid field.ErrorList) map[string]any {
	if len(invalid) == 0 {
		return all
	}
	sound := maps.Clone(all)
	leases, _ := all["leases"].(map[string]any)
	rest := maps.Clone(leases)
	for _, reason := range invalid {
		parts := source.Parts(reason.Field)
		if len(parts) > 1 && parts[0] == "leases" && leases != nil {
			delete(rest, parts[1])
			sound["leases"] = rest
		} else if len(parts) > 0 {
			delete(sound, parts[0])
		}
	}
	return sound
}
