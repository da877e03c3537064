package render

import (
	"crypto/sha256"
	"encoding/binary"
	"io"
)

// Fingerprint identifies the manifests of a lease.
type Fingerprint [sha256.Size]byte

// Fingerprint returns the fingerprint of the manifests of a granted lease. Leases with equal
// fingerprints have equal manifests, also if different LeaseRenderers granted them. It takes
// microseconds if the shape of the lease is rendered.
func (lr *LeaseRenderer) Fingerprint(g *GrantedLease) (Fingerprint, error) {
	if err := lr.renderShapes([]*GrantedLease{g}); err != nil {
		return Fingerprint{}, err
	}
	lr.shapes.lock.Lock()
	shape := g.shape.fingerprintOf()
	lr.shapes.lock.Unlock()
	hash := sha256.New()
	_, _ = hash.Write(shape[:]) // never fails, as all writes below
	for _, parameter := range g.parameters {
		writeText(hash, parameter)
	}
	return Fingerprint(hash.Sum(nil)), nil
}

// fingerprintOf returns the fingerprint of the manifests with placeholders. The caller holds
// the lock of the cache.
func (s *shape) fingerprintOf() Fingerprint {
	if s.fingerprint != nil {
		return *s.fingerprint
	}
	hash := sha256.New()
	for k, manifest := range s.yaml {
		if manifest == nil {
			continue
		}
		writeText(hash, kinds[k].Template)
		manifest.Hash(hash)
	}
	s.fingerprint = (*Fingerprint)(hash.Sum(nil))
	return *s.fingerprint
}

// writeText writes a text after its length, so that no two lists of texts are written alike.
func writeText(to io.Writer, text string) {
	_, _ = to.Write(binary.AppendUvarint(nil, uint64(len(text))))
	_, _ = io.WriteString(to, text)
}
