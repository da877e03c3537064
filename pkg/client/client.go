// Package client calls tms-server: it acquires leases of Triton Inference Server,
// looks after them, and says which images they may have.
//
// The messages are those of github.com/triton-leases/tms/api/tms/v1, whose comments
// say what each field means, in which unit.
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

// ErrPlainToken is the error of New where a token would be sent over plain http to
// another machine, so that everybody on the way could read it.
var ErrPlainToken = errors.New("a token is not sent over plain http")

// maxMessage is the most bytes of one answer that are read, so that a server cannot
// fill the memory of its callers. A page of 500 leases is far below that.
const maxMessage = 32 << 20

// Client calls one tms-server. Its methods may be called at the same time. What they
// return as error is an *Error.
type Client struct {
	leases    tmsv1connect.LeaseServiceClient
	allowlist tmsv1connect.AllowlistServiceClient
	http      *http.Client
	userAgent string
	token     TokenSource
	backoff   func(attempt int) time.Duration
	patience  time.Duration
	onRetry   func(err error, wait time.Duration)
}

// New returns a client of the server at an http or https URL. It does not connect:
// the first call does. It speaks gRPC over HTTP/2, without TLS where the URL is of
// http, where no option says otherwise.
//
// The error is ErrPlainToken where the URL is of http, there is a token, and the
// server is neither on this machine nor WithTokenOverHTTP is given; all other errors
// are about the URL, or options that contradict each other or cannot be read.
func New(target string, options ...Option) (*Client, error) {
	base, err := parse(target)
	if err != nil {
		return nil, err
	}
	o := settings{userAgent: "tms-client", backoff: defaultBackoff}
	for _, option := range options {
		option(&o)
	}
	if o.token != nil && base.Scheme == "http" && !o.tokenOverHTTP && !loopback(base.Hostname()) {
		return nil, fmt.Errorf("%w: give %s as https", ErrPlainToken, base.Host)
	}
	httpClient, err := o.httpClient(base.Scheme)
	if err != nil {
		return nil, err
	}
	callOptions := []connect.ClientOption{connect.WithReadMaxBytes(maxMessage)}
	switch o.protocol {
	case GRPC:
		callOptions = append(callOptions, connect.WithGRPC())
	case GRPCWeb:
		callOptions = append(callOptions, connect.WithGRPCWeb())
	}
	return &Client{
		leases:    tmsv1connect.NewLeaseServiceClient(httpClient, base.String(), callOptions...),
		allowlist: tmsv1connect.NewAllowlistServiceClient(httpClient, base.String(), callOptions...),
		http:      httpClient,
		userAgent: o.userAgent, token: o.token,
		backoff: o.backoff, patience: o.patience, onRetry: o.onRetry,
	}, nil
}

// Close closes the connections that no call uses. The client can be used after it.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// parse reads the URL of a server. A password in it is not said again.
func parse(target string) (*url.URL, error) {
	base, err := url.Parse(target)
	switch {
	case err != nil:
		return nil, errors.New("target: not a URL: must be http://<host>[:<port>] or https://<host>[:<port>]")
	case base.User != nil:
		return nil, errors.New("target: a user in the URL has no meaning here: give a token")
	case base.Scheme != "http" && base.Scheme != "https", base.Host == "":
		return nil, fmt.Errorf("target %q: must be http://<host>[:<port>] or https://<host>[:<port>]", target)
	case base.RawQuery != "" || base.Fragment != "":
		return nil, fmt.Errorf("target %q: what follows ? or # has no meaning here", target)
	}
	return base, nil
}

// loopback says whether what is sent to the host stays on this machine.
func loopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// request makes the request of one attempt: the token is asked for each time,
// because it may have become another one since.
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
