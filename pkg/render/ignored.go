package render

import "github.com/triton-leases/tms/pkg/values"

// ignoredKeys returns a warning for each key that has no effect: keys of NVIDIA TMS, the
// image of tms-server if it is not installed, and the Service of its API if the API is not
// enabled. The chart has the same warnings.
//
// downloads reports whether a lease has an https:// model, which needs the image too.
func ignoredKeys(v *values.Values, downloads bool) []string {
	var warnings []string
	if v.Images.Server != "" && !v.Server.Enabled && !downloads {
		warnings = append(warnings, "images.server: has no effect while server.enabled is false and no lease has an https:// model")
	}
	if api := v.Server.APIService; !api.Enabled {
		// No warning for a key that is removed or set to its default.
		if api.Type != "" && api.Type != "ClusterIP" {
			warnings = append(warnings, "server.apiService.type: has no effect while server.apiService.enabled is false")
		}
		if api.Port != 0 && api.Port != 30345 {
			warnings = append(warnings, "server.apiService.port: has no effect while server.apiService.enabled is false")
		}
	}
	for _, key := range []struct {
		path  string
		value any
	}{
		{"images.sidecar", v.Images.Sidecar},
		{"images.mongodb", v.Images.MongoDB},
		{"images.rest", v.Images.REST},
		{"server.metrics.reportingWindow", v.Server.Metrics.ReportingWindow},
		{"server.metrics.minimumVisibility", v.Server.Metrics.MinimumVisibility},
	} {
		if key.value != nil {
			warnings = append(warnings, key.path+": ignored, because this key of NVIDIA TMS has no effect here")
		}
	}
	return warnings
}
