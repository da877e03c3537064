package policy

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Allowlist lists the Triton images that leases may have: images.triton, which is the
// default, and those of server.allowlist.
type Allowlist []string

// Check returns a Refusal if a lease names an image that is not in the list. The path is
// that of the lease. An empty image stands for the default.
func (a Allowlist) Check(path *field.Path, image string) error {
	return a.check(path.Child("image"), image)
}

// check is Check with the path of the key that names the image.
func (a Allowlist) check(path *field.Path, image string) error {
	if image == "" || slices.Contains(a, image) {
		return nil
	}
	return Refusal{field.Forbidden(path, fmt.Sprintf("image %q is not allowed: it must be images.triton or in server.allowlist", image))}
}
