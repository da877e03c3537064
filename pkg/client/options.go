package client

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"time"
)

// Option changes how a Client calls.
type Option func(*settings)

type settings struct {
	token         TokenSource
	tokenOverHTTP bool
	caFile        string
	caPool        *x509.CertPool
	skipVerify    bool
	client        *http.Client
	userAgent     string
	protocol      Protocol
	backoff       func(attempt int) time.Duration
	patience      time.Duration
	onRetry       func(err error, wait time.Duration)
}

// Protocol is how calls are put into HTTP.
type Protocol int

// The protocols that tms-server understands, on the same port.
const (
	// GRPC needs HTTP/2 all the way.
	GRPC Protocol = iota
	// GRPCWeb passes proxies that speak HTTP/1.1 only.
	GRPCWeb
	// Connect passes them, too, and people can read it on the wire.
	Connect
)

// WithProtocol has the client speak another protocol than gRPC.
func WithProtocol(protocol Protocol) Option { return func(s *settings) { s.protocol = protocol } }

// WithToken sends a token of Kubernetes with each call.
func WithToken(token string) Option { return WithTokenSource(staticToken(token)) }

// WithTokenFile sends the token that is in a file. It is read with each call, so that
// a token that Kubernetes replaces before its end is followed.
func WithTokenFile(name string) Option { return WithTokenSource(fileToken(name)) }

// WithTokenSource sends the token that a function returns. It is called once for each
// attempt of each call, with the call's context, and by several calls at the same time.
func WithTokenSource(source TokenSource) Option { return func(s *settings) { s.token = source } }

// WithTokenOverHTTP lets the client send its token over plain http to other machines.
// Who sees the traffic can then do all that the token may. It is for networks that
// encrypt on their own, such as a service mesh.
func WithTokenOverHTTP() Option { return func(s *settings) { s.tokenOverHTTP = true } }

// WithCAFile trusts the authorities in a PEM file, and no others, to vouch for the server.
func WithCAFile(name string) Option { return func(s *settings) { s.caFile = name } }

// WithCAPool trusts the authorities of a pool, and no others, to vouch for the server.
func WithCAPool(pool *x509.CertPool) Option { return func(s *settings) { s.caPool = pool } }

// WithInsecureSkipVerify has the client talk, and send its token, to whoever answers.
func WithInsecureSkipVerify() Option { return func(s *settings) { s.skipVerify = true } }

// WithHTTPClient has calls made by another HTTP client, whose own settings of TLS and
// of protocols hold then. Redirects are not followed: a token would go along.
func WithHTTPClient(client *http.Client) Option { return func(s *settings) { s.client = client } }

// WithUserAgent says who calls, such as a program and its version.
func WithUserAgent(userAgent string) Option { return func(s *settings) { s.userAgent = userAgent } }

// WithBackoff says how long Acquire waits before it tries again, where attempt counts
// from 0 and begins anew with each answer. Without it the waits double from 250 ms to
// 10 s, each cut by up to a half at random.
func WithBackoff(wait func(attempt int) time.Duration) Option {
	return func(s *settings) { s.backoff = wait }
}

// WithPatience ends Acquire where it did not reach any server for so long since it was
// called. Without it, it tries until its context ends.
func WithPatience(patience time.Duration) Option {
	return func(s *settings) { s.patience = patience }
}

// WithOnRetry is told, within Acquire, what went wrong before it waits and tries again.
func WithOnRetry(tell func(err error, wait time.Duration)) Option {
	return func(s *settings) { s.onRetry = tell }
}

func defaultBackoff(attempt int) time.Duration {
	wait := 10 * time.Second
	if attempt < 5 {
		wait = 250 * time.Millisecond << attempt
	}
	return wait/2 + rand.N(wait/2)
}

// httpClient returns what makes the calls.
func (s *settings) httpClient(scheme string) (*http.Client, error) {
	if s.client != nil {
		if s.caFile != "" || s.caPool != nil || s.skipVerify {
			return nil, errors.New("an HTTP client of its own has its own settings of TLS: set them there")
		}
		mine := *s.client
		mine.CheckRedirect = noRedirect
		return &mine, nil
	}
	config := &tls.Config{RootCAs: s.caPool, InsecureSkipVerify: s.skipVerify, MinVersion: tls.VersionTLS12}
	if s.caFile != "" {
		if s.caPool != nil {
			return nil, errors.New("authorities are given as a file and as a pool: give one of them")
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
	const connectWithin = 10 * time.Second // of which a machine that is not there does not tell
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: config, Protocols: protocols,
		DialContext:         (&net.Dialer{Timeout: connectWithin}).DialContext,
		TLSHandshakeTimeout: connectWithin, IdleConnTimeout: 90 * time.Second,
		// An acquisition may be silent for minutes. A server that is gone without a word
		// must be noticed all the same.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second},
	}
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func readCAs(name string) (*x509.CertPool, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("authorities: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("authorities: %s: no certificate in it: must be PEM", name)
	}
	return pool, nil
}
