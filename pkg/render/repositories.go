package render

import (
	"maps"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/pkg/policy"
)

// resolve returns a lease with the URIs of its named repositories, and the key repository in
// their models: the placeholder of a repo:// URI would hide them from the templates.
func (lr *LeaseRenderer) resolve(lease map[string]any) map[string]any {
	models, _ := lease["models"].([]any)
	copies, named := make([]any, len(models)), false
	for i, item := range models {
		model, _ := item.(map[string]any)
		uri, _ := model["uri"].(string)
		copies[i] = item
		if resolved := lr.repositories.Resolve(uri); resolved.Repository != "" {
			model = maps.Clone(model)
			model["uri"], model["repository"] = resolved.URI, resolved.Repository
			copies[i], named = model, true
		}
	}
	if !named {
		return lease
	}
	lease = maps.Clone(lease)
	lease["models"] = copies
	return lease
}

// checkRepositories refuses models that Triton cannot get.
func (lr *LeaseRenderer) checkRepositories(path *field.Path, spec *v1alpha1.LeaseSpec) policy.Refusal {
	with := policy.RepositoryCheck{ServerImage: lr.decoded.Images.Server != "", ImageVolumes: lr.renderer.imageVolumes}
	if spec.Triton != nil {
		with.ServiceAccount = spec.Triton.ServiceAccountName
	}
	return policy.Refusal(lr.repositories.CheckRepositories(path, spec.Models, with))
}

// downloads reports whether one of the leases has an https:// model.
func (lr *LeaseRenderer) downloads(leases any) bool {
	return anyURI(leases, func(uri string) bool { return lr.repositories.Resolve(uri).Downloads() })
}

// mayDownload reports whether one of the leases could have an https:// model: a named
// repository is not resolved.
func mayDownload(leases any) bool {
	return anyURI(leases, func(uri string) bool { return strings.HasPrefix(uri, "https://") || strings.HasPrefix(uri, "repo://") })
}

// anyURI reports whether the URI of a model of the leases fulfills a condition. The leases
// need not be valid.
func anyURI(leases any, condition func(string) bool) bool {
	all, _ := leases.(map[string]any)
	for _, lease := range all {
		value, _ := lease.(map[string]any)
		models, _ := value["models"].([]any)
		for _, item := range models {
			model, _ := item.(map[string]any)
			if uri, _ := model["uri"].(string); condition(uri) {
				return true
			}
		}
	}
	return false
}
