package render

import "sync"

// memory remembers what was found out, up to some weight. Whoever may ask for
// leases can think of new forms for ever, so what is too much is forgotten whole:
// it can be found out anew.
type memory[K comparable, V any] struct {
	lock    sync.Mutex
	entries map[K]V
	weight  int
	// most is about how many bytes it holds.
	most int
}

// mostRemembered is about how many bytes an Installation remembers of forms, and of
// their objects, where Options do not say.
const mostRemembered = 64 << 20

func (m *memory[K, V]) get(key K) (V, bool) {
	m.lock.Lock()
	defer m.lock.Unlock()
	value, ok := m.entries[key]
	return value, ok
}

// put remembers a value, and returns what is remembered of the key already.
func (m *memory[K, V]) put(key K, value V, weight int) V {
	m.lock.Lock()
	defer m.lock.Unlock()
	if known, ok := m.entries[key]; ok {
		return known
	}
	if m.weight += weight; m.entries == nil || m.weight > m.most {
		m.entries, m.weight = map[K]V{}, weight
	}
	m.entries[key] = value
	return value
}
