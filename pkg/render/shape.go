package render

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/triton-leases/tms/internal/leasepod"
	"github.com/triton-leases/tms/internal/stencil"
	"github.com/triton-leases/tms/pkg/policy"
)

// shape is what leases share if their manifests differ only in parameters: names, granted
// numbers, adjustments, images, and the names and URIs of models. Templates may only copy
// parameters and compare them for equality. Everything else that they read is part of the
// shape. FuzzShapes tests that the templates keep this rule.
type shape struct {
	// spec is the lease as templates read it, with placeholders.
	spec map[string]any
	// grant is the grant without its parameters.
	grant grantShape
	// yaml holds one manifest for each of kinds, nil if the lease has no such object.
	// renderShapes sets yaml, and jsonOf sets json, once, under the lock of the cache.
	yaml, json []*stencil.Stencil
	// faults are those for which Kubernetes would refuse the objects, once they are checked.
	faults  []fault
	checked bool
	// pod is the judgement of the pods of TritonLeases by the bounds in judgedBy.
	pod      leasepod.Verdict
	judgedBy *policy.LeaseBounds
	// fingerprint is that of yaml, once it was asked for.
	fingerprint *Fingerprint
}

// hasTarget reports whether the lease scales a workload that TMS does not deploy.
func (s *shape) hasTarget() bool { return s.spec["target"] != nil }

// grantShape is a grant without its numbers and the texts of its adjustments.
type grantShape struct {
	Autoscaled, Renewed, ConnectionAge, Reloaded, Scheduled bool
	Metrics                                                 []string
	Adjustments                                             int
	// Entries is the number of entries of the schedule of a lease in the values.
	Entries int
}

// The indexes of the parameters of a lease. The thresholds, the adjustments and the schedule
// come after the constants: see the methods of grantShape. The texts that masker replaces
// come last.
const (
	nameParameter = iota
	objectNameParameter
	namespaceParameter
	minReplicasParameter
	maxReplicasParameter
	reloadedAtParameter
	firstThreshold
)

// threshold returns the index of the threshold of the metric at index i.
func (s grantShape) threshold(i int) int { return firstThreshold + i }

// adjustment returns the index of the adjustment at index i.
func (s grantShape) adjustment(i int) int { return s.threshold(len(s.Metrics)) + i }

// The parameters of one entry of a schedule.
const (
	cronParameter = iota
	timeZoneParameter
	entryMinReplicasParameter
	entryMaxReplicasParameter
	entryParameters // their number
)

// entry returns the index of the first parameter of the entry at index i.
func (s grantShape) entry(i int) int { return s.adjustment(s.Adjustments) + i*entryParameters }

// addShape sets the shape and the parameters of a granted lease.
func (lr *LeaseRenderer) addShape(g *GrantedLease, value map[string]any) {
	grant := grantShape{
		Autoscaled: g.Grant.Autoscaled, Renewed: g.Term.AutoRenew, ConnectionAge: g.connectionAge, Reloaded: g.reloadedAt != "", Adjustments: len(g.Grant.Adjustments),
		Scheduled: len(g.Grant.Schedule) > 0,
	}
	if !lr.release.Controller { // tms-server renders the replicas of the entry in effect
		grant.Entries = len(g.Grant.Schedule)
	}
	for _, m := range g.Grant.Metrics {
		grant.Metrics = append(grant.Metrics, string(m.Metric))
	}
	count := grant.entry(grant.Entries)
	parameters := make([]string, count, count+4) // with room for a few texts of masker
	parameters[nameParameter] = g.Name
	parameters[objectNameParameter] = g.ObjectName
	parameters[namespaceParameter] = lr.namespaceOf(g)
	parameters[minReplicasParameter] = strconv.FormatInt(g.Grant.MinReplicas, 10)
	parameters[maxReplicasParameter] = strconv.FormatInt(g.Grant.MaxReplicas, 10)
	parameters[reloadedAtParameter] = g.reloadedAt
	for i, m := range g.Grant.Metrics {
		parameters[grant.threshold(i)] = strconv.FormatInt(m.Threshold, 10)
	}
	for i, adjustment := range g.Grant.Adjustments {
		adjustment.Reason = "" // it changes with other leases, and the manifests must not
		parameters[grant.adjustment(i)] = adjustment.String()
	}
	for i := range grant.Entries {
		entry, parameters := g.Grant.Schedule[i], parameters[grant.entry(i):]
		parameters[cronParameter], parameters[timeZoneParameter] = entry.Cron, entry.TimeZone
		parameters[entryMinReplicasParameter] = strconv.FormatInt(entry.MinReplicas, 10)
		parameters[entryMaxReplicasParameter] = strconv.FormatInt(entry.MaxReplicas, 10)
	}
	m := masker{placeholders: lr.placeholders, parameters: parameters, known: map[string]string{}}
	spec := m.mask(lr.resolve(value), !lr.namesMounts && !namesMount(value["triton"]))
	g.parameters = m.parameters
	g.shape = lr.shapes.get(&shape{spec: spec, grant: grant})
}

// masker replaces texts of a lease with placeholders. Equal texts get equal placeholders:
// the templates list a repository once even if it holds several models.
type masker struct {
	placeholders stencil.Placeholders
	parameters   []string
	known        map[string]string // placeholders by text
}

// mask returns a copy of a lease for the templates: with placeholders, and without
// autoscaling, which only the policy reads. It leaves the models alone unless withModels
// is set.
func (m *masker) mask(lease map[string]any, withModels bool) map[string]any {
	masked := maps.Clone(lease)
	delete(masked, "autoscaling")
	if image, ok := masked["image"].(string); ok {
		masked["image"] = m.text(image)
	}
	models, _ := masked["models"].([]any)
	if !withModels || hasMountPath(models) {
		return masked
	}
	copies := make([]any, len(models))
	for i, model := range models {
		copied := maps.Clone(model.(map[string]any))
		copied["name"], copied["uri"] = m.text(copied["name"].(string)), m.uri(copied["uri"].(string))
		copies[i] = copied
	}
	if models != nil {
		masked["models"] = copies
	}
	return masked
}

// mountPath is the path below which the templates mount claims, images and downloads.
const mountPath = "/mnt/"

// hasMountPath reports whether the URI of a model is a path below mountPath. The pvc:// URI
// of another model can name the same repository, and two placeholders would hide that.
func hasMountPath(models []any) bool {
	for _, model := range models {
		if uri, _ := model.(map[string]any)["uri"].(string); strings.HasPrefix(uri, mountPath) {
			return true
		}
	}
	return false
}

// namesMount reports whether a value contains a path below mountPath. The templates
// compare it with the paths of claims, and the placeholder of a claim would differ.
func namesMount(value any) bool {
	switch value := value.(type) {
	case map[string]any:
		for _, inner := range value {
			if namesMount(inner) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(value, namesMount)
	case string:
		return strings.HasPrefix(value, mountPath)
	}
	return false
}

// parts are the schemes that the templates test, and the text at which they split the rest.
var parts = []struct{ scheme, separator string }{{"pvc://", "/"}, {"oci://", "//"}, {"https://", ""}}

// uri masks a URI. It masks the parts separately that the templates read separately.
func (m *masker) uri(uri string) string {
	for _, p := range parts {
		rest, is := strings.CutPrefix(uri, p.scheme)
		if !is {
			continue
		}
		if first, path, has := strings.Cut(rest, p.separator); has && p.separator != "" {
			return p.scheme + m.text(first) + p.separator + m.text(path)
		}
		return p.scheme + m.text(rest)
	}
	return m.text(uri)
}

// text returns the placeholder of a text, or the text itself if YAML or JSON would escape
// it.
func (m *masker) text(text string) string {
	if placeholder, known := m.known[text]; known {
		return placeholder
	}
	if !isPlain(text) {
		return text
	}
	placeholder := m.placeholders.At(len(m.parameters))
	m.parameters = append(m.parameters, text)
	m.known[text] = placeholder
	return placeholder
}

// isPlain reports whether a text needs no escapes between quotes in YAML and in JSON.
func isPlain(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || strings.IndexByte(`"\<>&`, c) >= 0 {
			return false
		}
	}
	return text != ""
}

// shapeCache caches shapes by their content. Users can create any number of shapes: when
// the cache exceeds its limit, it drops all of them.
type shapeCache struct {
	lock   sync.Mutex
	shapes map[string]*shape
	weight int // estimated, in bytes
	limit  int
}

// get returns the cached shape with the same content, or caches s and returns it.
func (c *shapeCache) get(s *shape) *shape {
	key, err := json.Marshal([]any{s.spec, s.grant})
	if err != nil {
		return s // cannot happen: spec was decoded from JSON
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	if known, ok := c.shapes[string(key)]; ok {
		return known
	}
	const smallShape, perKeyByte = 64 << 10, 16 // estimates of the memory
	weight := smallShape + perKeyByte*len(key)
	c.weight += weight
	if c.shapes == nil || c.weight > c.limit {
		c.shapes, c.weight = map[string]*shape{}, weight
	}
	c.shapes[string(key)] = s
	return s
}
