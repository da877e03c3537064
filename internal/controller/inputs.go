package controller

import (
	"crypto/sha256"
	"io"
	"slices"
	"sync"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/pkg/render"
)

// inputs identifies all that the objects and the status of a granted lease depend on, but
// the time and the budget of the namespace: its manifests, the lease and its objects as they
// are, and the kinds that the API server serves.
type inputs [sha256.Size]byte

// inputsOf returns the inputs of the lease with these manifests.
func (r *reconciliation) inputsOf(manifests render.Fingerprint) inputs {
	versions := []string{string(r.lease.UID) + " " + r.lease.ResourceVersion}
	for _, k := range r.kinds {
		if k.watched.Load() {
			versions = append(versions, k.Kind)
		}
		for _, object := range r.owned[k] {
			versions = append(versions, string(object.GetUID())+" "+object.GetResourceVersion())
		}
	}
	slices.Sort(versions)
	hash := sha256.New()
	_, _ = hash.Write(manifests[:]) // never fails
	for _, version := range versions {
		_, _ = io.WriteString(hash, version+"\n")
	}
	return inputs(hash.Sum(nil))
}

// reconciledInputs remembers the inputs of leases for which nothing was left to do, so that
// their objects are not rendered and compared again. It is safe for concurrent use.
type reconciledInputs struct {
	lock   sync.Mutex
	inputs map[client.ObjectKey]inputs
}

func (s *reconciledInputs) has(lease *v1alpha1.TritonLease, current inputs) bool {
	s.lock.Lock()
	defer s.lock.Unlock()
	known, ok := s.inputs[client.ObjectKeyFromObject(lease)]
	return ok && known == current
}

func (s *reconciledInputs) add(lease *v1alpha1.TritonLease, current inputs) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.inputs == nil {
		s.inputs = map[client.ObjectKey]inputs{}
	}
	s.inputs[client.ObjectKeyFromObject(lease)] = current
}

func (s *reconciledInputs) remove(lease client.ObjectKey) {
	s.lock.Lock()
	defer s.lock.Unlock()
	delete(s.inputs, lease)
}
