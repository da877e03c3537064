// Package config holds the administrator's configuration of tms-server: the values file
// that is in force, and what renders leases with it.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/triton-leases/tms/pkg/render"
)

// Config is the values file as it was last read and valid. It is safe for concurrent
// use.
type Config struct {
	path    string
	release string

	renderer *render.Renderer

	lock sync.Mutex
	// current is the text that is in force, and since when it was read.
	current []byte
	since   time.Time
	// candidate is a new text that was read once. It may be half written.
	candidate []byte
	// lastRead is the text that was last read and checked, and lastErr the reason why it
	// is not in force.
	lastRead []byte
	lastErr  error
	// images are the Triton images that current allows.
	images []string
	// extraImages are the Triton images that the ConfigMap of the allowlist adds.
	extraImages []string
	// installations are by namespace, and render with current and extraImages.
	installations map[string]*render.Installation
}

// Read reads a file of chart values, such as the one in the chart's ConfigMap. The names
// of what a lease deploys begin with release. The error is a policy.Refusal if the
// configuration is not coherent.
func Read(path, release string) (*Config, error) {
	renderer, err := render.New(render.Options{Memory: cacheBytes})
	if err != nil {
		return nil, err
	}
	c := &Config{path: path, release: release, renderer: renderer}
	_, err = c.Reload()
	return c, err
}

// Reload reads the file again and reports whether another configuration is in force
// since then. A changed text comes in force when it was read twice, because the first
// time it may be half written. If the file is invalid, the previous configuration stays
// in force; Reload returns the same error only once, and InForce returns it until the
// file is valid.
func (c *Config) Reload() (changed bool, err error) {
	text, err := os.ReadFile(c.path)
	c.lock.Lock()
	defer c.lock.Unlock()
	if err != nil {
		return false, c.fail(text, err)
	}
	if c.lastRead != nil && bytes.Equal(text, c.lastRead) {
		c.candidate = nil
		return false, nil
	}
	if c.current != nil && !bytes.Equal(text, c.candidate) {
		c.candidate = text
		return false, nil
	}
	if !bytes.Equal(text, c.current) {
		in, err := c.install(text, "default")
		if err != nil {
			return false, c.fail(text, err)
		}
		c.images = in.AllowedImages()
		c.current, c.since, c.installations, changed = text, time.Now(), map[string]*render.Installation{}, true
	}
	c.lastRead, c.lastErr = text, nil
	return changed, nil
}

// fail keeps an error as lastErr, and returns it if it differs from the previous one.
func (c *Config) fail(text []byte, err error) error {
	err = fmt.Errorf("configuration: %w", err)
	known := c.lastErr != nil && c.lastErr.Error() == err.Error()
	if c.lastRead, c.lastErr = text, err; known {
		return nil
	}
	return err
}

// InForce returns when the configuration in force was read, and the error of the file
// if a newer text of it is invalid.
func (c *Config) InForce() (since time.Time, err error) {
	c.lock.Lock()
	defer c.lock.Unlock()
	return c.since, c.lastErr
}

const (
	// maxInstallations is the largest number of namespaces in the cache. Making an
	// Installation takes milliseconds.
	maxInstallations = 128
	// cacheBytes is about how many bytes each Installation keeps of rendered leases: a
	// dozen shapes of leases.
	cacheBytes = 1 << 20
)

// Installation returns what renders the leases of a namespace.
func (c *Config) Installation(namespace string) (*render.Installation, error) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if in, ok := c.installations[namespace]; ok {
		return in, nil
	}
	in, err := c.install(c.current, namespace)
	if err != nil {
		return nil, err
	}
	in.Allow(c.extraImages...)
	if len(c.installations) >= maxInstallations {
		clear(c.installations)
	}
	c.installations[namespace] = in
	return in, nil
}

func (c *Config) install(text []byte, namespace string) (*render.Installation, error) {
	input := new(render.Input)
	if len(bytes.TrimSpace(text)) == 0 { // probably half written
		return nil, errors.New("the file is empty")
	}
	if err := input.Add(text); err != nil {
		return nil, err
	}
	if input.Leases() > 0 {
		return nil, errors.New("leases: not allowed here: create TritonLease objects instead")
	}
	return c.renderer.Install(render.Release{Name: c.release, Namespace: namespace, Controller: true}, input)
}
