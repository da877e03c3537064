// Package fetch downloads archives of models over HTTPS, and unpacks them into a model
// repository of Triton. It runs in an init container, before Triton starts.
//
// Models are fetched one at a time, in order: one model can use the whole bandwidth, and the
// limits apply to all of them together.
//
// While fetch runs, the folder .tms of the repository holds the parts of downloads and the
// files that are being unpacked. They are on the same volume as the models, so that one
// rename puts a complete model in its place, and a download resumes after a restart of the
// container. If Triton loads all models ("*"), it takes each folder of the repository for a
// model, also those whose names begin with a dot. Fetch therefore removes .tms when it
// succeeds. What remains is a file, .tms-fetch.json, and Triton ignores files there. The file
// records the origin of each model, so that a later start fetches only what changed.
package fetch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"strconv"
	"time"
)

// workFolder is the folder of unfinished work. It does not exist while Triton runs.
const workFolder = ".tms"

// everyModel is the name of a model whose archive is a whole repository.
const everyModel = "*"

// Config says what to fetch.
type Config struct {
	// To is the folder of the model repository. It is created if it does not exist.
	To          string
	Models      []Model
	Credentials []Credential
	// MaxBytes limits the archives and the unpacked files that are on the disk at one time,
	// of all models together. MaxFiles limits the unpacked files, folders and links. 0 means
	// no limit.
	MaxBytes, MaxFiles int64
	// Retries is the number of attempts in a row that may fail without any new data.
	Retries int
	// RetryDelay is the delay before the first retry. The delay doubles with each one.
	RetryDelay time.Duration
	// StallTimeout is how long a connection may send nothing.
	StallTimeout time.Duration
	// LogInterval is the time between two lines about the progress of a model.
	LogInterval time.Duration
	Logger      *slog.Logger
	// Progress follows the models. It may be nil.
	Progress *Progress
}

// fetcher is the state of one call of Run.
type fetcher struct {
	Config
	root   *os.Root
	state  *state
	quota  *quota
	client *client
}

// Run fetches the models, in order. It stops at the first error: a lease needs all of its
// models. If ctx ends, the parts of the downloads stay, and the next call resumes them.
func Run(ctx context.Context, config Config) error {
	if config.Progress == nil {
		config.Progress = NewProgress(config.Models)
	}
	if err := os.MkdirAll(config.To, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(config.To)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	stored, err := readState(root)
	if err != nil {
		return err
	}
	f := &fetcher{
		Config: config, root: root, state: stored,
		quota:  &quota{maxBytes: config.MaxBytes, maxFiles: config.MaxFiles},
		client: newClient(config.Credentials, config.StallTimeout),
	}
	defer f.client.close()
	stop := config.Progress.log(config.Logger, config.LogInterval)
	defer stop()
	if err := f.prepare(); err != nil {
		return err
	}
	for i, model := range config.Models {
		if err := f.model(ctx, strconv.Itoa(i), model, config.Progress.model(i)); err != nil {
			if ctx.Err() != nil {
				err = fmt.Errorf("interrupted: %w", context.Cause(ctx))
			}
			return fmt.Errorf("%s: %w", model.Name, err)
		}
	}
	return root.RemoveAll(workFolder)
}

// prepare removes models that are not wanted or not complete, and what an earlier call
// unpacked. It charges what stays.
func (f *fetcher) prepare() error {
	wanted := map[string]string{} // URI of each model
	parts := map[string]bool{}
	for _, model := range f.Models {
		wanted[model.Name] = model.URI.String()
		parts[partName(model)], parts[validatorsName(model)] = true, true
	}
	for name, stored := range f.state.Models {
		if uri, ok := wanted[name]; ok && uri == stored.URI && stored.intact(f.root) {
			if err := f.quota.charge(stored.Bytes, stored.Files); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			continue
		}
		f.Logger.Info("remove a model that is no longer wanted, or not complete", "model", name)
		if err := f.remove(name); err != nil {
			return err
		}
	}
	entries, err := fs.ReadDir(f.root.FS(), workFolder)
	if errors.Is(err, fs.ErrNotExist) {
		return f.root.Mkdir(workFolder, 0o755)
	}
	for _, entry := range entries {
		name := path.Join(workFolder, entry.Name())
		if parts[name] {
			continue
		}
		if err := f.root.RemoveAll(name); err != nil {
			return err
		}
	}
	return err
}

// remove removes a model and its record. The record goes last: if the process ends before,
// the next one still knows which files are those of the model.
func (f *fetcher) remove(name string) error {
	for _, entry := range f.state.Models[name].Entries {
		if err := f.root.RemoveAll(entry); err != nil {
			return err
		}
	}
	delete(f.state.Models, name)
	return f.state.write(f.root)
}

// model fetches one model, unless the volume has it.
func (f *fetcher) model(ctx context.Context, id string, model Model, progress *modelProgress) error {
	stored := f.state.Models[model.Name]
	if stored != nil && model.Digest != "" && model.Digest == stored.Digest {
		f.Logger.Info("the model is on the volume", "model", model.Name)
		progress.finish()
		return nil
	}
	d := &download{
		client: f.client, root: f.root, quota: f.quota, model: model, progress: progress, logger: f.Logger,
		retries: f.Retries, delay: f.RetryDelay,
	}
	if stored != nil && model.Digest == "" {
		d.have = stored.validators
	}
	d.changed = func() error { // frees the space of the old model before the new one needs it
		old := f.state.Models[model.Name]
		if old == nil {
			return nil
		}
		f.quota.release(old.Bytes, old.Files)
		return f.remove(model.Name)
	}
	modified, err := d.run(ctx)
	if err != nil {
		return err
	}
	if !modified {
		f.Logger.Info("the model is on the volume, and the server has no newer one", "model", model.Name)
		progress.finish()
		return nil
	}
	if err := f.install(ctx, id, d); err != nil {
		if ctx.Err() == nil {
			_ = d.discard() // else each restart would fail for the same archive
		}
		return err
	}
	if err := d.discard(); err != nil {
		return err
	}
	progress.finish()
	f.Logger.Info("fetched the model", "model", model.Name, "uri", model.String(), "bytes", f.state.Models[model.Name].Bytes)
	return nil
}
