package client_test

import (
	"context"
	"crypto/x509"
	"errors"
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

// serve starts a fake and returns a client of it.
func serve(t *testing.T, options ...client.Option) (*faketms.Server, *client.Client) {
	fake := faketms.New()
	server := fake.Start()
	t.Cleanup(server.Close)
	return fake, connected(t, server.URL, options...)
}

func connected(t *testing.T, target string, options ...client.Option) *client.Client {
	c, err := client.New(target, options...)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func status(t *testing.T, c *client.Client) (*tmsv1.Lease, error) {
	return c.Status(t.Context(), &tmsv1.StatusRequest{Id: "a"})
}

func TestNewRefuses(t *testing.T) {
	pool := x509.NewCertPool()
	for name, test := range map[string]struct {
		target  string
		options []client.Option
		want    string
	}{
		"no URL":         {"tms:8443", nil, "must be http"},
		"no host":        {"https://", nil, "must be http"},
		"another scheme": {"ftp://tms", nil, "must be http"},
		"a password":     {"https://me:secret@tms", nil, "give a token"},
		"a broken one":   {"https://me:secret@tms:port", nil, "not a URL"},
		"a query":        {"https://tms?x=1", nil, "what follows ?"},
		"no authority":   {"https://tms", []client.Option{client.WithCAFile("client.go")}, "must be PEM"},
		"no file":        {"https://tms", []client.Option{client.WithCAFile("nowhere")}, "nowhere"},
		"two of them":    {"https://tms", []client.Option{client.WithCAFile("client.go"), client.WithCAPool(pool)}, "give one of them"},
		"TLS of another": {"https://tms", []client.Option{client.WithHTTPClient(http.DefaultClient), client.WithCAPool(pool)}, "set them there"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := client.New(test.target, test.options...)
			require.ErrorContains(t, err, test.want)
			require.NotContains(t, err.Error(), "secret")
		})
	}
}

// TestTokenOverHTTP: a token leaves the machine over TLS only.
func TestTokenOverHTTP(t *testing.T) {
	token := client.WithToken("secret")
	for _, target := range []string{"http://tms", "http://10.0.0.1:8080", "http://localhost.example", "http://127.0.0.1.example"} {
		_, err := client.New(target, token)
		require.ErrorIs(t, err, client.ErrPlainToken, target)
		require.NotContains(t, err.Error(), "secret")
		_, err = client.New(target, token, client.WithTokenOverHTTP())
		require.NoError(t, err, target)
		_, err = client.New(target)
		require.NoError(t, err, target)
	}
	for _, target := range []string{"https://tms", "http://localhost:80", "http://127.0.0.2", "http://[::1]:80"} {
		_, err := client.New(target, token)
		require.NoError(t, err, target)
	}
}

// TestRedirect: a server cannot send the token elsewhere.
func TestRedirect(t *testing.T) {
	fake := faketms.New()
	there := fake.Start()
	t.Cleanup(there.Close)
	for name, options := range map[string][]client.Option{
		"ours":  nil,
		"given": {client.WithHTTPClient(&http.Client{})},
	} {
		t.Run(name, func(t *testing.T) {
			here := httptest.NewServer(http.RedirectHandler(there.URL+"/tms.v1.LeaseService/Status", http.StatusTemporaryRedirect))
			t.Cleanup(here.Close)
			c := connected(t, here.URL, append(options, client.WithToken("secret"), client.WithProtocol(client.Connect))...)
			_, err := status(t, c)
			require.Error(t, err)
			require.Empty(t, fake.Calls("Status"))
		})
	}
}

func TestProtocols(t *testing.T) {
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
		for _, target := range []string{plain.URL, plain.URL + "/", secure.URL} {
			c := connected(t, target, client.WithProtocol(protocol), client.WithCAPool(pool), client.WithUserAgent("tester/1"))
			lease, err := status(t, c)
			require.NoError(t, err)
			require.Equal(t, "a", lease.Id)
			calls := fake.Calls("Status")
			require.Contains(t, calls[len(calls)-1].Header.Get("Content-Type"), contentType)
			require.Equal(t, "tester/1", calls[len(calls)-1].Header.Get("User-Agent"))
		}
	}
}

// TestHTTP2: gRPC needs it, also without TLS, and proxies that do not let it through
// must not be found out in the middle of a call.
func TestHTTP2(t *testing.T) {
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
		_, err := status(t, connected(t, server.URL, client.WithProtocol(protocol)))
		require.Equal(t, connect.CodeNotFound, connect.CodeOf(err))
	}
	require.Equal(t, []int{2, 1, 1}, versions)
}

// TestUntrusted: who cannot prove to be the server gets no call, and is not asked again.
func TestUntrusted(t *testing.T) {
	fake := faketms.New()
	server := fake.StartTLS()
	t.Cleanup(server.Close)
	c := connected(t, server.URL, client.WithToken("secret"))
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

	_, err = status(t, connected(t, server.URL, client.WithInsecureSkipVerify()))
	require.Equal(t, connect.CodeNotFound, connect.CodeOf(err))
}

func TestTokens(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	fake, c := serve(t, client.WithTokenFile(file))
	sent := func() string {
		calls := fake.Calls("Release")
		return calls[len(calls)-1].Header.Get("Authorization")
	}
	release := func(c *client.Client) error { return c.Release(t.Context(), &tmsv1.ReleaseRequest{Id: "a"}) }

	// Each call reads the file: Kubernetes replaces tokens before their end.
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
	require.Contains(t, refused(release(c)), "is empty")
	require.NoError(t, os.WriteFile(file, []byte("top secret\n"), 0o600))
	require.NotContains(t, refused(release(c)), "secret")
	require.NoError(t, os.Remove(file))
	require.Contains(t, refused(release(c)), "no such file")
	require.Len(t, fake.Calls("Release"), calls, "a call without its token")

	none := errors.New("no token today")
	_, c = serve(t, client.WithTokenSource(func(context.Context) (string, error) { return "", none }))
	require.ErrorIs(t, release(c), none)
	_, err := c.Acquire(t.Context(), nil, nil)
	require.ErrorIs(t, err, none)
}
