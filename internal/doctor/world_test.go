package doctor_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"

	"github.com/triton-leases/tms/internal/doctor"
	"github.com/triton-leases/tms/internal/valuesfile"
)

// world is an API server with fixed responses.
type world struct {
	t *testing.T
	// objects are the responses by path, or by path?query.
	objects map[string]map[string]any
	// failures are the responses that are no success, by path.
	failures map[string]failure
	// denied are the resources that the user may not create.
	denied []string
	// called are the paths of all calls.
	called []string
	// down makes all calls fail.
	down bool
}

type failure struct {
	status  int
	message string
}

// newWorld returns the cluster of a file. A lease scales in it, and nothing is broken.
func newWorld(t *testing.T, file string) *world {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	w := &world{t: t, failures: map[string]failure{}}
	require.NoError(t, yaml.UnmarshalStrict(text, &w.objects))
	return w
}

// Call implements doctor.API.
func (w *world) Call(_ context.Context, method, path string, query url.Values, body []byte) (int, []byte, error) {
	w.called = append(w.called, path)
	if w.down {
		return 0, nil, errors.New("connection refused")
	}
	if method == http.MethodPost {
		return w.review(body)
	}
	if f, fails := w.failures[path]; fails {
		text, err := json.Marshal(map[string]any{"kind": "Status", "message": f.message})
		return f.status, text, err
	}
	object, found := w.objects[path+"?"+query.Get("query")]
	if !found {
		object, found = w.objects[path]
	}
	if !found {
		return http.StatusNotFound, []byte("404 page not found\n"), nil
	}
	text, err := json.Marshal(selected(object, query.Get("labelSelector")))
	return http.StatusOK, text, err
}

// selected returns a list without the items whose labels do not match a selector. Items
// without labels match.
func selected(object map[string]any, selector string) map[string]any {
	items, isList := object["items"].([]any)
	parsed, err := labels.Parse(selector)
	if !isList || err != nil {
		return object
	}
	matching := []any{}
	for _, item := range items {
		set, _, _ := unstructured.NestedStringMap(item.(map[string]any), "metadata", "labels")
		if len(set) == 0 || parsed.Matches(labels.Set(set)) {
			matching = append(matching, item)
		}
	}
	return map[string]any{"items": matching}
}

func (w *world) review(body []byte) (int, []byte, error) {
	var review struct {
		Spec struct {
			ResourceAttributes struct{ Verb, Resource string }
		}
	}
	require.NoError(w.t, json.Unmarshal(body, &review))
	require.Equal(w.t, "create", review.Spec.ResourceAttributes.Verb)
	allowed := !slices.Contains(w.denied, review.Spec.ResourceAttributes.Resource)
	return http.StatusCreated, fmt.Appendf(nil, `{"status": {"allowed": %t}}`, allowed), nil
}

// merge merges YAML over a response.
func (w *world) merge(path, text string) {
	w.t.Helper()
	require.Contains(w.t, w.objects, path)
	w.objects[path] = valuesfile.Merge(w.objects[path], parse(w.t, text))
}

// item merges YAML over the item of a list with an index.
func (w *world) item(path string, i int, text string) {
	w.t.Helper()
	items := w.objects[path]["items"].([]any)
	items[i] = valuesfile.Merge(items[i].(map[string]any), parse(w.t, text))
}

// fail makes a path respond with a status.
func (w *world) fail(path string, status int, message string) {
	w.t.Helper()
	w.failures[path] = failure{status, message}
}

// forbid makes a path respond as the API server does to a user without the right.
func (w *world) forbid(path, verb, resource, group, namespace string) {
	scope := "at the cluster scope"
	if namespace != "" {
		scope = fmt.Sprintf("in the namespace %q", namespace)
	}
	w.fail(path, http.StatusForbidden, fmt.Sprintf("%s is forbidden: User \"eve\" cannot %s resource %q in API group %q %s", resource, verb, resource, group, scope))
}

func parse(t *testing.T, text string) map[string]any {
	t.Helper()
	object := map[string]any{}
	require.NoError(t, yaml.Unmarshal([]byte(text), &object))
	return object
}

// problems returns the results that are not OK.
func problems(report *doctor.Report) []doctor.Result {
	var found []doctor.Result
	for _, section := range report.Sections {
		for _, result := range section.Results {
			if result.Status != doctor.OK {
				found = append(found, result)
			}
		}
	}
	return found
}

// codes returns the codes of the problems of a report, and the text of what is skipped.
func codes(report *doctor.Report) []string {
	found := []string{}
	for _, result := range problems(report) {
		if result.Status == doctor.Skipped {
			found = append(found, result.Message)
			continue
		}
		found = append(found, result.Code)
	}
	return found
}

func (w *world) paths() []string { return slices.Sorted(maps.Keys(w.objects)) }
