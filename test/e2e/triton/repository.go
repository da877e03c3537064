package triton

import (
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// assumed is the models of a model repository whose files are not simulated, such as one
// in a bucket of AWS. Triton loads all of them with --load-model=*, or without
// --model-control-mode=explicit.
var assumed = []string{"bert", "resnet50"}

// backends has the file that a backend loads from a version folder, unless the
// configuration names another one.
var backends = map[string]string{
	"onnxruntime": "model.onnx", "openvino": "model.xml", "python": "model.py", "pytorch": "model.pt", "tensorrt": "model.plan",
}

// repositories is what a Triton read from its model repositories.
type repositories struct {
	// folders are the repositories whose files are simulated, by their paths in the container.
	folders map[string]string
	// models are the models of these repositories that Triton tried to load.
	models map[string]*model
	// assumed are the models that Triton loaded from other repositories.
	assumed []string
	// complaints are the errors that Triton logs.
	complaints []string
	// polled reports whether the configurations of all models were read.
	polled bool
}

// model is a model with a valid configuration.
type model struct {
	modelConfig
	version string
	reason  string // why the version is not ready
}

// readRepositories loads the models of a command line as Triton does at its start. Locate
// returns the path on this machine of a path in the container, if its files are simulated.
func readRepositories(o options, locate func(string) (string, bool)) (*repositories, error) {
	r := &repositories{folders: map[string]string{}, models: map[string]*model{}, polled: true}
	for _, repository := range o.repositories {
		if folder, ok := locate(repository); ok {
			if !isFolder(folder) {
				return nil, fmt.Errorf("repository path is not a valid directory")
			}
			r.folders[repository] = folder
		}
	}
	if !o.explicit || slices.Equal(o.models, []string{"*"}) {
		for _, repository := range slices.Sorted(maps.Keys(r.folders)) {
			for _, name := range subfolders(r.folders[repository]) {
				r.poll(name, repository)
			}
		}
		if r.others(o) {
			r.assumed = slices.Clone(assumed)
		}
		return r, nil
	}
	for _, name := range o.models {
		found := slices.DeleteFunc(slices.Sorted(maps.Keys(r.folders)), func(repository string) bool {
			_, err := os.Stat(filepath.Join(r.folders[repository], name))
			return err != nil
		})
		switch {
		case len(found) > 1:
			r.pollFailed("failed to poll model '%s': not unique across all model repositories", name)
		case len(found) == 1:
			r.poll(name, found[0])
		case r.others(o):
			r.assumed = append(r.assumed, name)
		default:
			r.pollFailed("failed to poll model '%s': model not found in any model repository.", name)
		}
	}
	return r, nil
}

// others reports whether a Triton has repositories whose files are not simulated.
func (r *repositories) others(o options) bool {
	return len(o.repositories) == 0 || len(r.folders) < len(o.repositories)
}

func (r *repositories) complain(format string, args ...any) {
	r.complaints = append(r.complaints, fmt.Sprintf(format, args...))
}

func (r *repositories) pollFailed(format string, args ...any) {
	r.polled = false
	r.complain(format, args...)
}

// poll reads the configuration of a model, and then its newest version.
func (r *repositories) poll(name, repository string) {
	folder := filepath.Join(r.folders[repository], name)
	config, err := readConfig(filepath.Join(folder, "config.pbtxt"), repository+"/"+name+"/config.pbtxt")
	if err == nil {
		err = config.complete(name)
	}
	if err != nil {
		r.pollFailed("Poll failed for model directory '%s': %v", name, err)
		return
	}
	m := &model{modelConfig: config, version: newestVersion(subfolders(folder))}
	r.models[name] = m
	if m.version == "" {
		m.reason = fmt.Sprintf("at least one version must be available under the version policy of model '%s'", name)
		r.complain("failed to load '%s': %s", name, m.reason)
		return
	}
	file, known := backends[m.Backend]
	if m.DefaultModelFilename != "" {
		file = m.DefaultModelFilename
	}
	if !known {
		m.reason = fmt.Sprintf("Invalid argument: unable to find backend library for backend '%s', try specifying runtime on the model configuration.", m.Backend)
	} else if info, err := os.Stat(filepath.Join(folder, m.version, file)); err != nil || !info.Mode().IsRegular() {
		m.reason = fmt.Sprintf("Internal: model file not found in '%s'", repository+"/"+path.Join(name, m.version, file))
	}
	if m.reason != "" {
		r.complain("failed to load '%s' version %s: %s", name, m.version, m.reason)
	}
}

// loaded returns the names of the models that are ready.
func (r *repositories) loaded() []string {
	names := slices.Clone(r.assumed)
	for _, name := range slices.Sorted(maps.Keys(r.models)) {
		if r.models[name].reason == "" {
			names = append(names, name)
		}
	}
	return names
}

// names returns the names of all folders in the repositories whose files are simulated.
func (r *repositories) names() []string {
	var names []string
	for _, folder := range r.folders {
		names = append(names, subfolders(folder)...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// ready reports whether Triton is ready if --exit-on-error=false: models without a valid
// configuration do not count.
func (r *repositories) ready() bool {
	for _, m := range r.models {
		if m.reason != "" {
			return false
		}
	}
	return true
}

// newestVersion returns the name of the folder with the highest version, or "" if there is none.
func newestVersion(folders []string) string {
	name, highest := "", -1
	for _, folder := range folders {
		if version, err := strconv.Atoi(folder); err == nil && version > highest && (folder == "0" || !strings.HasPrefix(folder, "0")) {
			name, highest = folder, version
		}
	}
	return name
}

// subfolders returns the names of the folders in a folder, with links to folders. A
// mounted ConfigMap has hidden ones, which Triton does not skip.
func subfolders(folder string) []string {
	entries, _ := os.ReadDir(folder)
	var names []string
	for _, entry := range entries {
		if isFolder(filepath.Join(folder, entry.Name())) {
			names = append(names, entry.Name())
		}
	}
	return names
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
