package render

import (
	"errors"
	"fmt"

	"sigs.k8s.io/json"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// Objects renders a granted lease as typed objects, which the caller may change. Decoding
// is strict: a field that the type does not have is an error. The first lease of a shape
// takes milliseconds, later ones microseconds.
func (lr *LeaseRenderer) Objects(g *GrantedLease) (*Objects, error) {
	if err := lr.renderShapes([]*GrantedLease{g}); err != nil {
		return nil, err
	}
	manifests, err := lr.allJSON(g.shape)
	if err != nil {
		return nil, err
	}
	objects := &Objects{Lease: *g}
	for k, manifest := range manifests {
		if manifest == nil {
			continue
		}
		kind := kinds[k]
		object := kind.New()
		unknown, err := json.UnmarshalStrict(manifest.Append(nil, g.parameters), object)
		if err = errors.Join(append(unknown, err)...); err != nil {
			return nil, fmt.Errorf("decode the %s of lease %s: %w", kind.Kind, g, err)
		}
		kind.set(objects, object)
	}
	return objects, nil
}

// TritonLease grants a TritonLease and renders it as typed objects. If the lease is
// refused, the error is a policy.Refusal with paths that begin with spec.
func (lr *LeaseRenderer) TritonLease(lease *v1alpha1.TritonLease) (*Objects, error) {
	granted, err := lr.GrantTritonLease(lease)
	if err != nil {
		return nil, err
	}
	return lr.Objects(granted)
}
