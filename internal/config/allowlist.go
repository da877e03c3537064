package config

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// AllowlistKey is the key of the images in the ConfigMap of the allowlist, one image a
// line.
const AllowlistKey = "images"

// AllowedBy returns the images in the ConfigMap of the allowlist.
func AllowedBy(allowlist *corev1.ConfigMap) []string {
	return strings.Fields(allowlist.Data[AllowlistKey])
}

// Allow replaces the Triton images that leases may use in addition to those of the file. It
// reports whether they changed.
func (c *Config) Allow(images []string) (changed bool) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if slices.Equal(images, c.extraImages) {
		return false
	}
	c.extraImages = slices.Clone(images)
	c.leases = c.base.WithImages(c.extraImages...)
	return true
}

// Images returns the Triton images that the file allows, the default first.
func (c *Config) Images() []string {
	c.lock.Lock()
	defer c.lock.Unlock()
	return slices.Clone(c.images)
}
