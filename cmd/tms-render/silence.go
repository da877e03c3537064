package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/triton-leases/tms/internal/cli"
	"github.com/triton-leases/tms/internal/fieldpath"
	"github.com/triton-leases/tms/internal/inputfiles"
	"github.com/triton-leases/tms/internal/valuesfile"
	"github.com/triton-leases/tms/pkg/render"
)

// noLeases returns the warning about an input that renders no lease and no tms-server, or
// "" for another one.
func noLeases(in *inputfiles.Input, result *render.Result) string {
	switch {
	case len(result.Leases) > 0:
		for range result.Documents() {
			return ""
		}
		return "leases: nothing is rendered: a lease with a target has objects only if it is autoscaled: set autoscaling.enable: true"
	case in.HasManifests:
		return "the input has no TritonLease, so nothing is rendered: give files with TritonLeases"
	}
	for document := range result.Documents() {
		if strings.HasPrefix(document.Source, result.Chart+"/templates/server/") {
			return "" // its leases come at run time
		}
	}
	return `leases: the input has no leases, so none is rendered: add one, such as leases: {resnet50: {models: [{name: resnet50, uri: "s3://models/vision"}]}}`
}

// notesOnTMS returns what tms-render understood of a values file of NVIDIA TMS, and how to
// have leases: TMS has none in its values. It returns nil for values with keys that TMS does
// not have. The warnings name the keys that have no effect, except those of the API, which
// has no effect without tms-server.
func notesOnTMS(in *inputfiles.Input, warnings []string) []string {
	var values map[string]any
	for _, s := range in.Sources {
		more, err := valuesfile.Read(s.Text)
		if err != nil {
			return nil // cannot happen: the input was read before
		}
		values = valuesfile.Merge(values, more)
	}
	for key := range values {
		if !slices.Contains([]string{"images", "kubernetes", "server"}, key) {
			return nil
		}
	}
	understood := slices.DeleteFunc(keysOf(values, nil), func(key string) bool {
		return strings.HasPrefix(key, "server.apiService.") || slices.ContainsFunc(warnings, func(warning string) bool {
			ignored, _, _ := strings.Cut(warning, ": ")
			return strings.HasPrefix(key+".", ignored+".")
		})
	})
	if len(understood) == 0 {
		return nil
	}
	slices.Sort(understood)
	return []string{
		"understood: " + strings.Join(understood, ", "),
		"in values of NVIDIA TMS there are no leases: here, write them under leases, or set server.enabled: true and acquire them from tms-server with tmsctl",
	}
}

// keysOf returns the paths of the keys with values, of at most three keys each.
func keysOf(value any, path fieldpath.Path) []string {
	const deepest = 3
	object, isObject := value.(map[string]any)
	switch {
	case value == nil || isObject && len(object) == 0:
		return nil
	case !isObject || len(path) == deepest:
		return []string{path.String()}
	}
	var keys []string
	for key, inner := range object {
		keys = append(keys, keysOf(inner, path.Child(fieldpath.Key(key)))...)
	}
	return keys
}

// warnings returns the warnings of a result, and notes that are no warnings.
func (o *renderOptions) warnings(in *inputfiles.Input, result *render.Result) (warnings, notes []string) {
	none := ""
	if o.chart == "" && !o.prune { // another chart may have no leases, and --prune expects that all leases are gone
		none = noLeases(in, result)
	}
	if none == "" {
		return result.Warnings, nil
	}
	if !in.HasManifests && len(result.Leases) == 0 {
		notes = notesOnTMS(in, result.Warnings)
	}
	return append(slices.Clip(result.Warnings), none), notes
}

// warn prints the warnings of a result. It returns errStrict if there are any under
// --strict.
func (o *renderOptions) warn(in *inputfiles.Input, result *render.Result, s streams) error {
	warnings, notes := o.warnings(in, result)
	cli.Warn(s.err, warnings)
	for _, note := range notes {
		_, _ = fmt.Fprintln(s.err, "NOTE: "+note)
	}
	return o.ifStrict(warnings)
}

// ifStrict returns errStrict if there are warnings under --strict.
func (o *renderOptions) ifStrict(warnings []string) error {
	if o.strict && len(warnings) > 0 {
		return errStrict
	}
	return nil
}
