package policy

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Allowlist are the images of Triton that leases may have: images.triton, which
// is the default, and those of server.allowlist.
type Allowlist []string

// Check returns a Refusal where a lease names an image that it may not have. The
// path is where the lease stands. An empty image is the default.
func (a Allowlist) Check(path *field.Path, image string) error {
	if image == "" || slices.Contains(a, image) {
		return nil
	}
	return Refusal{field.Forbidden(path.Child("image"),
		fmt.Sprintf("%q is neither images.triton nor among server.allowlist", image))}
}
