package render

import "github.com/triton-leases/tms/pkg/values"

// ignored names the keys of NVIDIA TMS that mean nothing here.
func ignored(v *values.Values) []string {
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
