package render

import (
	"cmp"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/triton-leases/tms/pkg/policy"
	"github.com/triton-leases/tms/pkg/values"
)

// Lease is one lease and what it was granted.
type Lease struct {
	// Name is its key under leases.
	Name string
	// ObjectName is the name of all of its objects.
	ObjectName string
	// Values are what its key holds.
	Values values.Lease
	// Grant is what it has, and why it is not what it asked for.
	Grant policy.Grant
}

// judgement is what was decided about all values, before anything is rendered.
type judgement struct {
	leases     []Lease // by name
	warnings   []string
	ruleLabels map[string]string
	rateWindow policy.Duration
}

// judge decides about values that the schema accepts. The error is a
// policy.Refusal with every reason at once.
func judge(chart string, release Release, v *values.Values) (*judgement, error) {
	reasons := release.validate()
	if v.Images.Triton == "" {
		reasons = append(reasons, field.Required(field.NewPath("images", "triton"), "the image of Triton Inference Server"))
	}
	j := &judgement{warnings: foreign(v), rateWindow: v.Server.Autoscaling.Prometheus.RateWindow}

	judge, err := policy.New(v.Server.Autoscaling)
	reasons = append(reasons, refusal(err)...)
	coherent := err == nil
	if coherent {
		var warnings []string
		j.ruleLabels, warnings = judge.RuleLabels()
		j.warnings = append(j.warnings, warnings...)
	}

	prefix := fullname(chart, release.Name, v)
	targets := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(v.Leases)) {
		path := field.NewPath("leases").Child(name)
		lease := Lease{Name: name, ObjectName: prefix + "-" + name, Values: v.Leases[name]}
		reasons = append(reasons, checkNames(path, lease)...)
		if lease.Values.Autoscaling.Enable {
			reasons = append(reasons, checkTarget(path, lease.Values.Target, targets)...)
		}
		if coherent {
			lease.Grant, err = judge.Grant(path, lease.Values.Autoscaling, pod(v.Triton, lease.Values))
			reasons = append(reasons, refusal(err)...)
		}
		for _, adjustment := range lease.Grant.Adjustments {
			j.warnings = append(j.warnings, adjustment.String())
		}
		j.warnings = append(j.warnings, lease.Grant.Warnings...)
		j.leases = append(j.leases, lease)
	}
	if len(reasons) > 0 {
		return nil, reasons
	}
	return j, nil
}

// refusal returns the reasons in an error of pkg/policy.
func refusal(err error) policy.Refusal {
	var reasons policy.Refusal
	errors.As(err, &reasons)
	return reasons
}

// foreign names the keys of NVIDIA TMS that mean nothing here.
func foreign(v *values.Values) []string {
	var warnings []string
	for _, key := range []struct {
		path  string
		value any
	}{
		{"images.server", v.Images.Server},
		{"images.sidecar", v.Images.Sidecar},
		{"images.mongodb", v.Images.MongoDB},
		{"images.rest", v.Images.REST},
		{"server.apiService", v.Server.APIService},
		{"server.metrics", v.Server.Metrics},
		{"server.modelRepositories", v.Server.ModelRepositories},
	} {
		if key.value != nil {
			warnings = append(warnings, key.path+": a key of NVIDIA TMS that has no meaning here is ignored")
		}
	}
	return warnings
}

// fullname is what the names of all objects begin with. It is never cut: two
// names that are cut can collide.
func fullname(chart, release string, v *values.Values) string {
	if v.FullnameOverride != "" {
		return v.FullnameOverride
	}
	name := chart
	if v.NameOverride != "" {
		name = v.NameOverride
	}
	if strings.Contains(release, name) {
		return release
	}
	return release + "-" + name
}

// objectName is what every kind of object accepts as a name: a Service is the strictest.
var objectName = regexp.MustCompile(`^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$`)

func checkNames(path *field.Path, lease Lease) policy.Refusal {
	var reasons policy.Refusal
	if !objectName.MatchString(lease.ObjectName) {
		reasons = append(reasons, field.Invalid(path, lease.ObjectName,
			"the objects of this lease would have this name, which must be a DNS label of at most 63 characters that begins with a letter; "+
				"change the name of the lease or of the release, or set fullnameOverride"))
	}
	seen := map[string]bool{}
	for i, model := range lease.Values.Models {
		if seen[model.Name] {
			reasons = append(reasons, field.Duplicate(path.Child("models").Index(i).Child("name"), model.Name))
		}
		seen[model.Name] = true
	}
	return reasons
}

// checkTarget refuses a second lease of one workload: two autoscalers would pull
// at it, and two rules record the same series.
func checkTarget(path *field.Path, target *values.Target, seen map[string]bool) policy.Refusal {
	if target == nil {
		return nil
	}
	workload := strings.Join([]string{cmp.Or(target.APIVersion, "apps/v1"), cmp.Or(target.Kind, "Deployment"), target.Name}, " ")
	if seen[workload] {
		return policy.Refusal{field.Duplicate(path.Child("target", "name"), target.Name)}
	}
	seen[workload] = true
	return nil
}

// pod returns what the policy must know of the lease's pods, nil where somebody
// else deploys them.
func pod(defaults values.Triton, lease values.Lease) *policy.Pod {
	if len(lease.Models) == 0 {
		return nil
	}
	var own values.Triton
	if lease.Triton != nil {
		own = *lease.Triton
	}
	return &policy.Pod{
		CPURequest:    own.Resources.RequestsCPU(defaults.Resources),
		GPULimit:      own.Resources.LimitsGPU(defaults.Resources),
		FixedReplicas: own.Replicas != nil,
	}
}
