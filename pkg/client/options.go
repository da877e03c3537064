package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"time"

	"github.com/triton-leases/tms/internal/limitread"
)

// Option configures a Client.
type Option func(*settings)

type settings struct {
	token          TokenSource
	tokenOverHTTP  bool
	caFile         string
	caPool         *x509.CertPool
	skipVerify     bool
	serverName     string
	dial           func(ctx context.Context, network, address string) (net.Conn, error)
	client         *http.Client
	userAgent      string
	protocol       Protocol
	backoff        func(attempt int) time.Duration
	connectTimeout time.Duration
	failFast       bool
	onRetry        func(err error, wait time.Duration)
}

// Protocol is the protocol of calls over HTTP.
type Protocol int

// The protocols of tms-server. All use the same port.
const (
	// GRPC needs HTTP/2 on the whole path, including proxies.
	GRPC Protocol = iota
	// GRPCWeb also works through proxies with HTTP/1.1.
	GRPCWeb
	// Connect also works through proxies with HTTP/1.1, and has readable errors.
	Connect
)

// WithProtocol sets the protocol. The default is GRPC.
func WithProtocol(protocol Protocol) Option { return func(s *settings) { s.protocol = protocol } }

// WithToken sends a Kubernetes token with each call.
func WithToken(token string) Option { return WithTokenSource(staticToken(token)) }

// WithTokenFile sends the token in a file. It reads the file for each call, because
// Kubernetes replaces the tokens of pods before they expire.
func WithTokenFile(name string) Option { return WithTokenSource(fileToken(name)) }

// WithTokenSource sends the token that a function returns. The function is called for each
// attempt with the context of the call, and must be safe for concurrent use.
func WithTokenSource(source TokenSource) Option { return func(s *settings) { s.token = source } }

// WithTokenOverHTTP lets the client send its token to other machines over http. An
// attacker in the network can then read it. It is for networks that encrypt traffic themselves, such as a service mesh.
func WithTokenOverHTTP() Option { return func(s *settings) { s.tokenOverHTTP = true } }

// WithCAFile trusts only the certificate authorities in a PEM file.
func WithCAFile(name string) Option { return func(s *settings) { s.caFile = name } }

// WithCAPool trusts only the certificate authorities of a pool.
func WithCAPool(pool *x509.CertPool) Option { return func(s *settings) { s.caPool = pool } }

// WithInsecureSkipVerify disables the check of the server's certificate. An attacker in the
// network can then read the token.
func WithInsecureSkipVerify() Option { return func(s *settings) { s.skipVerify = true } }

// WithTLSServerName sets the name that the certificate of the server must have. The default
// is the host of the server URL.
func WithTLSServerName(name string) Option { return func(s *settings) { s.serverName = name } }

// WithDialContext sets the function that connects to the server. Its context has no values.
// No HTTP proxy is used.
func WithDialContext(dial func(ctx context.Context, network, address string) (net.Conn, error)) Option {
	return func(s *settings) {
		s.dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			return dial(withoutValues{ctx}, network, address)
		}
	}
}

// withoutValues is a context without values, so that a request of a dial function is not
// traced as that of Acquire.
type withoutValues struct{ context.Context }

// Value implements context.Context.
func (withoutValues) Value(any) any { return nil }

// WithHTTPClient sets the HTTP client, with its settings of TLS and HTTP versions. The
// Client does not follow redirects, which would send the token elsewhere.
func WithHTTPClient(client *http.Client) Option { return func(s *settings) { s.client = client } }

// WithUserAgent sets the User-Agent header, such as a program and its version.
func WithUserAgent(userAgent string) Option { return func(s *settings) { s.userAgent = userAgent } }

// WithBackoff sets how long Acquire waits before a retry. The attempt is 0 for the first
// retry after a response. The default doubles from 250 ms to 10 s, and subtracts up to a
// half at random.
func WithBackoff(wait func(attempt int) time.Duration) Option {
	return func(s *settings) { s.backoff = wait }
}

// WithFailFast makes Acquire fail at once if it cannot connect: the host is unknown, or the
// connection is refused or times out. It retries if a connection broke, or once a server
// responded. If a connection of WithDialContext broke in the TLS handshake, it retries once. The default is to retry until the context ends.
func WithFailFast() Option { return func(s *settings) { s.failFast = true } }

// WithConnectTimeout makes Acquire fail if no server responded to it within a time. The
// default is to retry until the context ends.
func WithConnectTimeout(timeout time.Duration) Option {
	return func(s *settings) { s.connectTimeout = timeout }
}

// WithOnRetry sets a function that Acquire calls before it waits for a retry, with the
// error of the last attempt.
func WithOnRetry(onRetry func(err error, wait time.Duration)) Option {
	return func(s *settings) { s.onRetry = onRetry }
}

func defaultBackoff(attempt int) time.Duration {
	wait := 10 * time.Second
	if attempt < 5 {
		wait = 250 * time.Millisecond << attempt
	}
	return wait/2 + rand.N(wait/2)
}

// httpClient returns the HTTP client for a scheme.
func (s *settings) httpClient(scheme string) (*http.Client, error) {
	if s.client != nil {
		if s.caFile != "" || s.caPool != nil || s.skipVerify || s.serverName != "" || s.dial != nil {
			return nil, errors.New("TLS options and WithDialContext cannot be used with WithHTTPClient: set them in the HTTP client")
		}
		clone := *s.client
		clone.CheckRedirect = noRedirect
		return &clone, nil
	}
	config := &tls.Config{RootCAs: s.caPool, ServerName: s.serverName, InsecureSkipVerify: s.skipVerify, MinVersion: tls.VersionTLS12}
	if s.caFile != "" {
		if s.caPool != nil {
			return nil, errors.New("WithCAFile and WithCAPool cannot be used together")
		}
		var err error
		if config.RootCAs, err = readCAs(s.caFile); err != nil {
			return nil, err
		}
	}
	return &http.Client{Transport: s.transport(scheme, config), CheckRedirect: noRedirect}, nil
}

func (s *settings) transport(scheme string, config *tls.Config) *http.Transport {
	protocols := new(http.Protocols)
	switch {
	case s.protocol == GRPC && scheme == "http":
		protocols.SetUnencryptedHTTP2(true)
	case s.protocol == GRPC:
		protocols.SetHTTP2(true)
	default:
		protocols.SetHTTP1(true)
		protocols.SetHTTP2(true)
	}
	const dialTimeout = 10 * time.Second // the system's is minutes
	proxy, dial := http.ProxyFromEnvironment, s.dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: dialTimeout}).DialContext
	} else {
		proxy = nil
	}
	return &http.Transport{
		Proxy: proxy, TLSClientConfig: config, Protocols: protocols,
		DialContext:         dial,
		TLSHandshakeTimeout: dialTimeout, IdleConnTimeout: 90 * time.Second,
		// An Acquire can be idle for minutes. Pings find connections that broke silently.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second},
	}
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func readCAs(name string) (*x509.CertPool, error) {
	text, err := limitread.File(name, limitread.Config)
	if err != nil {
		return nil, fmt.Errorf("CA file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("CA file %s: must contain PEM certificates", name)
	}
	return pool, nil
}
