// Package helmchart wraps Helm: it loads a chart, merges values, runs the engine, and
// sorts the documents as helm template does. It is the only importer of Helm, so that
// an upgrade to the next major version of Helm changes only this package.
package helmchart

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/ignore"

	"github.com/triton-leases/tms/internal/limitread"
)

// Chart is a loaded chart. It does not change: its methods are safe for concurrent use.
type Chart struct {
	chart       *chart.Chart
	kubeVersion *chartutil.KubeVersion // nil means Helm's default
}

// Release is the release as templates see it, in .Release.
type Release struct {
	Name      string
	Namespace string
	// IsUpgrade reports whether the release is upgraded, not installed.
	IsUpgrade bool
	// Service is the name of the tool that applies the manifests. Empty means Helm.
	Service string
}

// Load reads a chart from the folder that holds its Chart.yaml, without the files that
// .helmignore excludes. It refuses a chart with dependencies: it does not resolve their
// conditions and imports.
func Load(folder fs.FS) (*Chart, error) {
	rules, err := ignoreRules(folder)
	if err != nil {
		return nil, err
	}
	var files []*loader.BufferedFile
	err = fs.WalkDir(folder, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		info, err := fs.Stat(folder, name) // follows symlinks, as Helm does
		if err != nil {
			return err
		}
		if rules.Ignore(name, info) {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if !info.Mode().IsRegular() {
			return nil
		}
		data, err := limitread.FileFS(folder, name, limitread.Config)
		if err != nil {
			return err
		}
		files = append(files, &loader.BufferedFile{Name: name, Data: bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read chart: %w", err)
	}
	loaded, err := loader.LoadFiles(files)
	if err != nil {
		return nil, fmt.Errorf("load chart: %w", err)
	}
	if len(loaded.Metadata.Dependencies) > 0 || len(loaded.Dependencies()) > 0 {
		return nil, errors.New("load chart: it has dependencies; render it with helm template")
	}
	return &Chart{chart: loaded}, nil
}

func ignoreRules(folder fs.FS) (*ignore.Rules, error) {
	rules := ignore.Empty()
	text, err := limitread.FileFS(folder, ignore.HelmIgnore, limitread.Config)
	if err == nil {
		rules, err = ignore.Parse(bytes.NewReader(text))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read %s: %w", ignore.HelmIgnore, err)
	}
	rules.AddDefaults()
	return rules, nil
}

// Name returns the name of the chart.
func (c *Chart) Name() string { return c.chart.Name() }

// Version returns the version of the chart.
func (c *Chart) Version() string { return c.chart.Metadata.Version }

// Schema returns the chart's values.schema.json, or nil if it has none.
func (c *Chart) Schema() []byte { return c.chart.Schema }

// Coalesce merges values over the chart's default values. A null removes a default.
func (c *Chart) Coalesce(values map[string]any) (map[string]any, error) {
	merged, err := chartutil.CoalesceValues(c.chart, values)
	if err != nil {
		return nil, fmt.Errorf("merge the values with the chart's: %w", err)
	}
	return merged, nil
}

// Select returns the chart with only the templates for which wanted returns true. Names
// have the form templates/<file>.
func (c *Chart) Select(wanted func(name string) bool) *Chart {
	selected := *c.chart
	selected.Templates = slices.DeleteFunc(slices.Clone(c.chart.Templates), func(file *chart.File) bool { return !wanted(file.Name) })
	return &Chart{chart: &selected, kubeVersion: c.kubeVersion}
}

// Supports reports whether the version of Kubernetes is in a range, such as >=1.33.0-0.
func (c *Chart) Supports(versions string) bool {
	version := chartutil.DefaultCapabilities.KubeVersion
	if c.kubeVersion != nil {
		version = *c.kubeVersion
	}
	return chartutil.IsCompatibleRange(versions, version.Version)
}

// For returns the chart with .Capabilities.KubeVersion set to a version of Kubernetes,
// such as v1.37.0. It is an error if the chart does not support the version.
func (c *Chart) For(kubeVersion string) (*Chart, error) {
	version, err := chartutil.ParseKubeVersion(kubeVersion)
	if err != nil {
		return nil, fmt.Errorf("kubernetes version %q: must be a version such as v1.37.0", kubeVersion)
	}
	if wanted := c.chart.Metadata.KubeVersion; wanted != "" && !chartutil.IsCompatibleRange(wanted, version.Version) {
		return nil, fmt.Errorf("chart requires kubeVersion: %s which is incompatible with Kubernetes %s", wanted, version)
	}
	return &Chart{chart: c.chart, kubeVersion: version}, nil
}

// Render renders the templates with values that Coalesce returned. Templates can change
// the values. The result maps the path of each template, such as
// tms/templates/hpa.yaml, to its text.
func (c *Chart) Render(release Release, values map[string]any) (map[string]string, error) {
	capabilities := chartutil.DefaultCapabilities.Copy()
	if c.kubeVersion != nil {
		capabilities.KubeVersion = *c.kubeVersion
	}
	return engine.Render(c.chart, chartutil.Values{
		"Chart":        c.chart.Metadata,
		"Capabilities": capabilities,
		"Release": map[string]any{
			"Name":      release.Name,
			"Namespace": release.Namespace,
			"IsUpgrade": release.IsUpgrade,
			"IsInstall": !release.IsUpgrade,
			"Revision":  1,
			"Service":   cmp.Or(release.Service, "Helm"),
		},
		"Values": chartutil.Values(values),
	})
}

// Path returns the path of a template in the result of Render.
func (c *Chart) Path(template string) string { return path.Join(c.Name(), template) }

// ValidateReleaseName returns an error if helm would refuse the name of a release.
func ValidateReleaseName(name string) error { return chartutil.ValidateReleaseName(name) }
