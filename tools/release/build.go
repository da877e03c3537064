package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

const (
	// sumsFile has the checksums of all files that the release on GitHub has.
	sumsFile = "SHA256SUMS"
	// layoutFolder is the OCI layout of the image. It is pushed, and not a file of the release.
	layoutFolder = "tms-server"
	artifactHub  = "artifacthub-repo.yml"
)

// programs are the programs that users install.
var programs = []string{"tms-render", "tmsctl", tmsWhatif}

// tmsWhatif is a program of a module of its own. Its dependencies are not in the others.
const tmsWhatif = "tms-whatif"

// moduleOf returns the folder of the module of a program.
func moduleOf(program string) string {
	if program == tmsWhatif {
		return "whatif"
	}
	return "."
}

// A platform is an operating system and an architecture, as Go names them.
type platform struct{ OS, Arch string }

var platforms = []platform{
	{"darwin", "amd64"},
	{"darwin", "arm64"},
	{"linux", "amd64"},
	{"linux", "arm64"},
	{"windows", "amd64"},
	{"windows", "arm64"},
}

// host is the platform of this machine.
var host = platform{runtime.GOOS, runtime.GOARCH}

// binary returns the name of the file of a program.
func (p platform) binary(program string) string {
	if p.OS == "windows" {
		return program + ".exe"
	}
	return program
}

// stem returns the name of the archive of a program, without its suffix.
func (r release) stem(program string, p platform) string {
	return strings.Join([]string{program, r.version, p.OS, p.Arch}, "_")
}

// archiveName returns the name of the archive of a program.
func (r release) archiveName(program string, p platform) string {
	if p.OS == "windows" {
		return r.stem(program, p) + ".zip"
	}
	return r.stem(program, p) + ".tar.gz"
}

// chartName returns the name of the package of the chart.
func (r release) chartName() string { return "tms-" + r.version + ".tgz" }

// build writes all files of a release.
func (r release) build() error {
	if !slices.Contains(platforms, host) {
		return fmt.Errorf("this machine is %s/%s: build on one of %v, because the programs must run here", host.OS, host.Arch, platforms)
	}
	if err := r.check(""); err != nil {
		return err
	}
	if err := r.clear(); err != nil {
		return err
	}
	for _, program := range programs {
		if err := r.buildProgram(program); err != nil {
			return err
		}
	}
	if err := r.buildChart(); err != nil {
		return err
	}
	if _, err := tool("image", "build", filepath.Join(r.folder, layoutFolder)); err != nil {
		return err
	}
	metadata, err := os.ReadFile(filepath.Join("charts", artifactHub))
	if err != nil {
		return err
	}
	if err := r.write(artifactHub, metadata); err != nil {
		return err
	}
	if err := r.writeManifests(); err != nil {
		return err
	}
	return r.writeSums()
}

// clear makes an empty folder. It removes only what an earlier build wrote.
func (r release) clear() error {
	entries, err := os.ReadDir(r.folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := os.Stat(filepath.Join(r.folder, sumsFile)); err != nil && len(entries) > 0 {
		return fmt.Errorf("%s is not empty and has no %s: give an empty folder, or remove it", r.folder, sumsFile)
	}
	if err := os.RemoveAll(r.folder); err != nil {
		return err
	}
	if err := os.MkdirAll(r.folder, 0o755); err != nil {
		return err
	}
	return r.write(sumsFile, nil) // marks the folder if the build does not end
}

// buildProgram writes the archives and the SBOMs of a program.
func (r release) buildProgram(program string) error {
	work, err := os.MkdirTemp("", "release-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()
	for _, p := range platforms {
		target := filepath.Join(work, r.stem(program, p))
		if _, err := tool("image", "program", "-source", moduleOf(program), "-command", "./cmd/"+program, "-platform", p.OS+"/"+p.Arch, target); err != nil {
			return err
		}
	}
	common, err := completions(filepath.Join(work, r.stem(program, host), host.binary(program)), program)
	if err != nil {
		return err
	}
	examples, err := filepath.Glob("examples/*.yaml")
	if err != nil {
		return err
	}
	for _, name := range append(examples, "LICENSE", "README.md") {
		f, err := readFile(name, name)
		if err != nil {
			return err
		}
		common = append(common, f)
	}
	for _, p := range platforms {
		files, err := filesBelow(filepath.Join(work, r.stem(program, p)))
		if err != nil {
			return err
		}
		data, err := archive(r.archiveName(program, p), append(files, common...))
		if err != nil {
			return err
		}
		if err := r.write(r.archiveName(program, p), data); err != nil {
			return err
		}
		sbom, err := os.ReadFile(filepath.Join(work, r.stem(program, p)+".cdx.json"))
		if err != nil {
			return err
		}
		if err := r.write(r.stem(program, p)+".cdx.json", sbom); err != nil {
			return err
		}
	}
	return nil
}

// completionFiles are the names by which the shells find the completion of a program. Each has
// one %s for the program.
var completionFiles = map[string]string{"bash": "%s.bash", "zsh": "_%s", "fish": "%s.fish", "powershell": "%s.ps1"}

// completions returns the completion scripts of a program.
func completions(path, program string) ([]file, error) {
	var files []file
	for shell, name := range completionFiles {
		script, err := command(path, "completion", shell)
		if err != nil {
			return nil, err
		}
		files = append(files, file{"completions/" + fmt.Sprintf(name, program), 0o644, script})
	}
	return files, nil
}

// buildChart writes the package of the chart. Helm stores the current time with each file, so
// the package is written again with a constant one.
func (r release) buildChart() error {
	if _, err := tool("helm3", "package", "charts/tms", "--destination", r.folder); err != nil {
		return err
	}
	path := filepath.Join(r.folder, r.chartName())
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	files, header, err := unpack(path, data)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := writeTar(&out, header, files); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return r.write(r.chartName(), out.Bytes())
}

// sums returns the checksums of the files of the release.
func (r release) sums() (map[string]string, error) {
	entries, err := os.ReadDir(r.folder)
	if err != nil {
		return nil, err
	}
	sums := map[string]string{}
	for _, entry := range entries {
		if entry.IsDir() || entry.Name() == sumsFile {
			continue
		}
		data, err := os.ReadFile(filepath.Join(r.folder, entry.Name()))
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(data)
		sums[entry.Name()] = hex.EncodeToString(sum[:])
	}
	return sums, nil
}

// writeSums writes the checksums as sha256sum does.
func (r release) writeSums() error {
	sums, err := r.sums()
	if err != nil {
		return err
	}
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(sums)) {
		fmt.Fprintf(&text, "%s  %s\n", sums[name], name)
	}
	return r.write(sumsFile, []byte(text.String()))
}

// write writes a file of the release.
func (r release) write(name string, data []byte) error {
	return os.WriteFile(filepath.Join(r.folder, name), data, 0o644)
}

// tool runs a tool in bin/.
func tool(name string, args ...string) ([]byte, error) {
	return command(filepath.Join("bin", name), args...)
}

// command runs a command, and returns what it prints.
func command(name string, args ...string) ([]byte, error) {
	var stderr bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, stderr.String())
	}
	return out, nil
}
