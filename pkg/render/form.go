package render

import (
	"maps"
	"strconv"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/generic"
	"github.com/triton-leases/tms/internal/schema"
	"github.com/triton-leases/tms/internal/source"
	"github.com/triton-leases/tms/pkg/policy"
	"github.com/triton-leases/tms/pkg/values"
)

// form is what leases of one form have in common, found out by looking at the
// first of them.
type form struct {
	// sound says that nothing is wrong with what is part of the form.
	sound bool
	// name and checks are what is left to check of each lease.
	name   schema.Leaf
	checks []check
	// lease is the first lease. Of others only the leaves are different.
	lease  *v1alpha1.LeaseSpec
	pod    *policy.Pod
	leaves map[string]int // by path
	weight int            // of what is kept of it, in bytes
	// asked are the leaves that the request is made of, -1 where there is none.
	asked struct {
		minimum, maximum int
		thresholds       perMetric[int]
	}
}

// check is what the schema says of one leaf.
type check struct {
	leaf     int
	isNumber bool
	rule     schema.Leaf
}

// form returns the form of a lease, whose outline is given.
func (in *Installation) form(o *outline, lease source.Lease) *form {
	if f, ok := o.known[string(o.form)]; ok {
		return f
	}
	f, ok := in.forms.get(string(o.form))
	if !ok {
		if f = in.newForm(o, lease); !f.sound {
			return f // what is wrong may be this lease's alone
		}
		f = in.forms.put(string(o.form), f, f.weight)
	}
	if o.known == nil {
		o.known = map[string]*form{}
	}
	o.known[string(o.form)] = f
	return f
}

func (in *Installation) newForm(o *outline, lease source.Lease) *form {
	const perByte = 20 // what is kept of a lease is about as many times its text
	f := &form{leaves: map[string]int{}, weight: perByte * len(o.form)}
	rules := in.renderer.schema
	if len(rules.Validate(map[string]any{"leases": map[string]any{lease.Name: lease.Value()}})) > 0 {
		return f
	}
	var err error
	if f.lease, err = values.DecodeLease(lease.Value()); err != nil {
		return f
	}
	f.pod = in.pod(f.lease)
	var known bool
	if f.name, known = rules.Key("leases"); !known {
		return f
	}
	var paths pathFinder
	lease.Visit(&paths)
	for i, path := range paths.found {
		f.leaves[path.String()] = i
		if o.leaves[i].kind == fixed {
			continue
		}
		rule, known := rules.Leaf(append([]string{"leases", lease.Name}, path...)...)
		if !known {
			return f
		}
		f.checks = append(f.checks, check{leaf: i, isNumber: o.leaves[i].kind == number, rule: rule})
	}
	f.findAsked()
	f.sound = len(in.checkNames(Lease{Name: lease.Name, ObjectName: "x"}, f.lease)) == 0
	return f
}

// accepts says that nothing is wrong with a lease of this form. Where it says
// no, something may be.
func (f *form) accepts(name string, leaves []leaf) bool {
	if !f.sound || !f.name.AcceptsText(name) {
		return false
	}
	for i := range f.checks {
		c := &f.checks[i]
		text := leaves[c.leaf].text
		if !c.isNumber {
			if !c.rule.AcceptsText(text) {
				return false
			}
			continue
		}
		if number, err := strconv.ParseFloat(text, 64); err != nil || !c.rule.AcceptsNumber(number) {
			return false
		}
	}
	return true
}

// text returns a text of a lease of this form, which is empty where the form has none.
func (f *form) text(leaves []leaf, path string) string {
	if i, ok := f.leaves[path]; ok {
		return leaves[i].text
	}
	return ""
}

// leaf returns the index of the leaf at a path, -1 where there is none.
func (f *form) leaf(path string) int {
	if i, ok := f.leaves[path]; ok {
		return i
	}
	return -1
}

func (f *form) findAsked() {
	f.asked.minimum = f.leaf("autoscaling.replicas.minimum")
	f.asked.maximum = f.leaf("autoscaling.replicas.maximum")
	for metric := range f.asked.thresholds.All() {
		f.asked.thresholds.Set(metric, f.leaf("autoscaling.metrics."+string(metric)+".threshold"))
	}
}

// request returns what a lease of this form asks for.
func (f *form) request(leaves []leaf) v1alpha1.Autoscaling {
	asked := f.lease.Autoscaling
	asked.Replicas.Minimum = askedFor(leaves, f.asked.minimum)
	asked.Replicas.Maximum = askedFor(leaves, f.asked.maximum)
	asked.Metrics = maps.Clone(asked.Metrics)
	for metric, threshold := range f.asked.thresholds.All() {
		if first, ok := asked.Metrics[metric]; ok {
			asked.Metrics[metric] = v1alpha1.MetricRequest{
				Enabled: generic.Pointer(first.Enabled), Enable: generic.Pointer(first.Enable), Threshold: askedFor(leaves, threshold),
			}
		}
	}
	return asked
}

func askedFor(leaves []leaf, i int) *int64 {
	if i < 0 {
		return nil
	}
	number, err := strconv.ParseFloat(leaves[i].text, 64)
	if err != nil {
		return nil
	}
	whole := int64(number)
	return &whole
}
