// Package client is a client of tms-server: it acquires and manages leases of Triton
// Inference Server, their names, and the images that they may use.
//
// Package github.com/triton-leases/tms/api/tms/v1 documents the fields of the messages and
// their units.
package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"connectrpc.com/connect"

	"github.com/triton-leases/tms/api/tms/v1/tmsv1connect"
)

// ErrPlainToken is the error of New if a token would be sent to another machine over http,
// readable on the network.
var ErrPlainToken = errors.New("a token is not sent over plain http")

// maxResponseBytes is the size of the largest response that is read, so that a server
// cannot exhaust the memory of its callers. A page of 500 leases is far smaller.
const maxResponseBytes = 32 << 20

// Client is a client of one tms-server. It is safe for concurrent use. The errors of its
// methods are of type *Error.
type Client struct {
	leases         tmsv1connect.LeaseServiceClient
	allowlist      tmsv1connect.AllowlistServiceClient
	names          tmsv1connect.LeaseNameServiceClient
	http           *http.Client
	userAgent      string
	token          TokenSource
	backoff        func(attempt int) time.Duration
	connectTimeout time.Duration
	failFast       bool
	onRetry        func(err error, wait time.Duration)
}

// New returns a client of the server at an http or https URL without a path. It connects with the first
// call. The default protocol is gRPC over HTTP/2; an http URL means no TLS.
//
// The error wraps ErrPlainToken if there is a token, the URL is http, the server is on
// another machine, and WithTokenOverHTTP is not set. Other errors are about the URL,
// conflicting options, and files that cannot be read.
func New(serverURL string, options ...Option) (*Client, error) {
	base, err := parse(serverURL)
	if err != nil {
		return nil, err
	}
	o := settings{userAgent: "tms-client", backoff: defaultBackoff}
	for _, option := range options {
		option(&o)
	}
	if o.token != nil && base.Scheme == "http" && !o.tokenOverHTTP && !loopback(base.Hostname()) {
		return nil, fmt.Errorf("%w: use https://%s", ErrPlainToken, base.Host)
	}
	httpClient, err := o.httpClient(base.Scheme)
	if err != nil {
		return nil, err
	}
	callOptions := []connect.ClientOption{connect.WithReadMaxBytes(maxResponseBytes)}
	switch o.protocol {
	case GRPC:
		callOptions = append(callOptions, connect.WithGRPC())
	case GRPCWeb:
		callOptions = append(callOptions, connect.WithGRPCWeb())
	}
	return &Client{
		leases:    tmsv1connect.NewLeaseServiceClient(httpClient, base.String(), callOptions...),
		allowlist: tmsv1connect.NewAllowlistServiceClient(httpClient, base.String(), callOptions...),
		names:     tmsv1connect.NewLeaseNameServiceClient(httpClient, base.String(), callOptions...),
		http:      httpClient,
		userAgent: o.userAgent, token: o.token,
		backoff: o.backoff, connectTimeout: o.connectTimeout, failFast: o.failFast, onRetry: o.onRetry,
	}, nil
}

// Close closes idle connections. The client can still be used.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// parse parses the URL of a server. Its errors do not repeat a URL that can contain a
// password.
func parse(serverURL string) (*url.URL, error) {
	base, err := url.Parse(serverURL)
	switch {
	case err != nil:
		return nil, errors.New("server URL: must be http://<host>[:<port>] or https://<host>[:<port>]")
	case base.User != nil:
		return nil, errors.New("server URL: must not contain a user: use a token")
	case base.Scheme != "http" && base.Scheme != "https", base.Host == "":
		return nil, fmt.Errorf("server URL %q: must be http://<host>[:<port>] or https://<host>[:<port>]", serverURL)
	case strings.TrimRight(base.Path, "/") != "":
		return nil, fmt.Errorf("server URL %q: must have no path: remove %s", serverURL, base.Path)
	case base.RawQuery != "" || base.Fragment != "":
		return nil, fmt.Errorf("server URL %q: must not contain ? or #", serverURL)
	}
	return base, nil
}

// loopback reports whether a host is this machine.
func loopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// request returns the request of one attempt. It calls the TokenSource each time, because
// tokens are replaced before they expire.
func request[T any](ctx context.Context, c *Client, message *T) (*connect.Request[T], error) {
	r := connect.NewRequest(message)
	r.Header().Set("User-Agent", c.userAgent)
	if c.token == nil {
		return r, nil
	}
	token, err := c.token(ctx)
	if err == nil {
		err = checkToken(token)
	}
	if err != nil {
		return nil, connect.NewError(connect.CodeUnauthenticated, fmt.Errorf("token: %w", err))
	}
	r.Header().Set("Authorization", "Bearer "+token)
	return r, nil
}
