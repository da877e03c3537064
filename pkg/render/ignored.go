package render

import (
	"strings"

	"github.com/triton-leases/tms/pkg/values"
)

// ignoredKeys returns a warning for each key that has no effect: keys of NVIDIA TMS, the
// image of tms-server if it is not installed, and the Service of its API if the API is not
// enabled. The chart has the same warnings.
//
// downloads reports whether a lease has an https:// model, which needs the image too.
func ignoredKeys(v *values.Values, downloads bool) []string {
	var warnings []string
	switch {
	case v.Images.Server == "":
	case !v.Server.Enabled && !downloads:
		warnings = append(warnings, "images.server: has no effect while server.enabled is false and no lease has an https:// model")
	case strings.Contains(v.Images.Server, "nvidia/tms-server"):
		warnings = append(warnings, "images.server: the image of NVIDIA TMS does not work here: set it to the image of this chart's tms-server, which make image builds")
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
	for _, name := range v.Server.ModelRepositories.Ignored {
		warnings = append(warnings, "server.modelRepositories."+name+": ignored, because lists other than https are of NVIDIA TMS "+
			"and have no effect here: make it a named repository, with uri and secretName")
	}
	return warnings
}
