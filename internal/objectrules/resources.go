package objectrules

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// resources checks requests and limits. check checks the name of a resource.
func (r *report) resources(requests, limits *field.Path, required *corev1.ResourceRequirements, check func(string) []string) {
	for _, name := range slices.Sorted(maps.Keys(required.Limits)) {
		r.quantity(limits.Key(string(name)), name, required.Limits[name], check)
	}
	for _, name := range slices.Sorted(maps.Keys(required.Requests)) {
		at := requests.Key(string(name))
		r.quantity(at, name, required.Requests[name], check)
		request, limit := rounded(required.Requests[name]), rounded(required.Limits[name])
		_, limited := required.Limits[name]
		switch {
		case limited && !overcommitted(name) && request.Cmp(limit) != 0:
			r.invalid(at, request.String(), "must be equal to the limit, %s", &limit)
		case limited && request.Cmp(limit) > 0:
			r.invalid(at, request.String(), "must be at most the limit, %s", &limit)
		case !limited && !overcommitted(name):
			r.required(limits.Key(string(name)), "must be set and equal to the request, "+request.String())
		}
	}
	var huge, computing bool
	for _, list := range []corev1.ResourceList{required.Limits, required.Requests} {
		for name := range list {
			huge = huge || isHugePages(name)
			computing = computing || name == corev1.ResourceCPU || name == corev1.ResourceMemory
		}
	}
	if huge && !computing {
		r.forbidden(limits, "huge pages need cpu or memory as well")
	}
}

// containerResources checks the resources of a container. claims are those of the pod.
func (r *report) containerResources(at *field.Path, required *corev1.ResourceRequirements, claims sets.Set[string]) {
	r.resources(at.Child("requests"), at.Child("limits"), required, isContainerResource)
	names := at.Child("claims")
	unique(r, names, "name", required.Claims, func(c *corev1.ResourceClaim) string { return c.Name })
	for i, claim := range required.Claims {
		r.notEmpty(names.Index(i).Child("name"), claim.Name)
		r.optionalFormat(names.Index(i).Child("request"), claim.Request, validation.IsDNS1123Label)
		if claim.Name != "" && !claims.Has(claim.Name) {
			r.add(field.NotSupported(names.Index(i).Child("name"), claim.Name, sets.List(claims)))
		}
	}
}

// podResources checks the resources that the containers of a pod share.
func (r *report) podResources(at *field.Path, spec *corev1.PodSpec) {
	if len(spec.Resources.Claims) > 0 {
		r.forbidden(at.Child("claims"), "only containers have claims")
	}
	r.resources(at.Child("requests"), at.Child("limits"), spec.Resources, isPodResource)
}

func rounded(quantity resource.Quantity) resource.Quantity {
	quantity = quantity.DeepCopy()
	quantity.RoundUp(resource.Milli)
	return quantity
}

func (r *report) quantity(at *field.Path, name corev1.ResourceName, quantity resource.Quantity, check func(string) []string) {
	for _, detail := range check(string(name)) {
		r.invalid(at, name, "%s", detail)
	}
	quantity = rounded(quantity)
	if quantity.Sign() < 0 {
		r.invalid(at, quantity.String(), "must not be negative")
	}
	if !native(name) && quantity.MilliValue()%1000 != 0 {
		r.invalid(at, quantity.String(), "must be an integer")
	}
	if isHugePages(name) {
		size, err := resource.ParseQuantity(strings.TrimPrefix(string(name), corev1.ResourceHugePagesPrefix))
		if err != nil || size.Sign() <= 0 || size.MilliValue()%1000 != 0 {
			r.invalid(at, name, "must be hugepages-<size>, such as hugepages-2Mi")
		} else if quantity.Value()%size.Value() != 0 {
			r.invalid(at, quantity.String(), "must be a multiple of %s", &size)
		}
	}
}

func isHugePages(name corev1.ResourceName) bool {
	return strings.HasPrefix(string(name), corev1.ResourceHugePagesPrefix)
}

// native reports whether a resource is Kubernetes' own, and not of a device plugin.
func native(name corev1.ResourceName) bool {
	return !strings.Contains(string(name), "/") || strings.Contains(string(name), corev1.ResourceDefaultNamespacePrefix)
}

// overcommitted reports whether the request for a resource may be less than its limit.
func overcommitted(name corev1.ResourceName) bool { return native(name) && !isHugePages(name) }

func isContainerResource(name string) []string {
	details := validation.IsQualifiedName(name)
	switch {
	case !strings.Contains(name, "/"):
		switch corev1.ResourceName(name) {
		case corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage:
		default:
			if !isHugePages(corev1.ResourceName(name)) {
				details = append(details, "must be cpu, memory, ephemeral-storage, hugepages-<size>, or a name with a domain, such as nvidia.com/gpu")
			}
		}
	case native(corev1.ResourceName(name)):
	case strings.HasPrefix(name, corev1.DefaultResourceRequestsPrefix),
		len(validation.IsQualifiedName(corev1.DefaultResourceRequestsPrefix+name)) > 0:
		details = append(details, "must be a name of a device plugin, such as nvidia.com/gpu")
	}
	return details
}

func isPodResource(name string) []string {
	switch {
	case name == string(corev1.ResourceCPU), name == string(corev1.ResourceMemory), isHugePages(corev1.ResourceName(name)):
		return validation.IsQualifiedName(name)
	}
	return []string{"must be cpu, memory or hugepages-<size>"}
}
