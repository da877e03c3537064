package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// verify checks what build wrote. If there is a tag, the programs must have its version.
func (r release) verify(tag string, out io.Writer) error {
	for _, check := range []struct {
		name string
		run  func() error
	}{
		{"version, tag and changelog", func() error { return r.check(tag) }},
		{"checksums", r.verifySums},
		{"archives and SBOMs", r.verifyArchives},
		{"programs for this machine", func() error { return r.verifyPrograms(tag) }},
		{"krew manifest and Homebrew formulas", r.verifyManifests},
		{"image and chart, pushed and pulled", r.verifyRegistry},
	} {
		if err := check.run(); err != nil {
			return fmt.Errorf("%s: %w", check.name, err)
		}
		fmt.Fprintln(out, "ok ", check.name)
	}
	return nil
}

// verifySums compares the files with SHA256SUMS, and checks that none is missing.
func (r release) verifySums() error {
	text, err := os.ReadFile(filepath.Join(r.folder, sumsFile))
	if err != nil {
		return err
	}
	listed := map[string]string{}
	for line := range strings.Lines(string(text)) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		listed[name] = sum
	}
	sums, err := r.sums()
	if err != nil {
		return err
	}
	var faults []error
	for name, sum := range sums {
		if listed[name] != sum {
			faults = append(faults, fmt.Errorf("%s: the checksum is %s, and %s has %q", name, sum, sumsFile, listed[name]))
		}
	}
	for name := range listed {
		if sums[name] == "" {
			faults = append(faults, fmt.Errorf("%s: in %s, but there is no such file", name, sumsFile))
		}
	}
	for _, name := range r.expected() {
		if sums[name] == "" {
			faults = append(faults, fmt.Errorf("%s: missing", name))
		}
	}
	return errors.Join(faults...)
}

// expected returns the names of all files of a release.
func (r release) expected() []string {
	names := []string{
		r.chartName(), artifactHub, "tms.yaml",
		layoutFolder + ".oci.tar", layoutFolder + "-amd64.cdx.json", layoutFolder + "-arm64.cdx.json",
	}
	for _, program := range programs {
		names = append(names, program+".rb")
		for _, p := range platforms {
			names = append(names, r.archiveName(program, p), r.stem(program, p)+".cdx.json")
		}
	}
	return names
}

// verifyPrograms unpacks the archives for this machine, and runs the programs.
func (r release) verifyPrograms(tag string) error {
	folder, err := os.MkdirTemp("", "release-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	for _, program := range programs {
		files, err := r.contents(program, host)
		if err != nil {
			return err
		}
		binary := files[host.binary(program)]
		path := filepath.Join(folder, binary.path)
		if err := os.WriteFile(path, binary.data, binary.mode); err != nil {
			return err
		}
		version := regexp.QuoteMeta(r.version)
		if tag == "" || moduleOf(program) != "." { // the tag is that of the main module
			version += `(\+\S+)?`
		}
		printed, err := command(path, "version")
		if err != nil {
			return err
		}
		if !regexp.MustCompile(`^` + program + ` ` + version + `\n$`).Match(printed) {
			return fmt.Errorf("%s version: %q, want %s", program, printed, r.version)
		}
	}

	// tms-render of the archive, of the sources, and Helm with the package give the same text.
	values := []string{"-f", "examples/fleet.yaml", "-n", "inference"}
	released, err := command(filepath.Join(folder, host.binary("tms-render")), values...)
	if err != nil {
		return err
	}
	built, err := command("go", append([]string{"run", "./cmd/tms-render"}, values...)...)
	if err != nil {
		return err
	}
	charted, err := tool("helm3", append([]string{"template", "tms", filepath.Join(r.folder, r.chartName())}, values...)...)
	if err != nil {
		return err
	}
	if len(released) == 0 || !bytes.Equal(released, built) {
		return errors.New("tms-render of the archive and of the sources print different manifests")
	}
	if !bytes.Equal(released, charted) {
		return errors.New("tms-render of the archive and helm template of the package print different manifests")
	}
	return nil
}

// verifyManifests checks the krew manifest with the program that the maintainers of krew run,
// and its addresses and those of the formulas.
func (r release) verifyManifests() error {
	krew := filepath.Join(r.folder, "tms.yaml")
	if _, err := tool("validate-krew-manifest", "-skip-install", "-manifest", krew); err != nil {
		return err
	}
	return r.verifyReferences()
}

// verifyReferences checks that the manifests and formulas have the addresses and checksums of
// all archives.
func (r release) verifyReferences() error {
	sums, err := r.sums()
	if err != nil {
		return err
	}
	reference := regexp.MustCompile(`(?:uri:|url) "?(\S+?)"?\n\s+sha256:? "?([0-9a-f]{64})"?\n`)
	brewed := len(slices.DeleteFunc(slices.Clone(platforms), func(p platform) bool { return p.OS == "windows" }))
	for name, want := range map[string]int{"tms.yaml": len(platforms), "tmsctl.rb": brewed, "tms-render.rb": brewed, tmsWhatif + ".rb": brewed} {
		text, err := os.ReadFile(filepath.Join(r.folder, name))
		if err != nil {
			return err
		}
		found := map[string]bool{}
		for _, match := range reference.FindAllStringSubmatch(string(text), -1) {
			archive := strings.TrimPrefix(match[1], r.url(""))
			if sums[archive] != match[2] {
				return fmt.Errorf("%s: %s has the checksum %s, want %q", name, match[1], match[2], sums[archive])
			}
			found[archive] = true
		}
		if len(found) != want {
			return fmt.Errorf("%s: %d archives, want %d", name, len(found), want)
		}
	}
	return nil
}
