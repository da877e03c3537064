package source

import (
	"maps"
	"slices"
	"strings"

	"github.com/triton-leases/tms/internal/generic"
)

// Values are values files laid over each other, as helm does with several -f.
// The zero Values are none.
type Values struct {
	// rest are the values without the leases, but for those that are no objects:
	// it is for the schema to say what is wrong with them.
	rest   map[string]any
	leases []Lease
	// index maps names to leases. It is nil where nobody asked yet.
	index map[string]int
}

// Add lays a file over what there is: objects are merged, everything else is replaced.
func (v *Values) Add(file File) {
	above := maps.Clone(file.Values)
	leases, has := above[leasesKey]
	delete(above, leasesKey)
	v.rest = generic.Merge(v.rest, above)
	if has {
		v.addLeases(leases)
	}
	if len(v.leases) == 0 && len(file.Leases) > 0 && v.rest[leasesKey] == nil {
		v.leases, v.index = slices.Clip(file.Leases), nil
		delete(v.rest, leasesKey)
		return
	}
	for _, lease := range file.Leases {
		v.addLease(lease)
	}
}

func (v *Values) addLeases(leases any) {
	above, isObject := leases.(map[string]any)
	if !isObject {
		v.leases, v.index = nil, nil
		v.rest[leasesKey] = leases
		return
	}
	odd := map[string]any{}
	for name, value := range above {
		if lease, isObject := value.(map[string]any); isObject {
			v.addLease(LeaseOf(name, lease))
		} else {
			odd[name] = value
		}
	}
	if len(odd) > 0 || len(above) == 0 {
		v.remove(odd)
		v.rest = generic.Merge(v.rest, map[string]any{leasesKey: odd})
	}
}

func (v *Values) addLease(lease Lease) {
	if odd, isObject := v.rest[leasesKey].(map[string]any); isObject {
		delete(odd, lease.Name)
	} else {
		delete(v.rest, leasesKey)
	}
	if i, ok := v.find(lease.Name); ok {
		v.leases[i] = LeaseOf(lease.Name, generic.Merge(v.leases[i].Value(), lease.Value()))
		return
	}
	v.index[lease.Name] = len(v.leases)
	v.leases = append(v.leases, lease)
}

func (v *Values) find(name string) (int, bool) {
	if v.index == nil {
		v.index = make(map[string]int, len(v.leases))
		for i, lease := range v.leases {
			v.index[lease.Name] = i
		}
	}
	i, ok := v.index[name]
	return i, ok
}

func (v *Values) remove(names map[string]any) {
	kept := slices.DeleteFunc(slices.Clone(v.leases), func(lease Lease) bool {
		_, removed := names[lease.Name]
		return removed
	})
	v.leases, v.index = kept, nil
}

// Rest returns the values without the leases that are objects. The caller must
// not change them.
func (v *Values) Rest() map[string]any { return v.rest }

// Leases returns the leases that are objects, by name.
func (v *Values) Leases() []Lease {
	byName := func(a, b Lease) int { return strings.Compare(a.Name, b.Name) }
	if slices.IsSortedFunc(v.leases, byName) {
		return v.leases
	}
	return slices.SortedFunc(slices.Values(v.leases), byName)
}

// Len returns how many leases there are.
func (v *Values) Len() int { return len(v.leases) }

// Copy returns all values as one map that shares nothing with them.
func (v *Values) Copy() map[string]any {
	copied, _ := generic.Clone(v.Map()).(map[string]any)
	return copied
}

// Map returns all values as one map. The caller must not change what is in it.
func (v *Values) Map() map[string]any {
	all := maps.Clone(v.rest)
	if len(v.leases) == 0 {
		return all
	}
	leases := make(map[string]any, len(v.leases))
	odd, _ := all[leasesKey].(map[string]any)
	maps.Copy(leases, odd)
	for _, lease := range v.leases {
		leases[lease.Name] = lease.Value()
	}
	all[leasesKey] = leases
	return all
}

// Names returns the names of all leases, ordered.
func (v *Values) Names() []string {
	odd, _ := v.rest[leasesKey].(map[string]any)
	return slices.Sorted(func(yield func(string) bool) {
		for _, lease := range v.leases {
			if !yield(lease.Name) {
				return
			}
		}
		for name := range odd {
			if !yield(name) {
				return
			}
		}
	})
}

// Only removes all leases but the named ones.
func (v *Values) Only(names ...string) {
	odd, _ := v.rest[leasesKey].(map[string]any)
	v.rest = maps.Clone(v.rest)
	delete(v.rest, leasesKey)
	var kept []Lease
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	for _, name := range names {
		if i, ok := v.find(name); ok {
			kept = append(kept, v.leases[i])
		}
	}
	v.leases, v.index = kept, nil
	for _, name := range names {
		if value, ok := odd[name]; ok {
			v.addLeases(map[string]any{name: value})
		}
	}
}

// Delete removes a key.
func (v *Values) Delete(key string) {
	v.rest = maps.Clone(v.rest)
	delete(v.rest, key)
}
