package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	slashpath "path"
	"regexp"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// API calls an API server with the rights of the user.
type API interface {
	// Call returns the status code and the body of a response. The error is that of the
	// connection.
	Call(ctx context.Context, method, path string, query url.Values, body []byte) (status int, response []byte, err error)
}

// client reads objects.
type client struct{ api API }

// statusError is a response of the API server, or of a service behind it, that is not a
// success.
type statusError struct {
	code    int
	message string
}

// Error implements error.
func (e *statusError) Error() string { return fmt.Sprintf("%s (HTTP %d)", e.message, e.code) }

// skipped is the error of a check that the user has no right to, or that the API server
// refuses for another reason.
type skipped struct{ reason string }

// Error implements error.
func (s *skipped) Error() string { return s.reason }

// get reads an object. The error is a *skipped if the user may not read it, or a *statusError.
func (c client) get(ctx context.Context, path string, query url.Values, into any) error {
	return c.call(ctx, http.MethodGet, path, query, nil, into)
}

// list lists the objects of a namespace, or of all namespaces if it is empty.
func (c client) list(ctx context.Context, api, namespace, resource, selector string, into any) error {
	path := api
	if namespace != "" {
		path += "/namespaces/" + namespace
	}
	var query url.Values
	if selector != "" {
		query = url.Values{"labelSelector": {selector}}
	}
	return c.get(ctx, path+"/"+resource, query, into)
}

func (c client) call(ctx context.Context, method, name string, query url.Values, body []byte, into any) error {
	// A name in the cluster must not lead to another path.
	if strings.ContainsAny(name, "%?#") || slashpath.Clean(name) != name {
		return &statusError{http.StatusBadRequest, "a name in the cluster is not valid in the path " + name}
	}
	status, response, err := c.api.Call(ctx, method, name, query, body)
	if err != nil {
		return err
	}
	if status >= http.StatusOK && status < http.StatusMultipleChoices {
		if text, ok := into.(*string); ok {
			*text = string(response)
			return nil
		}
		if err := json.Unmarshal(response, into); err != nil {
			return &statusError{status, "the response is not valid: " + err.Error()}
		}
		return nil
	}
	failure := &statusError{status, messageOf(status, response)}
	if status == http.StatusForbidden {
		return &skipped{rightOf(failure.message)}
	}
	return failure
}

// messageOf returns the message of a response: that of a Status, or its first line.
func messageOf(status int, response []byte) string {
	var answer struct{ Message, Error string }
	if json.Unmarshal(response, &answer) == nil {
		switch {
		case answer.Message != "":
			return answer.Message
		case answer.Error != "":
			return answer.Error
		}
	}
	const maxMessage = 200
	line, _, _ := strings.Cut(strings.TrimSpace(string(response)), "\n")
	if line == "" {
		return http.StatusText(status)
	}
	return line[:min(len(line), maxMessage)]
}

// denied matches the message of the API server for a right that a user lacks.
var denied = regexp.MustCompile(`cannot (\w+) resource "([^"]+)" in API group "([^"]*)"(?: in the namespace "([^"]+)")?`)

// rightOf returns the missing right that a message of the API server names.
func rightOf(message string) string {
	match := denied.FindStringSubmatch(message)
	if match == nil {
		return message
	}
	right := fmt.Sprintf("you may not %s %s", match[1], match[2])
	if match[3] != "" {
		right += "." + match[3]
	}
	if match[4] != "" {
		return right + " in namespace " + match[4]
	}
	return right + " in all namespaces"
}

func isNotFound(err error) bool {
	var failure *statusError
	return errors.As(err, &failure) && failure.code == http.StatusNotFound
}

// refused returns the message of a response that is not a success, and reports whether err is
// one.
func refused(err error) (string, bool) {
	var failure *statusError
	if !errors.As(err, &failure) {
		return "", false
	}
	return failure.Error(), true
}

// resources returns the kinds that the API server serves in a group and version, and no error
// if it serves none.
func (c client) resources(ctx context.Context, groupVersion string) ([]metav1.APIResource, error) {
	root := "/apis/"
	if !strings.Contains(groupVersion, "/") {
		root = "/api/"
	}
	var list metav1.APIResourceList
	err := c.get(ctx, root+groupVersion, nil, &list)
	if isNotFound(err) {
		err = nil
	}
	return list.APIResources, err
}

// resourceOf returns the resource of a kind, and nil if the API server does not serve it.
func (c client) resourceOf(ctx context.Context, groupVersion, kind string) (*metav1.APIResource, error) {
	all, err := c.resources(ctx, groupVersion)
	for i := range all {
		if all[i].Kind == kind && !strings.Contains(all[i].Name, "/") {
			return &all[i], err
		}
	}
	return nil, err
}

// review reports whether the user may create a kind of objects.
func (c client) review(ctx context.Context, group, resource, namespace string) (bool, error) {
	type attributes struct {
		Namespace string `json:"namespace,omitempty"`
		Verb      string `json:"verb"`
		Group     string `json:"group,omitempty"`
		Resource  string `json:"resource"`
	}
	type spec struct {
		ResourceAttributes attributes `json:"resourceAttributes"`
	}
	body, err := json.Marshal(map[string]any{
		"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
		"spec": spec{attributes{namespace, "create", group, resource}},
	})
	if err != nil {
		return false, fmt.Errorf("encode the review: %w", err)
	}
	var answer struct{ Status struct{ Allowed bool } }
	err = c.call(ctx, http.MethodPost, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", nil, body, &answer)
	return answer.Status.Allowed, err
}
