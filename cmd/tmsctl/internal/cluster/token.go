package cluster

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"k8s.io/client-go/rest"
)

// ErrNoToken is the error of Token if the user of the kubeconfig file has no token.
var ErrNoToken = errors.New("the user of the kubeconfig has no token, and a client certificate is not sent to tms-server: run 'kubectl create token <serviceaccount> > token', and use --token-file token")

// HasToken reports whether the user of the kubeconfig file can have a token.
func (c *Cluster) HasToken() bool {
	return c.config.BearerToken != "" || c.config.BearerTokenFile != "" || c.config.ExecProvider != nil || c.config.AuthProvider != nil
}

// Token returns the token of the user: that of the kubeconfig file, of its token file, or of
// its credential plugin.
func (c *Cluster) Token(ctx context.Context) (string, error) {
	var header string
	sent := transport(func(request *http.Request) (*http.Response, error) {
		header = request.Header.Get("Authorization")
		return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: request}, nil
	})
	// client-go adds the token to requests. This request is not sent.
	authenticated, err := rest.HTTPWrappersForConfig(c.config, sent)
	if err != nil {
		return "", err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base.String(), nil)
	if err != nil {
		return "", err
	}
	response, err := authenticated.RoundTrip(request)
	if err != nil {
		return "", err
	}
	_ = response.Body.Close()
	token, ok := strings.CutPrefix(header, "Bearer ")
	if !ok {
		return "", ErrNoToken
	}
	return token, nil
}

// transport is a function that implements http.RoundTripper.
type transport func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(request *http.Request) (*http.Response, error) { return t(request) }
