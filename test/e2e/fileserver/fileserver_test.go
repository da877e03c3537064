package fileserver

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
)

// TestServer requests files with and without the header.
func TestServer(t *testing.T) {
	s := &Server{files: map[string]*File{}}
	s.Put("models.example.com", "/a.zip", File{Content: []byte("abcd"), Authorization: "Bearer x"})
	s.Put("models.example.com", "/b.zip", File{Redirect: "https://cdn.example.com/b.zip", Authorization: "Bearer x"})
	for _, c := range []struct {
		path, authorization, span string
		status                    int
		body                      string
	}{
		{"/a.zip", "Bearer x", "", http.StatusOK, "abcd"},
		{"/a.zip", "Bearer x", "bytes=2-", http.StatusPartialContent, "cd"},
		{"/a.zip", "Bearer y", "", http.StatusUnauthorized, "Unauthorized\n"},
		{"/b.zip", "", "", http.StatusUnauthorized, "Unauthorized\n"},
		{"/b.zip", "Bearer x", "", http.StatusFound, "<a href=\"https://cdn.example.com/b.zip\">Found</a>.\n\n"},
		{"/c.zip", "Bearer x", "", http.StatusNotFound, "Not Found\n"},
	} {
		r := httptest.NewRequest(http.MethodGet, "https://models.example.com:8443"+c.path, nil)
		if c.authorization != "" {
			r.Header.Set("Authorization", c.authorization)
		}
		if c.span != "" {
			r.Header.Set("Range", c.span)
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != c.status || w.Body.String() != c.body {
			t.Errorf("%s: %d %q, want %d %q", c.path, w.Code, w.Body, c.status, c.body)
		}
	}
	want := []Request{{"models.example.com", "/b.zip", "", http.StatusUnauthorized}, {"models.example.com", "/b.zip", "Bearer x", http.StatusFound}}
	if got := s.Requests("models.example.com", "/b.zip"); !slices.Equal(got, want) {
		t.Errorf("requests: %v, want %v", got, want)
	}
}

// TestHold reads the first half of a file, and the second one after the release.
func TestHold(t *testing.T) {
	content, hold := bytes.Repeat([]byte("ab"), 50_000), make(chan struct{})
	s := &Server{files: map[string]*File{}}
	s.Put("models.example.com", "/a.zip", File{Content: content, Hold: hold})
	server := httptest.NewServer(s)
	defer server.Close()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/a.zip", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = "models.example.com:8443"
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	first := make([]byte, 40_000)
	if _, err := io.ReadFull(response.Body, first); err != nil {
		t.Fatal(err)
	}
	rest := make(chan []byte)
	go func() {
		text, _ := io.ReadAll(response.Body)
		rest <- text
	}()
	select {
	case <-rest:
		t.Fatal("the answer was not held")
	default:
	}
	close(hold)
	if got := append(first, <-rest...); !bytes.Equal(got, content) {
		t.Errorf("got %d bytes, want %d", len(got), len(content))
	}
}
