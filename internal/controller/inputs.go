package controller

import (
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"sync"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/pkg/render"
)

// inputs identifies all that decides whether the objects of a granted lease are up to date:
// its manifests, the replicas that it keeps, its objects without their status, and the kinds
// that the API server serves.
type inputs [sha256.Size]byte

// ownedObjects returns the objects that the lease owns, as the cache shows them.
func (r *reconciliation) ownedObjects() []client.Object {
	var all []client.Object
	for _, k := range r.kinds {
		all = append(all, r.owned[k]...)
	}
	return all
}

// inputsOf returns the inputs of the lease with these manifests and objects.
func (r *reconciliation) inputsOf(manifests render.Fingerprint, granted v1alpha1.Grant, objects []client.Object) (inputs, error) {
	texts := []string{fmt.Sprint(r.lease.UID, " ", granted.Replicas, " ", r.status.Limits.Replicas, " ", r.status.Address)}
	texts = append(texts, r.served...)
	for _, object := range objects {
		text, err := packedOf(object)
		if err != nil {
			return inputs{}, err
		}
		texts = append(texts, text)
	}
	slices.Sort(texts)
	hash := sha256.New()
	_, _ = hash.Write(manifests[:]) // never fails
	for _, text := range texts {
		_, _ = io.WriteString(hash, text)
		_, _ = io.WriteString(hash, "\n")
	}
	return inputs(hash.Sum(nil)), nil
}

// remember remembers that the objects of the lease are up to date.
func (r *reconciliation) remember() error {
	current, err := r.inputsOf(r.manifests, r.granted.Grant, r.applied)
	if err == nil {
		r.reconciled.add(r.lease, current)
	}
	return err
}

// reconciledInputs remembers the inputs of leases whose objects were up to date, so that they
// are not rendered and compared again. It is safe for concurrent use.
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
