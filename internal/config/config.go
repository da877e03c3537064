// Package config is the administrator's configuration as tms-server has it:
// a file of values that may change at any time, and what is decided with it.
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

// Config is the file as it was read last, and was coherent. It is safe for
// concurrent use.
type Config struct {
	path    string
	release string

	renderer *render.Renderer

	lock  sync.Mutex
	text  []byte    // that is in force
	since time.Time // when it was read
	// seen is another text, that was there once.
	seen []byte
	// tried is the text that was read last, and problem why it is not in force.
	tried   []byte
	problem error
	// images are those of Triton that the text allows.
	images []string
	// allowed are images of Triton that leases may have beside those of the text.
	allowed []string
	// base is what the text makes, and leases the same with the allowed images.
	base, leases *render.LeaseRenderer
}

// Read reads the file: values of the chart, such as those in its ConfigMap. The
// release is that of the server; its name begins the names of what leases consist of.
// The error is a policy.Refusal where the configuration is not coherent.
func Read(path, release string) (*Config, error) {
	renderer, err := render.New(render.Options{})
	if err != nil {
		return nil, err
	}
	c := &Config{path: path, release: release, renderer: renderer}
	_, err = c.Reload()
	return c, err
}

// Reload reads the file again and says whether another configuration is in force
// since. A text is in force when it was read twice, because the first time it may be
// half written. Where the file cannot be read, or is not coherent, what was in force
// stays in force; the error is returned once, and kept until the file is better.
func (c *Config) Reload() (changed bool, err error) {
	text, err := os.ReadFile(c.path)
	c.lock.Lock()
	defer c.lock.Unlock()
	if err != nil {
		return false, c.fail(text, err)
	}
	if c.tried != nil && bytes.Equal(text, c.tried) {
		c.seen = nil
		return false, nil
	}
	if c.text != nil && !bytes.Equal(text, c.seen) { // which may be half written still
		c.seen = text
		return false, nil
	}
	if !bytes.Equal(text, c.text) {
		base, err := c.leaseRenderer(text)
		if err != nil {
			return false, c.fail(text, err)
		}
		c.images = base.AllowedImages()
		c.base, c.leases = base, base.WithImages(c.allowed...)
		c.text, c.since, changed = text, time.Now(), true
	}
	c.tried, c.problem = text, nil
	return changed, nil
}

// fail remembers a problem, and returns it where it is new.
func (c *Config) fail(tried []byte, problem error) error {
	problem = fmt.Errorf("configuration: %w", problem)
	known := c.problem != nil && c.problem.Error() == problem.Error()
	if c.tried, c.problem = tried, problem; known {
		return nil
	}
	return problem
}

// InForce says since when the configuration is in force, and why the file that was
// read last is not.
func (c *Config) InForce() (since time.Time, problem error) {
	c.lock.Lock()
	defer c.lock.Unlock()
	return c.since, c.problem
}

// LeaseRenderer returns what grants and renders leases of the configuration in force.
func (c *Config) LeaseRenderer() *render.LeaseRenderer {
	c.lock.Lock()
	defer c.lock.Unlock()
	return c.leases
}

func (c *Config) leaseRenderer(text []byte) (*render.LeaseRenderer, error) {
	input := new(render.Input)
	if len(bytes.TrimSpace(text)) == 0 { // half written, more likely than meant
		return nil, errors.New("the file is empty")
	}
	if err := input.Add(text); err != nil {
		return nil, err
	}
	if input.Leases() > 0 {
		return nil, errors.New("it has leases: at run time they are objects of the kind TritonLease")
	}
	return c.renderer.LeaseRenderer(render.Release{Name: c.release, Namespace: "default", Controller: true}, input)
}
