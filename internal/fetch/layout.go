package fetch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
)

// version matches the name of the folder of a version of a model.
var version = regexp.MustCompile(`^[1-9][0-9]*$`)

// findModel returns the folder of an unpacked archive that is the model, or for "*" the
// repository. It is "." for the root of the archive.
func findModel(unpacked *os.Root, name string) (string, error) {
	fsys := unpacked.FS()
	entries, err := visible(fsys, ".")
	if err != nil {
		return "", err
	}
	if name == everyModel {
		return findRepository(unpacked, entries)
	}
	isModel, err := looksLikeModel(fsys, ".")
	if err != nil {
		return "", err
	}
	only := onlyFolder(entries)
	switch {
	case only == name && len(entries) == 1:
		return only, nil
	case isModel:
		return ".", nil
	case only != "":
		isModel, err := looksLikeModel(fsys, only)
		if isModel || err != nil {
			return only, err
		}
	}
	return "", fmt.Errorf("the archive holds %s: expected the folder %s, or config.pbtxt and a folder for each version, such as 1/", list(entries), name)
}

func findRepository(unpacked *os.Root, entries []fs.DirEntry) (string, error) {
	source := "."
	models, err := countModels(unpacked.FS(), source)
	if err != nil {
		return "", err
	}
	if only := onlyFolder(entries); models == 0 && only != "" {
		source = only
		if models, err = countModels(unpacked.FS(), source); err != nil {
			return "", err
		}
	}
	if models == 0 {
		return "", fmt.Errorf("the archive holds %s: expected a repository, which has a folder for each model: for one model, give its name instead of *", list(entries))
	}
	return source, removeHidden(unpacked, source)
}

// removeHidden removes what place does not move, so that no link can lead there.
func removeHidden(unpacked *os.Root, folder string) error {
	entries, err := fs.ReadDir(unpacked.FS(), folder)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if hidden(entry) {
			if err := unpacked.RemoveAll(path.Join(folder, entry.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// hidden reports whether an entry at the root of an archive is no part of the model: a dot
// file, or what macOS adds to a zip.
func hidden(entry fs.DirEntry) bool {
	return strings.HasPrefix(entry.Name(), ".") || entry.Name() == "__MACOSX"
}

// visible returns the entries of a folder that are not hidden.
func visible(fsys fs.FS, folder string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(fsys, folder)
	var shown []fs.DirEntry
	for _, entry := range entries {
		if !hidden(entry) {
			shown = append(shown, entry)
		}
	}
	return shown, err
}

// onlyFolder returns the name of the only folder among entries, and "" if there are none or
// several.
func onlyFolder(entries []fs.DirEntry) string {
	var only string
	for _, entry := range entries {
		if !entry.IsDir() {
			continue
		}
		if only != "" {
			return ""
		}
		only = entry.Name()
	}
	return only
}

// looksLikeModel reports whether a folder has a configuration or a version.
func looksLikeModel(fsys fs.FS, folder string) (bool, error) {
	entries, err := fs.ReadDir(fsys, folder)
	for _, entry := range entries {
		if entry.Name() == "config.pbtxt" && !entry.IsDir() || entry.IsDir() && version.MatchString(entry.Name()) {
			return true, nil
		}
	}
	return false, err
}

// countModels returns the number of models in a folder.
func countModels(fsys fs.FS, folder string) (int, error) {
	entries, err := visible(fsys, folder)
	if err != nil {
		return 0, err
	}
	models := 0
	for _, entry := range entries {
		if !entry.IsDir() {
			continue
		}
		isModel, err := looksLikeModel(fsys, path.Join(folder, entry.Name()))
		if err != nil {
			return 0, err
		}
		if isModel {
			models++
		}
	}
	return models, nil
}

// list returns the first entries for a message.
func list(entries []fs.DirEntry) string {
	const most = 5
	if len(entries) == 0 {
		return "no files"
	}
	var names []string
	for i, entry := range entries {
		if i == most {
			names = append(names, fmt.Sprintf("and %d more", len(entries)-most))
			break
		}
		name := short(entry.Name())
		if entry.IsDir() {
			name = short(entry.Name() + "/")
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

// checkTree checks the links of a model, and makes its folders readable for Triton. Each link
// must resolve to something in the model: Triton reads through links, and stops at one that
// leads nowhere.
func checkTree(unpacked *os.Root, source string) error {
	tree, err := unpacked.OpenRoot(source)
	if err != nil {
		return err
	}
	defer func() { _ = tree.Close() }()
	return fs.WalkDir(tree.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			return tree.Chmod(name, 0o755)
		case entry.Type() != fs.ModeSymlink:
			return nil
		}
		if _, err := tree.Stat(name); err != nil {
			target, _ := tree.Readlink(name)
			if reason := new(fs.PathError); errors.As(err, &reason) {
				err = reason.Err
			}
			return fmt.Errorf("%s is a link to %s, which is not in the model: %w", short(name), short(target), err)
		}
		return nil
	})
}
