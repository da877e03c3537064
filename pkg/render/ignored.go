package render

import "github.com/triton-leases/tms/pkg/values"

// ignored names the keys that mean nothing: those of NVIDIA TMS, and the image of a
// server that is not installed.
func ignored(v *values.Values) []string {
	var warnings []string
	if v.Images.Server != "" && !v.Server.Enabled {
		warnings = append(warnings, "images.server: has no effect while server.enabled is false")
	}
	for _, key := range []struct {
		path  string
		value any
	}{
		{"images.sidecar", v.Images.Sidecar},
		{"images.mongodb", v.Images.MongoDB},
		{"images.rest", v.Images.REST},
		{"server.apiService", v.Server.APIService},
		{"server.modelRepositories", v.Server.ModelRepositories},
		{"server.metrics.reportingWindow", v.Server.Metrics.ReportingWindow},
		{"server.metrics.minimumVisibility", v.Server.Metrics.MinimumVisibility},
	} {
		if key.value != nil {
			warnings = append(warnings, key.path+": a key of NVIDIA TMS that has no meaning here is ignored")
		}
	}
	return warnings
}
