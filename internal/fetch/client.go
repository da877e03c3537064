package fetch

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// maxRedirects is the number of redirects that a download follows.
const maxRedirects = 10

// client sends requests with the credentials of their URIs. A request gets the header of
// the Secret that matches its first URI. Each connection trusts the authorities of the Secret
// that matches its own URI.
type client struct {
	credentials []Credential
	stall       time.Duration
	http        *http.Client

	mutex      sync.Mutex
	transports map[string]*http.Transport // by folder of the Secret; "" without one
}

func newClient(credentials []Credential, stall time.Duration) *client {
	c := &client{credentials: credentials, stall: stall, transports: map[string]*http.Transport{}}
	c.http = &http.Client{Transport: c, CheckRedirect: checkRedirect}
	return c
}

func (c *client) close() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for _, transport := range c.transports {
		transport.CloseIdleConnections()
	}
}

// errRedirect is a redirect that fetch does not follow.
type errRedirect string

func (e errRedirect) Error() string { return string(e) }

// checkRedirect follows redirects to https:// only. The header stays on its host: http.Client
// would also send it to other ports and to subdomains.
func checkRedirect(next *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return errRedirect(fmt.Sprintf("the server redirects more than %d times", maxRedirects))
	}
	if next.URL.Scheme != "https" {
		return errRedirect(fmt.Sprintf("the server redirects to %s://%s: only https:// is allowed", next.URL.Scheme, next.URL.Host))
	}
	first := via[0].URL
	for _, request := range append(via[1:len(via):len(via)], next) { // once it left, it does not come back
		if canonicalHost(request.URL) != canonicalHost(first) || canonicalPort(request.URL) != canonicalPort(first) {
			next.Header.Del("Authorization")
		}
	}
	next.Header.Del("Referer") // the path of a private server, or a signature
	return nil
}

// RoundTrip sends a request over connections that trust the right authorities.
func (c *client) RoundTrip(request *http.Request) (*http.Response, error) {
	transport, err := c.transport(request.URL)
	if err != nil {
		return nil, err
	}
	return transport.RoundTrip(request)
}

func (c *client) transport(u *url.URL) (*http.Transport, error) {
	var folder string
	var own secret
	if credential := match(c.credentials, u); credential != nil {
		var err error
		if own, err = credential.read(); err != nil {
			return nil, permanentError{err}
		}
		if own.roots != nil {
			folder = credential.Folder
		}
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.transports[folder] == nil {
		c.transports[folder] = &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			DialContext:         (&net.Dialer{Timeout: min(30*time.Second, c.stall)}).DialContext,
			TLSClientConfig:     &tls.Config{RootCAs: own.roots, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout: min(30*time.Second, c.stall), ResponseHeaderTimeout: c.stall,
			MaxResponseHeaderBytes: 64 << 10, IdleConnTimeout: time.Minute,
			DisableCompression: true, // a range is one of the file, not of its compressed form
			ForceAttemptHTTP2:  true,
		}
	}
	return c.transports[folder], nil
}

// get sends a GET request. The error has no URI: the query may be a signature.
func (c *client) get(ctx context.Context, u *url.URL, header http.Header) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, permanentError{err}
	}
	request.Header = header
	response, err := c.http.Do(request)
	if err == nil {
		return response, nil
	}
	if wrapped := new(url.Error); errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	var untrusted *tls.CertificateVerificationError
	var redirect errRedirect
	switch {
	case errors.As(err, &untrusted):
		return nil, permanentError{fmt.Errorf("%w: if the server has its own certificate authority, add the key %s to the Secret of its targetUri", err, caKey)}
	case errors.As(err, &redirect):
		return nil, permanentError{err}
	}
	return nil, err
}

// permanentError is an error for which a retry cannot help.
type permanentError struct{ error }

func (e permanentError) Unwrap() error { return e.error }
