// Package cluster reaches tms-server and the logs of leases through the API server of a
// kubeconfig file.
//
// It forwards connections to pods. The API server's proxy of Services does not serve: it
// takes the Authorization header for its own, so that tms-server would get no token.
package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Cluster is a cluster of a kubeconfig file.
type Cluster struct {
	// Context is the name of the context, and Namespace its namespace, which can be empty.
	Context, Namespace string
	// File is the file of the context, its cluster and its user. It is empty if they are in
	// several files.
	File string

	config *rest.Config
	client *http.Client
	base   *url.URL
}

// Open returns the cluster of a context. The default of the file is that of kubectl, and the
// default of the context is the current context. Open does not call the cluster.
func Open(file, contextName string) (*Cluster, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = file
	raw, err := rules.Load()
	if err != nil {
		return nil, fmt.Errorf("kubeconfig: %w", err)
	}
	if contextName == "" {
		contextName = raw.CurrentContext
	}
	selected := raw.Contexts[contextName]
	switch {
	case contextName == "":
		return nil, errors.New("kubeconfig: no current context is set: set --context, or --kubeconfig to another file")
	case selected == nil:
		return nil, fmt.Errorf("kubeconfig: context %q does not exist: 'kubectl config get-contexts' lists them", contextName)
	}
	config, err := clientcmd.NewNonInteractiveClientConfig(*raw, contextName, nil, rules).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("kubeconfig: context %q: %w", contextName, err)
	}
	// tms-server would see the user of the token, who can have more rights.
	if config.Impersonate.UserName != "" {
		return nil, fmt.Errorf("kubeconfig: context %q: impersonation is not supported: use a token of the user", contextName)
	}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("kubeconfig: context %q: %w", contextName, err)
	}
	base, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, fmt.Errorf("kubeconfig: context %q: %w", contextName, err)
	}
	return &Cluster{
		Context: contextName, Namespace: selected.Namespace, File: fileOf(raw, selected), config: config, client: client, base: base,
	}, nil
}

// fileOf returns the only file with the parts of a context, or "".
func fileOf(raw *clientcmdapi.Config, selected *clientcmdapi.Context) string {
	file := selected.LocationOfOrigin
	if cluster := raw.Clusters[selected.Cluster]; cluster != nil && cluster.LocationOfOrigin != file {
		return ""
	}
	if user := raw.AuthInfos[selected.AuthInfo]; user != nil && user.LocationOfOrigin != file {
		return ""
	}
	return file
}

// Contexts returns the names of the contexts of a file, sorted, and nil if it cannot be read.
func Contexts(file string) []string {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = file
	raw, err := rules.Load()
	if err != nil {
		return nil
	}
	return slices.Sorted(maps.Keys(raw.Contexts))
}

// Error is an error of the API server, or of the connection to it. It wraps no other error,
// because the caller would take that for an error of tms-server.
type Error struct {
	// Status is the status code of HTTP, and 0 if the API server did not respond.
	Status int
	// Message is the message of the API server.
	Message string
}

// Error implements error.
func (e *Error) Error() string { return "the API server: " + e.Message }

// open calls the API server. The caller closes the body of the response.
func (c *Cluster) open(ctx context.Context, query url.Values, path ...string) (io.ReadCloser, error) {
	address := c.base.JoinPath(path...)
	address.RawQuery = query.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return nil, err
	}
	response, err := c.client.Do(request)
	if err != nil {
		return nil, &Error{Message: err.Error()}
	}
	if response.StatusCode == http.StatusOK {
		return response.Body, nil
	}
	defer func() { _ = response.Body.Close() }()
	failure := &Error{Status: response.StatusCode, Message: response.Status}
	var status struct{ Message string }
	if json.NewDecoder(io.LimitReader(response.Body, maxBytes)).Decode(&status) == nil && status.Message != "" {
		failure.Message = status.Message
	}
	return nil, failure
}

// Call calls the API server, and returns the status code and the body of its response. The
// error is an *Error if the API server does not respond, or does not know the user. Call
// implements doctor.API.
func (c *Cluster) Call(ctx context.Context, method, path string, query url.Values, body []byte) (status int, response []byte, err error) {
	address := c.base.JoinPath(path)
	address.RawQuery = query.Encode()
	request, err := http.NewRequestWithContext(ctx, method, address.String(), bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if len(body) > 0 {
		request.Header.Set("Content-Type", "application/json")
	}
	answer, err := c.client.Do(request)
	if err != nil {
		return 0, nil, &Error{Message: err.Error()}
	}
	defer func() { _ = answer.Body.Close() }()
	response, err = io.ReadAll(io.LimitReader(answer.Body, maxBytes))
	if err != nil {
		return 0, nil, &Error{Message: err.Error()}
	}
	// A service behind the proxy can have its own users.
	if answer.StatusCode == http.StatusUnauthorized && !strings.Contains(path, "/proxy/") {
		return 0, nil, &Error{Status: answer.StatusCode, Message: answer.Status}
	}
	return answer.StatusCode, response, nil
}

// maxBytes is the size of the largest object that is read.
const maxBytes = 32 << 20

// get reads an object.
func (c *Cluster) get(ctx context.Context, object any, query url.Values, path ...string) error {
	body, err := c.open(ctx, query, path...)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	if err := json.NewDecoder(io.LimitReader(body, maxBytes)).Decode(object); err != nil {
		return &Error{Message: err.Error()}
	}
	return nil
}
