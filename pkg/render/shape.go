package render

import (
	"encoding/json"
	"maps"
	"strconv"
	"strings"
	"sync"

	"github.com/triton-leases/tms/internal/stencil"
)

// shape is what leases have in common that get the same manifests but for parameters:
// names, granted numbers, adjustments, and the names and URIs of models. Templates must
// only copy parameters, and ask at most whether two of them are equal; all that they
// look at otherwise is part of the shape. FuzzShapes holds the templates to that.
type shape struct {
	// spec is the value of the lease for the templates, with placeholders.
	spec map[string]any
	// grant is the lease's part of the grants, but for what parameters say.
	grant grantShape
	// yaml are the manifests by index of kinds, nil if the lease has none. It is set once,
	// under the lock of the cache, and so is json, which jsonOf returns.
	yaml, json []*stencil.Stencil
}

// grantShape is what a grant is, but for its numbers and sentences.
type grantShape struct {
	Autoscaled, Renewed bool
	Metrics             []string
	Adjustments         int
}

// The first parameters of each lease. Thresholds, adjustments, and the texts of models
// follow.
const (
	nameParameter = iota
	objectNameParameter
	namespaceParameter
	minReplicasParameter
	maxReplicasParameter
	firstThreshold
)

// addShape finds the shape of a granted lease, and its parameters.
func (lr *LeaseRenderer) addShape(g *GrantedLease, value map[string]any) {
	grant := grantShape{Autoscaled: g.Grant.Autoscaled, Renewed: g.Term.AutoRenew, Adjustments: len(g.Grant.Adjustments)}
	parameters := make([]string, firstThreshold, firstThreshold+len(g.Grant.Metrics)+len(g.Grant.Adjustments)+4)
	parameters[nameParameter] = g.Name
	parameters[objectNameParameter] = g.ObjectName
	parameters[namespaceParameter] = lr.namespaceOf(g)
	parameters[minReplicasParameter] = strconv.FormatInt(g.Grant.MinReplicas, 10)
	parameters[maxReplicasParameter] = strconv.FormatInt(g.Grant.MaxReplicas, 10)
	for _, m := range g.Grant.Metrics {
		grant.Metrics = append(grant.Metrics, string(m.Metric))
		parameters = append(parameters, strconv.FormatInt(m.Threshold, 10))
	}
	for _, adjustment := range g.Grant.Adjustments {
		parameters = append(parameters, adjustment.String())
	}
	m := masker{placeholders: lr.placeholders, parameters: parameters, known: map[string]string{}}
	spec := m.mask(value)
	g.parameters = m.parameters
	g.shape = lr.shapes.get(&shape{spec: spec, grant: grant})
}

// masker replaces texts of a lease by placeholders. Equal texts get equal placeholders:
// the templates name a repository once even if two models lie in it.
type masker struct {
	placeholders stencil.Placeholders
	parameters   []string
	known        map[string]string // placeholders by text
}

// mask returns a copy of a lease for the templates: with placeholders, and without what
// only the policy reads.
func (m *masker) mask(lease map[string]any) map[string]any {
	masked := maps.Clone(lease)
	delete(masked, "autoscaling")
	if image, ok := masked["image"].(string); ok {
		masked["image"] = m.text(image)
	}
	models, _ := masked["models"].([]any)
	if inMount(models) {
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

const (
	// claimScheme begins the URI of a repository in a PersistentVolumeClaim, and mountPath
	// is where the templates mount claims.
	claimScheme = "pvc://"
	mountPath   = "/mnt/models/"
)

// inMount reports whether a model lies in the image where claims are mounted. Then the
// repository can be that of a claim's model, which the placeholders of the two would
// hide.
func inMount(models []any) bool {
	for _, model := range models {
		if uri, _ := model.(map[string]any)["uri"].(string); strings.HasPrefix(uri, mountPath) {
			return true
		}
	}
	return false
}

// uri masks a URI. The templates take claim and path apart.
func (m *masker) uri(uri string) string {
	rest, isClaim := strings.CutPrefix(uri, claimScheme)
	if !isClaim {
		return m.text(uri)
	}
	claim, path, hasPath := strings.Cut(rest, "/")
	if !hasPath {
		return claimScheme + m.text(claim)
	}
	return claimScheme + m.text(claim) + "/" + m.text(path)
}

// text returns the placeholder of a text, or the text if the templates or JSON would
// escape it.
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

// isPlain reports whether a text is the same in quotes, in YAML and in JSON.
func isPlain(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || strings.IndexByte(`"\<>&`, c) >= 0 {
			return false
		}
	}
	return text != ""
}

// shapeCache keeps shapes by their content. Users can ask for new shapes for ever, so
// when they weigh too much, all are dropped: they can be rendered again.
type shapeCache struct {
	lock   sync.Mutex
	shapes map[string]*shape
	weight int // estimated, in bytes
	limit  int
}

// get returns the shape that is kept for the same content, or keeps this one.
func (c *shapeCache) get(s *shape) *shape {
	key, err := json.Marshal([]any{s.spec, s.grant})
	if err != nil {
		return s // it was decoded from JSON
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	if known, ok := c.shapes[string(key)]; ok {
		return known
	}
	const manifests, perByte = 64 << 10, 16 // of a small lease, and for each byte of its spec
	weight := manifests + perByte*len(key)
	if c.weight += weight; c.shapes == nil || c.weight > c.limit {
		c.shapes, c.weight = map[string]*shape{}, weight
	}
	c.shapes[string(key)] = s
	return s
}
