// Package config reads the administrator's values file for tms-server, and reloads it when
// it changes. The last valid text is the configuration in force.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/triton-leases/tms/internal/limitread"
	"github.com/triton-leases/tms/pkg/render"
)

// Config is the configuration in force. It is safe for concurrent use.
type Config struct {
	path    string
	release render.Release

	renderer *render.Renderer

	lock sync.Mutex
	// current is the text in force, and since is when it was read.
	current []byte
	since   time.Time
	// candidate is a changed text that was read only once. It may be half written.
	candidate []byte
	// lastRead is the text that was validated last. lastErr is why it is not in force, or
	// nil.
	lastRead []byte
	lastErr  error
	// images are the Triton images that current allows.
	images []string
	// extraImages are the Triton images that the ConfigMap of the allowlist adds.
	extraImages []string
	// base is the LeaseRenderer of current, and leases the one that also allows
	// extraImages.
	base, leases *render.LeaseRenderer
}

// Read reads a file of chart values, such as the one in the chart's ConfigMap. release and
// namespace are those of the Helm release. If the values are refused, the error wraps a
// policy.Refusal.
func Read(path, release, namespace string) (*Config, error) {
	renderer, err := render.New(render.Options{})
	if err != nil {
		return nil, err
	}
	c := &Config{path: path, release: render.Release{Name: release, Namespace: namespace, Controller: true}, renderer: renderer}
	_, err = c.Reload()
	return c, err
}

// Reload reads the file again, and reports whether the configuration in force changed. A
// changed text takes effect when two calls read the same text, because the first read may
// be of a half-written file. If the text is invalid, the previous configuration stays in
// force. Reload returns each error once; InForce returns it until the file is valid.
func (c *Config) Reload() (changed bool, err error) {
	text, err := limitread.File(c.path, limitread.Config)
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
		if c.base != nil {
			base.ReuseShapes(c.base)
		}
		c.images = base.AllowedImages()
		c.base, c.leases = base, base.WithImages(c.extraImages...)
		c.current, c.since, changed = text, time.Now(), true
	}
	c.lastRead, c.lastErr = text, nil
	return changed, nil
}

// fail sets lastErr, and returns the error if it differs from the previous one.
func (c *Config) fail(text []byte, err error) error {
	err = fmt.Errorf("configuration: %w", err)
	known := c.lastErr != nil && c.lastErr.Error() == err.Error()
	c.lastRead, c.lastErr = text, err
	if known {
		return nil
	}
	return err
}

// InForce returns when the configuration in force was read. The error is why a newer text
// of the file is not in force.
func (c *Config) InForce() (since time.Time, err error) {
	c.lock.Lock()
	defer c.lock.Unlock()
	return c.since, c.lastErr
}

// LeaseRenderer returns the LeaseRenderer of the configuration in force.
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
	return c.renderer.LeaseRenderer(c.release, input)
}
