package render

import (
	"errors"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
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

// Deployment returns the Deployment of one of the leases, or nil if the lease has a target.
// The Result must not be that of another chart.
func (res *Result) Deployment(g *GrantedLease) (*appsv1.Deployment, error) {
	k := slices.IndexFunc(kinds, func(k Kind) bool { return k.Kind == "Deployment" })
	if g.shape.yaml[k] == nil {
		return nil, nil
	}
	cache := res.renderer.shapes
	cache.lock.Lock()
	manifest, err := res.renderer.jsonOf(g.shape, k)
	cache.lock.Unlock()
	if err != nil {
		return nil, err
	}
	deployment := new(appsv1.Deployment)
	return deployment, json.UnmarshalCaseSensitivePreserveInts(manifest.Append(nil, g.parameters), deployment)
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
