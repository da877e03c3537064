package main

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"text/template"
)

// repository is the address of the project.
const repository = "https://github.com/triton-leases/tms"

//go:embed templates
var templates embed.FS

// A manifest describes a program to a package manager.
type manifest struct {
	Program, Class, Summary, Version, Repository string
	Platforms                                    map[string]download
}

// A download is an archive, by the address that it has after the release.
type download struct {
	OS, Arch, URL, SHA256, Binary string
}

// writeManifests writes the krew manifest of tmsctl, and the Homebrew formulas of all programs.
func (r release) writeManifests() error {
	parsed, err := template.ParseFS(templates, "templates/*")
	if err != nil {
		return err
	}
	sums, err := r.sums()
	if err != nil {
		return err
	}
	render := func(target, name string, m manifest) error {
		m.Version, m.Repository, m.Platforms = r.version, repository, map[string]download{}
		for _, p := range platforms {
			archive := r.archiveName(m.Program, p)
			m.Platforms[p.OS+"_"+p.Arch] = download{p.OS, p.Arch, r.url(archive), sums[archive], p.binary(m.Program)}
		}
		var text bytes.Buffer
		if err := parsed.ExecuteTemplate(&text, name, m); err != nil {
			return fmt.Errorf("writing %s: %w", target, err)
		}
		return r.write(target, text.Bytes())
	}
	tmsctl := manifest{Program: "tmsctl", Class: "Tmsctl", Summary: "Acquire and manage leases of Triton Inference Server"}
	tmsRender := manifest{Program: "tms-render", Class: "TmsRender", Summary: "Print the Kubernetes manifests of Triton leases"}
	whatif := manifest{Program: tmsWhatif, Class: "TmsWhatif", Summary: "Predict how a Triton lease scales under a load"}
	return errors.Join(
		render("tms.yaml", "krew.yaml", tmsctl),
		render("tmsctl.rb", "formula.rb", tmsctl),
		render("tms-render.rb", "formula.rb", tmsRender),
		render(tmsWhatif+".rb", "formula.rb", whatif))
}

// url returns the address of a file of the release.
func (r release) url(name string) string {
	return repository + "/releases/download/v" + r.version + "/" + name
}
