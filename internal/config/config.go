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
	// installations are by namespace.
	installations map[string]*render.Installation
}

// Read reads the file: values of the chart, such as those in its ConfigMap. The
// release is that of the server; its name begins the names of what leases consist of.
// The error is a policy.Refusal where the configuration is not coherent.
func Read(path, release string) (*Config, error) {
	renderer, err := render.New(render.Options{Memory: mostRemembered})
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
		in, err := c.install(text, "default")
		if err != nil {
			return false, c.fail(text, err)
		}
		c.images = in.AllowedImages()
		c.text, c.since, c.installations, changed = text, time.Now(), map[string]*render.Installation{}, true
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

const (
	// mostInstallations is how many namespaces are kept at once. To make one takes
	// milliseconds.
	mostInstallations = 128
	// mostRemembered is about how many bytes each keeps of the forms of its leases,
	// and as many of their objects: a dozen forms.
	mostRemembered = 1 << 20
)

// Installation returns what renders the leases of a namespace.
func (c *Config) Installation(namespace string) (*render.Installation, error) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if in, ok := c.installations[namespace]; ok {
		return in, nil
	}
	in, err := c.install(c.text, namespace)
	if err != nil {
		return nil, err
	}
	in.Allow(c.allowed...)
	if len(c.installations) >= mostInstallations {
		clear(c.installations)
	}
	c.installations[namespace] = in
	return in, nil
}

func (c *Config) install(text []byte, namespace string) (*render.Installation, error) {
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
	return c.renderer.Install(render.Release{Name: c.release, Namespace: namespace, Controller: true}, input)
}
