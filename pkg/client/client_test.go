package client_test

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/internal/testing/faketms"
	"github.com/triton-leases/tms/pkg/client"
)

// serve starts a fake server and returns a client of it.
func serve(t *testing.T, options ...client.Option) (*faketms.Server, *client.Client) {
	fake := faketms.New()
	server := fake.Start()
	t.Cleanup(server.Close)
	return fake, newClient(t, server.URL, options...)
}

// newClient returns a client of a server.
func newClient(t *testing.T, serverURL string, options ...client.Option) *client.Client {
	c, err := client.New(serverURL, options...)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func status(t *testing.T, c *client.Client) (*tmsv1.Lease, error) {
	return c.Status(t.Context(), &tmsv1.StatusRequest{Id: "a"})
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	pool := x509.NewCertPool()
	for name, test := range map[string]struct {
		url     string
		options []client.Option
		want    string
	}{
		"no URL":          {"tms:8443", nil, "must be http"},
		"no host":         {"https://", nil, "must be http"},
		"another scheme":  {"ftp://tms", nil, "must be http"},
		"a password":      {"https://me:secret@tms", nil, "use a token"},
		"a broken one":    {"https://me:secret@tms:port", nil, "must be http"},
		"a path":          {"https://tms/api/", nil, "must have no path: remove /api/"},
		"a query":         {"https://tms?x=1", nil, "must not contain ?"},
		"no authority":    {"https://tms", []client.Option{client.WithCAFile("client.go")}, "must contain PEM"},
		"no file":         {"https://tms", []client.Option{client.WithCAFile("nowhere")}, "nowhere"},
		"two of them":     {"https://tms", []client.Option{client.WithCAFile("client.go"), client.WithCAPool(pool)}, "cannot be used together"},
		"a server name":   {"https://tms", []client.Option{client.WithHTTPClient(http.DefaultClient), client.WithTLSServerName("tms")}, "set them in the HTTP client"},
		"a dial function": {"https://tms", []client.Option{client.WithHTTPClient(http.DefaultClient), client.WithDialContext(new(net.Dialer).DialContext)}, "set them in the HTTP client"},
		"TLS of another":  {"https://tms", []client.Option{client.WithHTTPClient(http.DefaultClient), client.WithCAPool(pool)}, "set them in the HTTP client"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := client.New(test.url, test.options...)
			require.ErrorContains(t, err, test.want)
			require.NotContains(t, err.Error(), "secret")
		})
	}
}

// TestTokenOverHTTP checks that a token leaves the machine only over TLS.
func TestTokenOverHTTP(t *testing.T) {
	t.Parallel()
	token := client.WithToken("secret")
	for _, url := range []string{"http://tms", "http://10.0.0.1:8080", "http://localhost.example", "http://127.0.0.1.example"} {
		_, err := client.New(url, token)
		require.ErrorIs(t, err, client.ErrPlainToken, url)
		require.NotContains(t, err.Error(), "secret")
		_, err = client.New(url, token, client.WithTokenOverHTTP())
		require.NoError(t, err, url)
		_, err = client.New(url)
		require.NoError(t, err, url)
	}
	for _, url := range []string{"https://tms", "http://localhost:80", "http://127.0.0.2", "http://[::1]:80"} {
		_, err := client.New(url, token)
		require.NoError(t, err, url)
	}
}

// TestRedirect checks that a redirect does not send the token elsewhere.
func TestRedirect(t *testing.T) {
	t.Parallel()
	fake := faketms.New()
	destination := fake.Start()
	t.Cleanup(destination.Close)
	for name, options := range map[string][]client.Option{
		"default":        nil,
		"WithHTTPClient": {client.WithHTTPClient(&http.Client{})},
	} {
		t.Run(name, func(t *testing.T) {
			redirecting := httptest.NewServer(http.RedirectHandler(destination.URL+"/tms.v1.LeaseService/Status", http.StatusTemporaryRedirect))
			t.Cleanup(redirecting.Close)
			c := newClient(t, redirecting.URL, append(options, client.WithToken("secret"), client.WithProtocol(client.Connect))...)
			_, err := status(t, c)
			require.Error(t, err)
			require.Empty(t, fake.Calls("Status"))
		})
	}
}

func TestProtocols(t *testing.T) {
	t.Parallel()
	fake := faketms.New()
	fake.Put(&tmsv1.Lease{Namespace: "default", Id: "a"})
	plain, secure := fake.Start(), fake.StartTLS()
	t.Cleanup(plain.Close)
	t.Cleanup(secure.Close)
	pool := x509.NewCertPool()
	pool.AddCert(secure.Certificate())
	for protocol, contentType := range map[client.Protocol]string{
		client.GRPC: "application/grpc", client.GRPCWeb: "application/grpc-web+proto", client.Connect: "application/proto",
	} {
		for _, url := range []string{plain.URL, plain.URL + "/", secure.URL} {
			c := newClient(t, url, client.WithProtocol(protocol), client.WithCAPool(pool), client.WithUserAgent("tester/1"))
			lease, err := status(t, c)
			require.NoError(t, err)
			require.Equal(t, "a", lease.Id)
			calls := fake.Calls("Status")
			require.Contains(t, calls[len(calls)-1].Header.Get("Content-Type"), contentType)
			require.Equal(t, "tester/1", calls[len(calls)-1].Header.Get("User-Agent"))
		}
	}
}

// TestHTTP2 checks the HTTP version of each protocol without TLS.
func TestHTTP2(t *testing.T) {
	t.Parallel()
	var versions []int
	fake := faketms.New()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		versions = append(versions, r.ProtoMajor)
		fake.Handler().ServeHTTP(w, r)
	}))
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.Close)
	for _, protocol := range []client.Protocol{client.GRPC, client.GRPCWeb, client.Connect} {
		_, err := status(t, newClient(t, server.URL, client.WithProtocol(protocol)))
		require.Equal(t, connect.CodeNotFound, connect.CodeOf(err))
	}
	require.Equal(t, []int{2, 1, 1}, versions)
}

// TestUntrusted checks that a server without a trusted certificate gets no call and no
// retry.
func TestUntrusted(t *testing.T) {
	t.Parallel()
	fake := faketms.New()
	server := fake.StartTLS()
	t.Cleanup(server.Close)
	c := newClient(t, server.URL, client.WithToken("secret"))
	_, err := status(t, c)
	var failure *client.Error
	require.ErrorAs(t, err, &failure)
	require.True(t, failure.Unreachable())
	require.False(t, failure.Reached)
	var authority x509.UnknownAuthorityError
	require.ErrorAs(t, err, &authority)

	_, err = c.Acquire(t.Context(), nil, nil)
	require.ErrorAs(t, err, &authority)
	require.Empty(t, fake.Calls("Acquire"))

	_, err = status(t, newClient(t, server.URL, client.WithInsecureSkipVerify()))
	require.Equal(t, connect.CodeNotFound, connect.CodeOf(err))
}

// TestTLSServerName checks that the certificate must have the name that is set.
func TestTLSServerName(t *testing.T) {
	t.Parallel()
	server := faketms.New().StartTLS()
	t.Cleanup(server.Close)
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	_, err := status(t, newClient(t, server.URL, client.WithCAPool(pool), client.WithTLSServerName("example.com")))
	require.Equal(t, connect.CodeNotFound, connect.CodeOf(err))
	_, err = status(t, newClient(t, server.URL, client.WithCAPool(pool), client.WithTLSServerName("tms.example.org")))
	var name x509.HostnameError
	require.ErrorAs(t, err, &name)
}

// TestDialContext checks that the function connects to the server.
func TestDialContext(t *testing.T) {
	t.Parallel()
	server := faketms.New().Start()
	t.Cleanup(server.Close)
	c := newClient(t, "http://tms.invalid", client.WithDialContext(func(ctx context.Context, network, address string) (net.Conn, error) {
		require.Equal(t, "tms.invalid:80", address)
		return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
	}))
	_, err := status(t, c)
	require.Equal(t, connect.CodeNotFound, connect.CodeOf(err))
}

func TestTokens(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	fake, c := serve(t, client.WithTokenFile(file))
	sent := func() string {
		calls := fake.Calls("Release")
		return calls[len(calls)-1].Header.Get("Authorization")
	}
	release := func(c *client.Client) error {
		_, err := c.Release(t.Context(), &tmsv1.ReleaseRequest{Id: "a"})
		return err
	}

	// Each call reads the file, because Kubernetes replaces tokens.
	for _, token := range []string{"first", "second"} {
		require.NoError(t, os.WriteFile(file, []byte(token+"\n"), 0o600))
		require.NoError(t, release(c))
		require.Equal(t, "Bearer "+token, sent())
	}
	calls := len(fake.Calls("Release"))

	refused := func(err error) string {
		var failure *client.Error
		require.ErrorAs(t, err, &failure)
		require.Equal(t, connect.CodeUnauthenticated, failure.Code)
		require.Equal(t, "tms.v1.LeaseService/Release", failure.Method)
		return failure.Message
	}
	require.NoError(t, os.WriteFile(file, []byte("\n"), 0o600))
	require.Contains(t, refused(release(c)), "the file is empty")
	require.NoError(t, os.WriteFile(file, []byte("top secret\n"), 0o600))
	require.NotContains(t, refused(release(c)), "secret")
	require.NoError(t, os.Remove(file))
	require.Contains(t, refused(release(c)), "no such file")
	require.Len(t, fake.Calls("Release"), calls, "no call without its token")

	none := errors.New("no token today")
	_, c = serve(t, client.WithTokenSource(func(context.Context) (string, error) { return "", none }))
	require.ErrorIs(t, release(c), none)
	_, err := c.Acquire(t.Context(), nil, nil)
	require.ErrorIs(t, err, none)
}
