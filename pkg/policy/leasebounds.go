package policy

import (
	"cmp"
	"encoding/json"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// LeaseConfig are the bounds of TritonLeases, besides those of autoscaling: the values key
// server.leases. Its defaults are in the chart's values.yaml. Leases in the values are the
// administrator's own, and not bound by them.
type LeaseConfig struct {
	// AllowedFields are the keys of spec.triton that a TritonLease may set, parts of
	// podTemplate such as podTemplate.spec.dnsConfig, and keys of spec.service such as
	// service.type.
	AllowedFields []string `json:"allowedFields,omitempty"`
	// AllowedSecrets are the secrets that a lease may refer to. * stands for all, except in
	// the namespace of tms-server.
	AllowedSecrets []string `json:"allowedSecrets,omitempty"`
	// AllowedVolumes are the types of volumes that a lease may have, such as emptyDir.
	// Projected volumes may hold tokens of the service account of the pod.
	AllowedVolumes []string `json:"allowedVolumes,omitempty"`
	// AllowedModelURIs are prefixes of the URIs of models, as a lease writes them. * stands
	// for all.
	AllowedModelURIs   []string            `json:"allowedModelUris,omitempty"`
	AllowedTolerations []AllowedToleration `json:"allowedTolerations,omitempty"`
	// AllowedTargets is Labelled, All or None.
	AllowedTargets string `json:"allowedTargets,omitempty"`
	// PodSecurityStandard is restricted, baseline or privileged.
	PodSecurityStandard string       `json:"podSecurityStandard,omitempty"`
	Limits              LimitsConfig `json:"limits"`
	Budget              BudgetConfig `json:"budget"`

	Duration  DurationBounds `json:"duration"`
	AutoRenew RenewalBounds  `json:"autoRenew"`
}

// LimitsConfig are the most that one TritonLease may have, and how many there may be.
type LimitsConfig struct {
	// Leases is the highest number of granted TritonLeases of the installation, and
	// LeasesPerNamespace that of each namespace. 0 is no limit.
	Leases             int64 `json:"leases"`
	LeasesPerNamespace int64 `json:"leasesPerNamespace"`
	// Replicas is the highest number of replicas of a lease that does not scale.
	Replicas int64 `json:"replicas"`
	// GPUs is the highest number of GPUs of one replica. Resource claims do not count.
	GPUs int64 `json:"gpus"`
	// CPU and Memory are quantities of one replica. An absent quantity, or an empty string,
	// is no limit. CPU bounds requests and limits. A container may have no CPU limit, because
	// it then gets only CPU that others do not request. With Memory, each container needs a
	// memory limit.
	CPU    v1alpha1.RawJSON `json:"cpu,omitempty"`
	Memory v1alpha1.RawJSON `json:"memory,omitempty"`
}

// AllowedToleration matches tolerations that a TritonLease may have. An empty field
// matches everything.
type AllowedToleration struct {
	Key      string `json:"key,omitempty"`
	Operator string `json:"operator,omitempty"`
	Value    string `json:"value,omitempty"`
	Effect   string `json:"effect,omitempty"`
}

// BudgetConfig is how many GPUs the TritonLeases of a namespace may have together.
type BudgetConfig struct {
	// GPUs is the budget of each namespace. Nil means no budget.
	GPUs *int64 `json:"gpus,omitempty"`
	// Namespaces replace GPUs for single namespaces.
	Namespaces map[string]NamespaceBudget `json:"namespaces,omitempty"`
}

// NamespaceBudget is the budget of one namespace. Nil means no budget.
type NamespaceBudget struct {
	GPUs *int64 `json:"gpus,omitempty"`
}

// DurationBounds are how long a TritonLease lasts from its creation or its last renewal.
// A duration of 0 means that it does not expire.
type DurationBounds struct {
	// Default is the duration of a lease that names none.
	Default v1alpha1.Duration `json:"default"`
	// Maximum is the longest duration; 0 means no upper limit.
	Maximum v1alpha1.Duration `json:"maximum"`
}

// RenewalBounds configure the automatic renewal of TritonLeases that serve requests.
type RenewalBounds struct {
	// Default is for leases that do not ask.
	Default bool `json:"default"`
	// Allowed lets a lease turn automatic renewal on or off.
	Allowed bool `json:"allowed"`
	// Interval is how long before the expiry of a lease the checks for requests begin,
	// and the period in which a request counts.
	Interval v1alpha1.Duration `json:"interval"`
}

const (
	standardRestricted = "restricted"
	standardPrivileged = "privileged"
)

// LeaseBounds is a valid LeaseConfig. Its methods are pure, and safe for concurrent use.
type LeaseBounds struct {
	config LeaseConfig
	// cpu and memory are nil if there is no limit.
	cpu, memory *resource.Quantity
}

// NewLeaseBounds returns the bounds of a configuration. If the configuration is invalid,
// the error is a Refusal with every reason. The interval of renewals must not be shorter
// than the rate window, because a renewal reads a rate over that window.
func NewLeaseBounds(config LeaseConfig, rateWindow v1alpha1.Duration) (*LeaseBounds, error) {
	path := field.NewPath("server", "leases")
	b := &LeaseBounds{config: config}
	reasons := validateTerm(path, config, rateWindow)
	for _, limit := range []struct {
		key      string
		raw      v1alpha1.RawJSON
		quantity **resource.Quantity
	}{{"cpu", config.Limits.CPU, &b.cpu}, {"memory", config.Limits.Memory, &b.memory}} {
		var err error
		if *limit.quantity, err = parseQuantity(limit.raw); err != nil {
			reasons = append(reasons, field.Invalid(path.Child("limits", limit.key), string(limit.raw), "must be a quantity such as 16 or 128Gi"))
		}
	}
	if len(reasons) > 0 {
		return nil, Refusal(reasons)
	}
	b.config.AllowedTargets = cmp.Or(config.AllowedTargets, targetsLabelled)
	b.config.PodSecurityStandard = cmp.Or(config.PodSecurityStandard, standardRestricted)
	return b, nil
}

// parseQuantity returns a quantity as a JSON string or number; nil if it is absent or empty.
func parseQuantity(raw v1alpha1.RawJSON) (*resource.Quantity, error) {
	text := string(raw)
	_ = json.Unmarshal(raw, &text) // a number remains as it is
	if text == "" {
		return nil, nil
	}
	quantity, err := resource.ParseQuantity(text)
	return &quantity, err
}
