package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

const allowedSecrets = "server.leases.allowedSecrets"

// variableSources are the sources of environment variables that a lease may name.
var variableSources = []string{"configMapKeyRef", "fieldRef", "resourceFieldRef", "secretKeyRef"}

// checkSecrets refuses references to secrets that are not allowed: those of environment
// variables, volumes and image pulls.
func (b *LeaseBounds) checkSecrets(pod podRequest, inReleaseNamespace bool) field.ErrorList {
	c := secretCheck{bounds: b, inReleaseNamespace: inReleaseNamespace}
	for _, container := range pod.containers {
		for variable := range itemsOf(container.path.Child("env"), container.value["env"]) {
			from := variable.child("valueFrom")
			for _, key := range slices.Sorted(maps.Keys(from.value)) {
				if !slices.Contains(variableSources, key) {
					c.reasons = append(c.reasons, field.NotSupported(from.path, key, variableSources))
				}
			}
			c.named(from.child("secretKeyRef"), "name")
		}
		for source := range itemsOf(container.path.Child("envFrom"), container.value["envFrom"]) {
			c.named(source.child("secretRef"), "name")
		}
	}
	for volume := range pod.items("volumes") {
		c.volume(volume)
	}
	for secret := range pod.items("imagePullSecrets") {
		c.named(secret, "name")
	}
	return c.reasons
}

type secretCheck struct {
	bounds             *LeaseBounds
	inReleaseNamespace bool
	reasons            field.ErrorList
}

// volume checks the secrets of a volume, whatever its type: Kubernetes names them
// secretName, secret, or with a key that ends in SecretRef.
func (c *secretCheck) volume(o object) {
	for _, key := range slices.Sorted(maps.Keys(o.value)) {
		inner := o.child(key)
		if key == "secretName" {
			c.named(o, key)
		} else if key == "secret" || strings.HasSuffix(strings.ToLower(key), "secretref") {
			c.named(inner, "name")
		}
		c.volume(inner)
		for item := range itemsOf(inner.path, o.value[key]) {
			c.volume(item)
		}
	}
}

// named refuses the secret that a key of an object names, if it is not allowed. In the
// namespace of tms-server, a secret needs an entry with its name: * would give leases the
// private key of the API.
func (c *secretCheck) named(o object, key string) {
	name, has := o.value[key].(string)
	if !has || slices.Contains(c.bounds.config.AllowedSecrets, name) {
		return
	}
	all := slices.Contains(c.bounds.config.AllowedSecrets, "*")
	switch {
	case all && c.inReleaseNamespace:
		c.reasons = append(c.reasons, field.Forbidden(o.path.Child(key), fmt.Sprintf(
			"a TritonLease may not refer to the secret %q: in the namespace of tms-server, \"*\" in %s does not count; move the lease to another namespace",
			name, allowedSecrets)))
	case !all:
		c.reasons = append(c.reasons, field.Forbidden(o.path.Child(key), fmt.Sprintf(
			"a TritonLease may not refer to the secret %q: it is not in %s; %s", name, allowedSecrets, AdministratorSets)))
	}
}
