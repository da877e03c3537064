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
	// base renders leases with current, and leases with current and extraImages.
	base, leases *render.LeaseRenderer
}

// Read reads a file of chart values, such as the one in the chart's ConfigMap. The names
// of what a lease deploys begin with release. The error is a policy.Refusal if the
// configuration is not valid.
func Read(path, release string) (*Config, error) {
	renderer, err := render.New(render.Options{})
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
		base, err := c.newLeaseRenderer(text)
		if err != nil {
			return false, c.fail(text, err)
		}
		c.images = base.AllowedImages()
		c.base, c.leases = base, base.WithImages(c.extraImages...)
		c.current, c.since, changed = text, time.Now(), true
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

// LeaseRenderer returns what grants and renders leases with the configuration in force.
func (c *Config) LeaseRenderer() *render.LeaseRenderer {
	c.lock.Lock()
	defer c.lock.Unlock()
	return c.leases
}

func (c *Config) newLeaseRenderer(text []byte) (*render.LeaseRenderer, error) {
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
	return c.renderer.LeaseRenderer(render.Release{Name: c.release, Namespace: "default", Controller: true}, input)
}
