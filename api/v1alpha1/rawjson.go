package v1alpha1

import (
	"bytes"
	"encoding/json"
)

// RawJSON is a part of a lease that Kubernetes defines, such as an affinity or a
// quantity. It is kept as the lease spells it, and reaches the manifests unchanged.
// The zero value is absent.
type RawJSON []byte

// Raw returns a value as RawJSON. It panics if JSON cannot hold the value.
func Raw(value any) RawJSON {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return text
}

// MarshalJSON implements json.Marshaler.
func (r RawJSON) MarshalJSON() ([]byte, error) {
	if r == nil {
		return []byte("null"), nil
	}
	return r, nil
}

// UnmarshalJSON implements json.Unmarshaler. A null is absent.
func (r *RawJSON) UnmarshalJSON(text []byte) error {
	*r = nil
	if !bytes.Equal(text, []byte("null")) {
		*r = bytes.Clone(text)
	}
	return nil
}
