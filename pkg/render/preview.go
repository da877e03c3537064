package render

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/manifest"
	"github.com/triton-leases/tms/internal/parallel"
)

// manifestFiles are the TritonLeases of an Input.
type manifestFiles struct {
	files int // that were added, of values or of manifests
	given bool
	all   []*preview
	only  []string // nil where all are wanted
}

func (m *manifestFiles) add(text []byte) error {
	found, err := manifest.Read(text)
	if err != nil {
		return err
	}
	m.given = true
	for _, one := range found {
		m.all = append(m.all, &preview{Manifest: one, file: m.files - 1})
	}
	return nil
}

// preview is one TritonLease on its way from its manifest to what the controller
// would make of it.
type preview struct {
	*manifest.Manifest
	file   int
	lease  *v1alpha1.TritonLease
	sound  bool // nothing is wrong with the manifest by itself
	judged *judged
}

func (p *preview) String() string {
	if p.lease.Name == "" {
		return p.lease.Namespace + "/?"
	}
	return p.lease.Namespace + "/" + p.lease.Name
}

func (p *preview) refuse(reasons ...*field.Error) Refusals {
	refused := make(Refusals, len(reasons))
	for i, reason := range reasons {
		line, column := p.Place(reason.Field)
		refused[i] = LeaseRefusal{File: p.file, Line: line, Column: column, Lease: p.String(), Reason: reason}
	}
	return refused
}

// readTritonLeases returns the TritonLeases that are wanted, by namespace and name,
// and what is wrong with them by themselves.
func (r *Renderer) readTritonLeases(release Release, files *manifestFiles) ([]*preview, Refusals, error) {
	rules, err := r.tritonLeases()
	if err != nil {
		return nil, nil, err
	}
	wrong := make([]field.ErrorList, len(files.all))
	all := make([]*preview, len(files.all)) // copies: an Input can be judged for many releases
	parallel.Do(len(all), func(first, end int) {
		for i := first; i < end; i++ {
			p := *files.all[i]
			p.lease, wrong[i] = p.Lease(rules)
			p.lease.Namespace = cmp.Or(p.lease.Namespace, release.Namespace)
			p.sound = len(wrong[i]) == 0
			all[i] = &p
		}
	})
	known := map[string][]*preview{}
	for _, p := range all {
		known[p.lease.Name] = append(known[p.lease.Name], p)
		known[p.String()] = append(known[p.String()], p)
	}
	wanted := map[*preview]bool{}
	for _, name := range files.only {
		if known[name] == nil {
			return nil, nil, noLease(name, slices.Sorted(maps.Keys(known)))
		}
		for _, p := range known[name] {
			wanted[p] = true
		}
	}
	var refused Refusals
	var kept []*preview
	for i, p := range all {
		if files.only != nil && !wanted[p] {
			continue
		}
		kept = append(kept, p)
		refused = append(refused, p.refuse(wrong[i]...)...)
		if p.lease.Name != "" && len(known[p.String()]) > 1 {
			refused = append(refused, p.refuse(field.Duplicate(field.NewPath("metadata", "name"), p.lease.Name))...)
		}
	}
	slices.SortStableFunc(kept, func(a, b *preview) int {
		return cmp.Or(strings.Compare(a.lease.Namespace, b.lease.Namespace), strings.Compare(a.lease.Name, b.lease.Name))
	})
	return kept, refused, nil
}
