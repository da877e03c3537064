package config

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// AllowlistKey is the key of the images in the ConfigMap of the allowlist, one a line.
const AllowlistKey = "images"

// AllowedBy returns the images in the ConfigMap of the allowlist.
func AllowedBy(list *corev1.ConfigMap) []string { return strings.Fields(list.Data[AllowlistKey]) }

// Allow sets which images of Triton leases may have beside those that the file
// allows, and says whether that changed anything.
func (c *Config) Allow(images []string) (changed bool) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if slices.Equal(images, c.allowed) {
		return false
	}
	c.allowed = slices.Clone(images)
	c.leases = c.base.WithImages(c.allowed...)
	return true
}

// Images are the images of Triton that the file allows, the default first.
func (c *Config) Images() []string {
	c.lock.Lock()
	defer c.lock.Unlock()
	return slices.Clone(c.images)
}
