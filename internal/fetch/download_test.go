package fetch

import (
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestRetry checks that a download survives a bad server and a bad network.
func TestRetry(t *testing.T) {
	t.Parallel()
	archive := zipOf(t, model("a/")...)
	answer := func(code int, headers ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(headers); i += 2 {
				w.Header().Set(headers[i], headers[i+1])
			}
			w.WriteHeader(code)
		}
	}
	piece := func(n int, end func(r *http.Request)) http.HandlerFunc { // n more bytes
		return func(w http.ResponseWriter, r *http.Request) {
			start := 0
			if value := r.Header.Get("Range"); value != "" {
				start, _ = strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(value, "bytes="), "-"))
				w.Header().Set("Content-Range", "bytes "+strconv.Itoa(start)+"-"+strconv.Itoa(len(archive)-1)+"/"+strconv.Itoa(len(archive)))
			}
			w.Header().Set("ETag", `"1"`)
			w.Header().Set("Content-Length", strconv.Itoa(len(archive)-start))
			if start > 0 {
				w.WriteHeader(http.StatusPartialContent)
			}
			_, _ = w.Write(archive[start : start+n])
			w.(http.Flusher).Flush()
			end(r)
		}
	}
	abort := func(*http.Request) { panic(http.ErrAbortHandler) }
	hang := func(r *http.Request) { <-r.Context().Done() }
	for name, c := range map[string]struct {
		answers []http.HandlerFunc // the last one serves the archive
		want    string
	}{
		"503, 429 and 408":         {[]http.HandlerFunc{answer(503), answer(429, "Retry-After", "0")}, ""},
		"timeout":                  {[]http.HandlerFunc{answer(408), answer(500)}, ""},
		"too many":                 {[]http.HandlerFunc{answer(503), answer(502), answer(503)}, "/a: the server answers 503 Service Unavailable (failed 3 times)"},
		"broken connections":       {[]http.HandlerFunc{abortAll, abortAll}, ""},
		"each attempt brings data": {[]http.HandlerFunc{piece(50, abort), piece(50, abort), piece(50, abort), piece(50, abort), piece(50, abort)}, ""},
		"a server that hangs":      {[]http.HandlerFunc{piece(50, hang), piece(0, hang)}, ""},
		"a range of another place": {[]http.HandlerFunc{piece(50, abort), answer(206, "Content-Range", "bytes 10-20/30")}, ""},
		"a range that is refused":  {[]http.HandlerFunc{piece(50, abort), answer(416, "Content-Range", "bytes */30")}, ""},
		"not modified at random":   {[]http.HandlerFunc{answer(304)}, "the server answers 304 Not Modified"},
		"gone":                     {[]http.HandlerFunc{answer(410)}, "the server answers 410 Gone"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var n int
			server := serve(t, func(w http.ResponseWriter, r *http.Request) {
				n++
				if n <= len(c.answers) {
					c.answers[n-1](w, r)
					return
				}
				serveFile(w, r, `"1"`, archive)
			})
			config := configOf(t, server, "a="+server.URL+"/a")
			if strings.Contains(name, "hangs") {
				config.StallTimeout = 200 * time.Millisecond
			}
			err := Run(t.Context(), config)
			if c.want != "" {
				require.ErrorContains(t, err, c.want)
				require.Equal(t, len(c.answers), n)
				return
			}
			require.NoError(t, err)
			require.Equal(t, len(c.answers)+1, n)
			require.Equal(t, treeOf(model("a/")...), tree(t, config.To))
		})
	}
}

func abortAll(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// TestRefused checks that an answer that no retry changes is an error at once, and that it
// says which Secret was used.
func TestRefused(t *testing.T) {
	t.Parallel()
	for _, code := range []int{401, 403, 404} {
		server := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
		config := configOf(t, server, "a="+server.URL+"/a?sig=s3cret")
		ca := config.Credentials[0]
		noKey := folderOf(t, map[string]string{caKey: authority(server)})
		for credential, want := range map[string]string{
			"127.0.0.1=" + ca.Folder: "fetch sent the Authorization header of the Secret of targetUri 127.0.0.1: check the URI, the Secret",
			"127.0.0.1=" + noKey:     "the Secret of targetUri 127.0.0.1 is missing in the namespace of the lease, or has no usable key",
		} {
			config.Credentials, config.Progress = credentialsOf(t, credential), nil
			err := Run(t.Context(), config)
			require.ErrorContains(t, err, "a: "+server.URL+"/a: the server answers "+strconv.Itoa(code))
			require.ErrorContains(t, err, want)
			require.NotContains(t, err.Error(), "s3cret")
			require.Len(t, server.take(), 1)
		}
	}
	require.Contains(t, hint(nil, secret{}), "no targetUri matches")
}

// TestUntrusted checks that TLS is always verified.
func TestUntrusted(t *testing.T) {
	t.Parallel()
	server := serve(t, store{}.serve)
	config := configOf(t, server, "a="+server.URL+"/a?sig=s3cret")
	config.Credentials = credentialsOf(t, "127.0.0.1="+folderOf(t, map[string]string{"token": "s3cret"}), "other.example="+config.Credentials[0].Folder)
	err := Run(t.Context(), config)
	require.ErrorContains(t, err, "certificate signed by unknown authority: if the server has its own certificate authority, add the key ca.crt")
	require.NotContains(t, err.Error(), "s3cret")
	require.Empty(t, server.take())

	config.Credentials, config.Progress = credentialsOf(t, "127.0.0.1="+folderOf(t, map[string]string{caKey: "x"})), nil
	require.ErrorContains(t, Run(t.Context(), config), "the key ca.crt holds no certificate")
}

func TestRedirect(t *testing.T) {
	t.Parallel()
	archive := zipOf(t, model("a/")...)
	other := serve(t, func(w http.ResponseWriter, r *http.Request) { serveFile(w, r, `"1"`, archive) })
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		step, err := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/"))
		switch {
		case err == nil && step > 1:
			http.Redirect(w, r, "/"+strconv.Itoa(step-1), http.StatusFound)
		case r.URL.Path == "/plain":
			http.Redirect(w, r, "http://"+r.Host+"/a", http.StatusFound)
		default:
			http.Redirect(w, r, other.URL+"/b?sig=x", http.StatusTemporaryRedirect)
		}
	})
	run := func(path string) error { return Run(t.Context(), configOf(t, server, "a="+server.URL+path)) }

	require.NoError(t, run("/10"))
	requests := server.take()
	require.Len(t, requests, 10)
	for _, request := range requests {
		require.Equal(t, "Bearer s3cret", request.Header.Get("Authorization"))
	}
	requests = other.take()
	require.Len(t, requests, 1)
	require.Empty(t, requests[0].Header.Get("Authorization"))
	require.Empty(t, requests[0].Header.Get("Referer"))

	require.ErrorContains(t, run("/11"), "the server redirects more than 10 times")
	require.Empty(t, other.take())
	server.take()
	require.ErrorContains(t, run("/plain"), "the server redirects to http://"+strings.TrimPrefix(server.URL, "https://")+": only https:// is allowed")
	require.Len(t, server.take(), 1)

	other.Config.Handler = http.NotFoundHandler()
	require.ErrorContains(t, run("/1"), "/1: redirected to "+strings.TrimPrefix(other.URL, "https://")+": the server answers 404 Not Found")
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	require.Equal(t, 7*time.Second, retryAfter("7"))
	require.Positive(t, retryAfter(time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)))
	for _, value := range []string{"", "-1", "x", "Mon, 02 Jan 2006 15:04:05 GMT", "99999999999999999999"} {
		require.Zero(t, retryAfter(value), value)
	}
}

func TestContentRange(t *testing.T) {
	t.Parallel()
	for value, want := range map[string][2]int64{
		"bytes 5-9/10": {5, 10}, "bytes 5-9/*": {5, -1}, "bytes */10": {-1, 10}, "": {-1, -1}, "x": {-1, -1},
	} {
		first, total := contentRange(value)
		require.Equal(t, want, [2]int64{first, total}, value)
	}
}

// TestBrokenState checks that a damaged state file is an error that says what to do.
func TestBrokenState(t *testing.T) {
	t.Parallel()
	server := serve(t, store{}.serve)
	config := configOf(t, server, "a="+server.URL+"/a")
	writeFile(t, filepath.Join(config.To, stateFile), "{")
	require.ErrorContains(t, Run(t.Context(), config), stateFile+": unexpected end of JSON input: empty the folder of the models")
	require.Empty(t, server.take())
}

// TestChangedAndBroken checks that a retry does not ask whether the old model changed, when
// fetch has removed it for the new one.
func TestChangedAndBroken(t *testing.T) {
	t.Parallel()
	archive := zipOf(t, model("a/")...)
	var n int
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if n++; n != 2 {
			serveFile(w, r, `W/"1"`, archive)
			return
		}
		w.Header().Set("ETag", `W/"2"`)
		_, _ = w.Write(archive[:50])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	config := configOf(t, server, "a="+server.URL+"/a")
	require.NoError(t, Run(t.Context(), config))
	config.Progress = nil
	require.NoError(t, Run(t.Context(), config))
	requests := server.take()
	require.Len(t, requests, 3)
	require.Equal(t, `W/"1"`, requests[1].Header.Get("If-None-Match"))
	require.Empty(t, requests[2].Header.Get("If-None-Match"))
	require.Equal(t, treeOf(model("a/")...), tree(t, config.To))
}
