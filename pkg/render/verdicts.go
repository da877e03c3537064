package render

import (
	"crypto/sha256"
	"encoding/json"
	"sync"

	"github.com/triton-leases/tms/pkg/policy"
)

// maxVerdicts is how many leases verdicts remember: five times the default limit of leases,
// in about 8 MiB.
const maxVerdicts = 100_000

// verdicts remember which leases the schema accepts: tms-server grants a lease again each time
// that one of its objects changes. It is safe for concurrent use.
type verdicts struct {
	lock     sync.Mutex
	accepted map[[sha256.Size]byte]bool
}

// validateAgain is validate for a lease that may have been validated before.
func (lr *LeaseRenderer) validateAgain(name string, value map[string]any) (policy.Refusal, error) {
	text, err := json.Marshal([]any{name, value})
	if err != nil {
		return nil, err
	}
	key := sha256.Sum256(text)
	if lr.renderer.verdicts.has(key) {
		return nil, nil
	}
	refused := lr.validate(name, value)
	if len(refused) == 0 {
		lr.renderer.verdicts.add(key)
	}
	return refused, nil
}

func (v *verdicts) has(key [sha256.Size]byte) bool {
	v.lock.Lock()
	defer v.lock.Unlock()
	return v.accepted[key]
}

func (v *verdicts) add(key [sha256.Size]byte) {
	v.lock.Lock()
	defer v.lock.Unlock()
	if v.accepted == nil || len(v.accepted) >= maxVerdicts {
		v.accepted = map[[sha256.Size]byte]bool{}
	}
	v.accepted[key] = true
}
