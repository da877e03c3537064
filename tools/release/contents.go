package main

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// contents returns the files of the archive of a program by their paths.
func (r release) contents(program string, p platform) (map[string]file, error) {
	name := r.archiveName(program, p)
	data, err := os.ReadFile(filepath.Join(r.folder, name))
	if err != nil {
		return nil, err
	}
	files, _, err := unpack(name, data)
	if err != nil {
		return nil, err
	}
	all := map[string]file{}
	for _, f := range files {
		all[f.path] = f
	}
	return all, nil
}

func (r release) verifyArchives() error {
	for _, program := range programs {
		for _, p := range platforms {
			if err := r.verifyArchive(program, p); err != nil {
				return fmt.Errorf("%s: %w", r.archiveName(program, p), err)
			}
		}
	}
	return nil
}

// verifyArchive checks that an archive has the right program for its platform, and the
// licenses of all modules in it, and that the SBOM lists these modules.
func (r release) verifyArchive(program string, p platform) error {
	files, err := r.contents(program, p)
	if err != nil {
		return err
	}
	want := []string{"LICENSE", "README.md", "examples/quickstart.yaml", p.binary(program)}
	for _, name := range completionFiles {
		want = append(want, "completions/"+fmt.Sprintf(name, program))
	}
	for _, name := range want {
		if len(files[name].data) == 0 {
			return fmt.Errorf("%s: missing", name)
		}
	}
	binary := files[p.binary(program)]
	if binary.mode.Perm() != 0o755 {
		return fmt.Errorf("%s: mode %v, want 0755", binary.path, binary.mode)
	}
	info, err := buildinfo.Read(bytes.NewReader(binary.data))
	if err != nil {
		return err
	}
	settings := map[string]string{}
	for _, setting := range info.Settings {
		settings[setting.Key] = setting.Value
	}
	if got := (platform{settings["GOOS"], settings["GOARCH"]}); got != p || filepath.Base(info.Path) != program {
		return fmt.Errorf("%s: it is %s for %v", binary.path, info.Path, got)
	}
	modules := map[string]bool{"std": true}
	for _, dependency := range info.Deps {
		modules[dependency.Path] = true
	}

	text, err := os.ReadFile(filepath.Join(r.folder, r.stem(program, p)+".cdx.json"))
	if err != nil {
		return err
	}
	listed, sum, err := readSBOM(text)
	if err != nil {
		return err
	}
	if !maps.Equal(listed, modules) {
		return fmt.Errorf("the SBOM has the modules %v, and the program %v", slices.Sorted(maps.Keys(listed)), slices.Sorted(maps.Keys(modules)))
	}
	if got := sha256.Sum256(binary.data); hex.EncodeToString(got[:]) != sum {
		return fmt.Errorf("the SBOM is of another program: checksum %q", sum)
	}
	for module := range modules {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(files)), func(path string) bool { return strings.HasPrefix(path, "licenses/"+module+"/") }) {
			return fmt.Errorf("licenses/%s: missing", module)
		}
	}
	return nil
}

// readSBOM returns the components of an SBOM, and the checksum of its program.
func readSBOM(text []byte) (map[string]bool, string, error) {
	type property struct{ Name, Value string }
	var bom struct {
		BOMFormat  string `json:"bomFormat"`
		Metadata   struct{ Properties []property }
		Components []struct {
			Name     string
			Licenses []struct{ License struct{ ID string } }
		}
	}
	if err := json.Unmarshal(text, &bom); err != nil {
		return nil, "", fmt.Errorf("reading the SBOM: %w", err)
	}
	if bom.BOMFormat != "CycloneDX" {
		return nil, "", fmt.Errorf("the SBOM is %q, want CycloneDX", bom.BOMFormat)
	}
	components := map[string]bool{}
	for _, component := range bom.Components {
		if len(component.Licenses) == 0 {
			return nil, "", fmt.Errorf("the SBOM names no license of %s", component.Name)
		}
		components[component.Name] = true
	}
	for _, p := range bom.Metadata.Properties {
		if p.Name == "cdx:gomod:binary:hash:SHA-256" {
			return components, p.Value, nil
		}
	}
	return nil, "", errors.New("the SBOM has no checksum of its program")
}
