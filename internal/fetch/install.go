package fetch

import (
	"context"
	"fmt"
	"path"
)

// install verifies and unpacks a downloaded archive, and moves the model to its place.
func (f *fetcher) install(ctx context.Context, id string, d *download) error {
	archive, err := f.root.Open(partName(d.model))
	if err != nil {
		return err
	}
	defer func() { _ = archive.Close() }()
	if err := verify(ctx, archive, d.model.Digest); err != nil {
		return err
	}
	folder := path.Join(workFolder, "unpack-"+id)
	if err := f.root.Mkdir(folder, 0o755); err != nil {
		return err
	}
	defer func() { _ = f.root.RemoveAll(folder) }()
	unpacked, err := f.root.OpenRoot(folder)
	if err != nil {
		return err
	}
	defer func() { _ = unpacked.Close() }()
	before := *f.quota
	if err := unpack(ctx, archive, unpacked, f.quota, d.progress); err != nil {
		return err
	}
	source, err := findModel(unpacked, d.model.Name)
	if err != nil {
		return err
	}
	if err := checkTree(unpacked, source); err != nil {
		return err
	}
	record := &record{
		URI: d.model.URI.String(), Digest: d.model.Digest, validators: d.got,
		Bytes: f.quota.bytes - before.bytes, Files: f.quota.files - before.files,
	}
	return f.place(path.Join(folder, source), d.model.Name, record)
}

// place moves an unpacked model, or the content of a repository, to its place. It records
// the names first, so that the next call can remove what this one does not complete.
func (f *fetcher) place(source, name string, record *record) error {
	moves := map[string]string{name: source}
	if name == everyModel {
		entries, err := visible(f.root.FS(), source)
		if err != nil {
			return err
		}
		moves = map[string]string{}
		for _, entry := range entries {
			moves[entry.Name()] = path.Join(source, entry.Name())
		}
	}
	for target := range moves {
		if _, err := f.root.Lstat(target); err == nil {
			return fmt.Errorf("%s: exists, and is not from tms-server fetch: give --to an empty folder", path.Join(f.To, target))
		}
		record.Entries = append(record.Entries, target)
	}
	f.state.Models[name] = record
	if err := f.state.write(f.root); err != nil {
		return err
	}
	for target, from := range moves {
		if err := f.root.Rename(from, target); err != nil {
			return err
		}
	}
	return record.complete(f.root, f.state)
}
