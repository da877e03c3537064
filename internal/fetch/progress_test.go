package fetch

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
}

// syncBuffer is a buffer for several goroutines.
type syncBuffer struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (b *syncBuffer) Write(text []byte) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.text.Write(text)
}

func (b *syncBuffer) String() string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.text.String()
}

// TestProgress checks the progress over HTTP and in the log, before, while and after a model
// is downloaded.
func TestProgress(t *testing.T) {
	t.Parallel()
	archive := zipOf(t, model("a/")...)
	reached, resume := make(chan struct{}), make(chan struct{})
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/a" {
			w.Header().Set("Content-Length", "2000000")
			_, _ = w.Write(make([]byte, 1<<20))
			w.(http.Flusher).Flush()
			close(reached)
			<-resume
			panic(http.ErrAbortHandler)
		}
		serveFile(w, r, `"1"`, archive)
	})
	config := configOf(t, server, "a="+server.URL+"/a", "b="+server.URL+"/b")
	config.Retries = 0
	config.Progress = NewProgress(config.Models)
	var log syncBuffer
	config.Logger, config.LogInterval = slog.New(slog.NewTextHandler(&log, nil)), time.Millisecond
	endpoint := httptest.NewServer(config.Progress)
	t.Cleanup(endpoint.Close)
	ask := func() string {
		response, err := http.Get(endpoint.URL)
		require.NoError(t, err)
		defer func() { _ = response.Body.Close() }()
		require.Equal(t, "application/json", response.Header.Get("Content-Type"))
		text, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		return strings.TrimSpace(string(text))
	}
	const waiting = `{"name":"b","state":"waiting","done":0,"total":0}`
	require.Equal(t, `{"models":[{"name":"a","state":"waiting","done":0,"total":0},`+waiting+`]}`, ask())
	ended := make(chan error, 1)
	go func() { ended <- Run(t.Context(), config) }()
	<-reached
	want := `{"models":[{"name":"a","state":"downloading","done":1048576,"total":2000000},` + waiting + `]}`
	require.Eventually(t, func() bool { return ask() == want }, time.Minute, time.Millisecond)
	require.Eventually(t, func() bool { return strings.Contains(log.String(), `msg="downloading a: 1 of 1.9 MiB" model=a`) }, time.Minute, time.Millisecond)
	close(resume)
	require.ErrorContains(t, <-ended, "(failed 1 times)")

	config.Models, config.Progress = config.Models[1:], NewProgress(config.Models[1:])
	require.NoError(t, Run(t.Context(), config))
	status := config.Progress.model(0).get()
	require.Equal(t, ModelStatus{Name: "b", State: stateDone, Done: int64(len(archive)), Total: int64(len(archive))}, status)

	for path, code := range map[string]int{"/": http.StatusMethodNotAllowed, "/x": http.StatusNotFound} {
		response, err := http.Post(endpoint.URL+path, "", nil)
		require.NoError(t, err)
		_ = response.Body.Close()
		require.Equal(t, code, response.StatusCode)
	}
}

func TestStatusString(t *testing.T) {
	t.Parallel()
	for want, status := range map[string]ModelStatus{
		"downloading a: 3.1 of 12 GiB":  {"a", stateDownloading, 3328599654, 12884901888},
		"downloading a: 0 of 500 bytes": {"a", stateDownloading, 0, 500},
		"downloading a: 0.1 of 2 KiB":   {"a", stateDownloading, 100, 2048},
		"unpacking a: 9.9 of 10 MiB":    {"a", stateUnpacking, 99 << 20 / 10, 10 << 20},
		"downloading a: 1.5 TiB":        {"a", stateDownloading, 3 << 39, 0},
	} {
		require.Equal(t, want, status.String())
	}
}
