package randvalues

import (
	"encoding/json"
	"fmt"
	"slices"

	"sigs.k8s.io/yaml"
)

// Fleet is YAML with five variants of each lease, which have the same keys and some other
// values, so that many leases share a shape.
func Fleet(data []byte) (values []byte, release string) {
	d := &dice{data: data}
	release = pick(d.part(), "tms", "r")
	v := d.values()
	siblings := d.part()
	leases := v["leases"].(object)
	names := make([]string, 0, len(leases))
	for name := range leases {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for i := range 5 {
			sibling := clone(leases[name].(object))
			siblings.vary(sibling, "", "")
			leases[pick(siblings, fmt.Sprintf("%s-%d", name, i), fmt.Sprintf("%d-%s", i, name))] = sibling
		}
	}
	text, err := yaml.Marshal(v)
	if err != nil {
		panic(err) // the values hold only what YAML can encode
	}
	return text, release
}

// vary replaces some strings and numbers of a value by others that the schema accepts at
// the same place: plain words, and strings that YAML must quote.
func (d *dice) vary(value any, parent, key string) any {
	switch value := value.(type) {
	case object:
		keys := make([]string, 0, len(value))
		for key := range value {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		for _, name := range keys {
			value[name] = d.vary(value[name], key, name)
		}
	case []any:
		for i := range value {
			value[i] = d.vary(value[i], parent, key)
		}
	default:
		legal, special := others[parent+"."+key]
		if !special {
			legal = others[key]
		}
		if len(legal) > 0 && d.roll(2) == 1 {
			return legal[d.roll(len(legal))]
		}
	}
	return value
}

// others are the values that vary uses, by key or by parent and key.
var others = map[string][]any{
	"target.name":                   {"legacy", "a.b", "1", "other", "on"},
	"name":                          {"m", "n", "o", "p", "1", "true", "A_b.c-d"},
	"uri":                           {"s3://models/vision", "s3://models/other", "/models", "/mnt/models/claim/a/b", "/mnt/models/claim", "pvc://claim", "pvc://claim/a/b", "pvc://other/a", "pvc://other", "gs://b/true", "s3://b/\"q\"", "s3://b/'", "s3://b/a#c", "pvc://claim/x\"y", "pvc://other/x\"y", "s3://h:9000/b/{{x}}\"'$(y)", "https://example.com/b", "oci://c//d", "oci://c", "repo://vision/x", "/mnt/model-images/0", "/mnt/fetched-models"},
	"image":                         {"example.com/other:1", "example.com/image:1"},
	"value":                         {"word", "two words", "true", "on", "1", "1e3", "", "a: b\n---", "{{ x }}", "é", "y", "0x1f", "~"},
	"args":                          {"--log-verbose=2", "--metrics-port=1", "word", "", "\"'", "a\nb", "yes"},
	"zone":                          {"zone-a", "1", "on", "b"},
	"priorityClassName":             {"high", "low"},
	"threshold":                     {60.0, 90.0, 10000.0, 20000.0, 250000.0},
	"minimum":                       {1.0, 2.0, 3.0},
	"maximum":                       {4.0, 5.0, 60.0},
	"terminationGracePeriodSeconds": {0.0, 1.0, 30.0},
	"replicas":                      {1.0, 2.0},
	"cpu":                           {"500m", "2", 2.0, 0.5, "1e3"},
}

func clone(value object) object {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // the values hold only what JSON can encode
	}
	copied := object{}
	if err := json.Unmarshal(text, &copied); err != nil {
		panic(err)
	}
	return copied
}
