package fetch

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/triton-leases/tms/internal/limitread"
)

// stateFile records which models the folder holds.
const stateFile = ".tms-fetch.json"

// state is the content of the state file.
type state struct {
	Models map[string]*record `json:"models"`
}

// validators identify a version of a file on its server.
type validators struct {
	ETag         string `json:"etag,omitempty"`
	LastModified string `json:"lastModified,omitempty"`
}

// record is what is known of a model in the folder.
type record struct {
	URI    string `json:"uri"`
	Digest string `json:"digest,omitempty"`
	validators
	// Entries are the names in the folder that belong to the model.
	Entries []string `json:"entries"`
	// Bytes and Files are what unpacking the archive charged.
	Bytes int64 `json:"bytes"`
	Files int64 `json:"files"`
	// Size is the size of the model in its place. It is nil until all entries are there.
	Size *size `json:"size,omitempty"`
}

// size is the number of files, folders and links of a model, and their bytes.
type size struct {
	Entries int64 `json:"entries"`
	Bytes   int64 `json:"bytes"`
}

// readState returns the state of a folder. It is empty if there is no state file.
func readState(root *os.Root) (*state, error) {
	stored := &state{Models: map[string]*record{}}
	text, err := limitread.FileFS(root.FS(), stateFile, limitread.Values)
	if errors.Is(err, fs.ErrNotExist) {
		return stored, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, stored); err != nil {
		return nil, fmt.Errorf("%s: %w: empty the folder of the models", stateFile, err)
	}
	for name, record := range stored.Models {
		if record == nil {
			delete(stored.Models, name)
		}
	}
	return stored, nil
}

// write replaces the state file.
func (s *state) write(root *os.Root) error { return writeJSON(root, stateFile, s) }

// writeJSON replaces a file in one step.
func writeJSON(root *os.Root, name string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	if err := root.WriteFile(name+".new", text, 0o644); err != nil {
		return err
	}
	return root.Rename(name+".new", name)
}

// complete records that all entries of a model are in their place.
func (r *record) complete(root *os.Root, s *state) error {
	size, err := r.measure(root)
	if err != nil {
		return err
	}
	r.Size = &size
	return s.write(root)
}

// intact reports whether the folder holds the model as it was recorded. A file that lost
// its content in a crash of the node has another size.
func (r *record) intact(root *os.Root) bool {
	if r.Size == nil {
		return false
	}
	size, err := r.measure(root)
	return err == nil && size == *r.Size
}

// measure returns the size of the model.
func (r *record) measure(root *os.Root) (size, error) {
	var total size
	for _, entry := range r.Entries {
		err := fs.WalkDir(root.FS(), entry, func(_ string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			total.Entries++
			if !entry.Type().IsRegular() {
				return nil
			}
			info, err := entry.Info()
			if err == nil {
				total.Bytes += info.Size()
			}
			return err
		})
		if err != nil {
			return size{}, err
		}
	}
	return total, nil
}
