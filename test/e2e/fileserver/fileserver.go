// Package fileserver serves archives of models over HTTPS, to clients that send the right
// Authorization header. It records the requests.
package fileserver

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// Server serves files of several hosts at one address.
type Server struct {
	// Port is the port of the server.
	Port int

	mu       sync.Mutex
	files    map[string]*File
	requests []Request
}

// File is a file, or a redirect to another URL.
type File struct {
	Content []byte
	// Authorization is the header without which the answer is 401. "": none is required.
	Authorization string
	// Redirect is the URL to which the server redirects an authorized request.
	Redirect string
	// Hold stops an answer after the first half of the content until it is closed. nil:
	// the answer does not stop.
	Hold <-chan struct{}
}

// Request is a request that the server received.
type Request struct {
	Host, Path, Authorization string
	Status                    int
}

// Start serves files on an address until the context is done.
func Start(ctx context.Context, address string, certificate tls.Certificate) (*Server, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		return nil, fmt.Errorf("file server: %w", err)
	}
	s := &Server{Port: listener.Addr().(*net.TCPAddr).Port, files: map[string]*File{}}
	server := &http.Server{
		Handler: s, ReadHeaderTimeout: 10 * time.Second,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12},
	}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	go func() { _ = server.ServeTLS(listener, "", "") }()
	return s, nil
}

// Put adds or replaces a file, and returns its URI.
func (s *Server) Put(host, path string, f File) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[host+path] = &f
	return fmt.Sprintf("https://%s:%d%s", host, s.Port, path)
}

// Requests returns the requests for a file so far.
func (s *Server) Requests(host, path string) []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []Request
	for _, r := range s.requests {
		if r.Host == host && r.Path == path {
			found = append(found, r)
		}
	}
	return found
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host, _, _ := net.SplitHostPort(r.Host)
	request := Request{Host: host, Path: r.URL.Path, Authorization: r.Header.Get("Authorization"), Status: http.StatusOK}
	s.mu.Lock()
	f := s.files[host+r.URL.Path]
	switch {
	case f == nil:
		request.Status = http.StatusNotFound
	case f.Authorization != "" && request.Authorization != f.Authorization:
		request.Status = http.StatusUnauthorized
	case f.Redirect != "":
		request.Status = http.StatusFound
	}
	s.requests = append(s.requests, request)
	s.mu.Unlock()
	switch request.Status {
	case http.StatusOK:
		w.Header().Set("Content-Type", "application/octet-stream")
		content := &held{Reader: bytes.NewReader(f.Content), half: int64(len(f.Content) / 2), released: f.Hold, gone: r.Context().Done()}
		http.ServeContent(w, r, "", time.Time{}, content) // also serves ranges
	case http.StatusFound:
		http.Redirect(w, r, f.Redirect, http.StatusFound)
	default:
		http.Error(w, http.StatusText(request.Status), request.Status)
	}
}

// held is a content whose second half can be read only after a release.
type held struct {
	*bytes.Reader
	half           int64
	released, gone <-chan struct{}
}

// Read implements io.Reader.
func (h *held) Read(buffer []byte) (int, error) {
	at := h.Size() - int64(h.Len())
	if h.released == nil || at < h.half {
		if h.released != nil {
			buffer = buffer[:min(int64(len(buffer)), h.half-at)]
		}
		return h.Reader.Read(buffer)
	}
	select {
	case <-h.released:
		return h.Reader.Read(buffer)
	case <-h.gone:
		return 0, errors.New("the client is gone")
	}
}
