package main

import (
	"bytes"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/CycloneDX/cyclonedx-go"
	"github.com/CycloneDX/cyclonedx-gomod/pkg/generate/bin"
	"github.com/rs/zerolog"
)

const (
	// generator is the module that generates the SBOM of a binary.
	generator = "github.com/CycloneDX/cyclonedx-gomod"
	// authorities is the module that has the CA certificates.
	authorities = "golang.org/x/crypto/x509roots/fallback"
)

// sbom returns a CycloneDX SBOM: the modules in the build information of the binary, Go's
// standard library, and more components, with their licenses. It has no timestamp and no
// serial number, to be reproducible.
func sbom(b binary, found *licenses, more ...cyclonedx.Component) ([]byte, error) {
	g, err := bin.NewGenerator(b.path, bin.WithIncludeStdlib(true), bin.WithLogger(zerolog.Nop()))
	if err != nil {
		return nil, fmt.Errorf("reading the modules of %s: %w", b.path, err)
	}
	bom, err := g.Generate()
	if err != nil {
		return nil, fmt.Errorf("reading the modules of %s: %w", b.path, err)
	}

	nameReplaced(bom, b.info)
	generatorVersion, err := required(generator)
	if err != nil {
		return nil, err
	}
	bom.Metadata.Tools = &cyclonedx.ToolsChoice{Components: &[]cyclonedx.Component{{
		Type: cyclonedx.ComponentTypeApplication, Name: generator, Version: generatorVersion,
	}}}
	*bom.Components = append(*bom.Components, more...)

	bom.Metadata.Component.Licenses = found.choices(bom.Metadata.Component.Name)
	for i := range *bom.Components {
		component := &(*bom.Components)[i]
		component.Licenses = found.choices(component.Name)
	}

	var text bytes.Buffer
	if err := cyclonedx.NewBOMEncoder(&text, cyclonedx.BOMFileFormatJSON).SetPretty(true).Encode(bom); err != nil {
		return nil, fmt.Errorf("encoding the SBOM: %w", err)
	}
	return text.Bytes(), nil
}

// nameReplaced names the modules that are replaced by a folder by their paths. The generator
// names them by the folder.
func nameReplaced(bom *cyclonedx.BOM, info *debug.BuildInfo) {
	for _, module := range info.Deps {
		if module.Replace == nil || !strings.HasPrefix(module.Replace.Path, ".") {
			continue
		}
		name := func(reference string) string {
			return strings.Replace(reference, "pkg:golang/"+module.Replace.Path+"@", "pkg:golang/"+module.Path+"@", 1)
		}
		for i := range *bom.Components {
			component := &(*bom.Components)[i]
			if component.Name == module.Replace.Path {
				component.Name, component.BOMRef, component.PackageURL = module.Path, name(component.BOMRef), name(component.PackageURL)
			}
		}
		for i := range *bom.Dependencies {
			dependency := &(*bom.Dependencies)[i]
			dependency.Ref = name(dependency.Ref)
			if dependency.Dependencies == nil {
				continue
			}
			for k, reference := range *dependency.Dependencies {
				(*dependency.Dependencies)[k] = name(reference)
			}
		}
	}
}

// certificatesComponent returns the component of an SBOM for the CA certificates.
func certificatesComponent() (cyclonedx.Component, error) {
	version, err := required(authorities)
	return cyclonedx.Component{
		BOMRef:      "ca-certificates",
		Type:        cyclonedx.ComponentTypeData,
		Name:        authorities,
		Version:     version,
		Description: "/etc/ssl/certs/ca-certificates.crt",
		PackageURL:  "pkg:golang/" + authorities + "@" + version,
	}, err
}

// choices returns the licenses of a module as the SBOM names them. If there are several, each
// covers a part of the module, or the user has the choice: the license files say which.
func (l *licenses) choices(module string) *cyclonedx.Licenses {
	var all cyclonedx.Licenses
	for _, id := range l.ids[module] {
		all = append(all, cyclonedx.LicenseChoice{License: &cyclonedx.License{ID: id}})
	}
	return &all
}

// required returns the version of a module with which this program is built.
func required(module string) (string, error) {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dependency := range info.Deps {
			if dependency.Path == module {
				return dependency.Version, nil
			}
		}
	}
	return "", fmt.Errorf("the build information of this program has no module %s", module)
}
