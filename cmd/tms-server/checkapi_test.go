package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/grpchealth"
	"github.com/stretchr/testify/require"
)

// runCheckAPI runs check-api with one attempt, unless the flags say otherwise.
func runCheckAPI(t *testing.T, args ...string) error {
	t.Helper()
	root := newRoot()
	root.SetArgs(append([]string{"check-api", "--timeout", "1ms"}, args...))
	return root.ExecuteContext(t.Context())
}

// TestCheckAPI checks the answers of the real health service, and of servers that are not
// the lease API.
func TestCheckAPI(t *testing.T) {
	t.Parallel()
	checker := grpchealth.NewStaticChecker()
	path, health := grpchealth.NewHandler(checker)
	mux := http.NewServeMux()
	mux.Handle(path, health)
	plain, secure := httptest.NewServer(mux), httptest.NewTLSServer(mux)
	t.Cleanup(plain.Close)
	t.Cleanup(secure.Close)
	require.NoError(t, runCheckAPI(t, plain.URL))
	require.NoError(t, runCheckAPI(t, secure.URL))

	// Another server, and one that stops.
	checker.SetStatus("", grpchealth.StatusNotServing)
	require.ErrorContains(t, runCheckAPI(t, plain.URL), `does not serve: its status is not_serving: see kubectl`)
	other := httptest.NewServer(http.NotFoundHandler())
	require.ErrorContains(t, runCheckAPI(t, other.URL), "404 Not Found")
	other.Close()
	require.ErrorContains(t, runCheckAPI(t, other.URL), "connection refused")
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }))
	t.Cleanup(page.Close)
	require.ErrorContains(t, runCheckAPI(t, page.URL), "does not serve: ")

	for _, address := range []string{"tms-server:30345", "localhost", "ftp://tms", "https://", ":"} {
		require.ErrorContains(t, runCheckAPI(t, address), "must be the address of the API", address)
	}
}

// TestCheckAPIWaits checks that the command asks again until the API serves.
func TestCheckAPIWaits(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	_, health := grpchealth.NewHandler(grpchealth.NewStaticChecker())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		health.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	require.NoError(t, runCheckAPI(t, server.URL, "--timeout", "10s"))
	require.Equal(t, int32(2), asked.Load())
}

// TestCheckAPIExpired checks that an expired certificate is an error.
func TestCheckAPIExpired(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1e9, 0)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	_, health := grpchealth.NewHandler(grpchealth.NewStaticChecker())
	server := httptest.NewUnstartedServer(health)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{certificate}, PrivateKey: key}}}
	server.StartTLS()
	t.Cleanup(server.Close)
	require.ErrorContains(t, runCheckAPI(t, server.URL), "its certificate expired at 2001-09-09T")
}
