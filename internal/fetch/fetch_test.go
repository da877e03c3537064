package fetch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// store serves files by path, to callers with the token. Its ETags are the digests.
type store map[string][]byte

func (s store) serve(w http.ResponseWriter, r *http.Request) {
	content, ok := s[r.URL.Path]
	switch {
	case r.Header.Get("Authorization") != "Bearer s3cret":
		w.WriteHeader(http.StatusUnauthorized)
	case !ok:
		http.NotFound(w, r)
	default:
		serveFile(w, r, `"`+digestOf(content)+`"`, content)
	}
}

func digestOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

func TestFetch(t *testing.T) {
	t.Parallel()
	files := store{
		"/a.zip": zipOf(t, model("a/")...), "/b.tar": tarOf(t, model("")...), "/c.tar.gz": gzipOf(t, tarOf(t, model("other/")...)),
		"/all.zip": zipOf(t, append(model("models/x/"), append(model("models/y/"), file("models/.git/x", ""))...)...),
	}
	server := serve(t, files.serve)
	config := configOf(t, server, "a="+server.URL+"/a.zip", "b="+server.URL+"/b.tar", "c="+server.URL+"/c.tar.gz")
	require.NoError(t, Run(t.Context(), config))
	require.Equal(t, treeOf(append(model("a/"), append(model("b/"), model("c/")...)...)...), tree(t, config.To))
	require.Len(t, server.take(), 3)

	// The folder holds no other folder, because Triton would take it for a model.
	entries, err := os.ReadDir(config.To)
	require.NoError(t, err)
	require.Len(t, entries, 4)
	require.Equal(t, stateFile, entries[0].Name())
	require.True(t, entries[0].Type().IsRegular())

	// A repository replaces them.
	config.Models, config.Progress = modelsOf(t, "*="+server.URL+"/all.zip"), nil
	require.NoError(t, Run(t.Context(), config))
	want := treeOf(append(model("x/"), model("y/")...)...)
	require.Equal(t, want, tree(t, config.To))
	server.take()
	require.NoError(t, Run(t.Context(), config))
	require.Equal(t, want, tree(t, config.To))
	require.Equal(t, `"`+digestOf(files["/all.zip"])+`"`, server.take()[0].Header.Get("If-None-Match"))
}

// TestReuse checks what a second call downloads.
func TestReuse(t *testing.T) {
	t.Parallel()
	old, next := zipOf(t, model("a/")...), zipOf(t, append(model("a/"), file("a/labels.txt", "cat"))...)
	for name, c := range map[string]struct {
		first, second string // URIs, without the server
		change        func(t *testing.T, files store, folder string)
		codes         []int // of the requests of the second call
		want          []byte
	}{
		"same ETag":                    {first: "/a", second: "/a", codes: []int{304}, want: old},
		"same digest":                  {first: "/a#sha256=" + digestOf(old), second: "/a#sha256=" + digestOf(old), want: old},
		"digest is no longer given":    {first: "/a#sha256=" + digestOf(old), second: "/a", codes: []int{304}, want: old},
		"digest is now given":          {first: "/a", second: "/a#sha256=" + digestOf(old), codes: []int{200}, want: old},
		"another URI of the same file": {first: "/a", second: "/a?version=2", codes: []int{200}, want: old},
		"another digest": {
			first: "/a#sha256=" + digestOf(old), second: "/a#sha256=" + digestOf(next), codes: []int{200}, want: next,
			change: func(_ *testing.T, files store, _ string) { files["/a"] = next },
		},
		"the file changed": {
			first: "/a", second: "/a", codes: []int{200}, want: next,
			change: func(_ *testing.T, files store, _ string) { files["/a"] = next },
		},
		"the model lost a file": {
			first: "/a", second: "/a", codes: []int{200}, want: old,
			change: func(t *testing.T, _ store, folder string) {
				require.NoError(t, os.Remove(filepath.Join(folder, "a/1/model.onnx")))
			},
		},
		"a file lost its content": {
			first: "/a#sha256=" + digestOf(old), second: "/a#sha256=" + digestOf(old), codes: []int{200}, want: old,
			change: func(t *testing.T, _ store, folder string) {
				require.NoError(t, os.Truncate(filepath.Join(folder, "a/1/model.onnx"), 0))
			},
		},
		"the move was interrupted": {
			first: "/a", second: "/a", codes: []int{200}, want: old,
			change: func(t *testing.T, _ store, folder string) {
				root, err := os.OpenRoot(folder)
				require.NoError(t, err)
				stored, err := readState(root)
				require.NoError(t, err)
				stored.Models["a"].Size = nil
				require.NoError(t, stored.write(root))
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := store{"/a": old}
			var codes []int
			server := serve(t, func(w http.ResponseWriter, r *http.Request) {
				recorded := &codeWriter{ResponseWriter: w, code: 200}
				files.serve(recorded, r)
				codes = append(codes, recorded.code)
			})
			config := configOf(t, server, "a="+server.URL+c.first)
			config.MaxBytes = 4 << 10 // the old model and the new one do not fit together
			require.NoError(t, Run(t.Context(), config))
			codes = nil
			if c.change != nil {
				c.change(t, files, config.To)
			}
			config.Models, config.Progress = modelsOf(t, "a="+server.URL+c.second), nil
			require.NoError(t, Run(t.Context(), config))
			require.Equal(t, c.codes, codes)
			want := treeOf(model("a/")...)
			if string(c.want) == string(next) {
				want["a/labels.txt"] = "cat"
			}
			require.Equal(t, want, tree(t, config.To))
		})
	}
}

type codeWriter struct {
	http.ResponseWriter
	code int
}

func (w *codeWriter) WriteHeader(code int) {
	w.code = code
	w.ResponseWriter.WriteHeader(code)
}

// TestForeign checks that fetch does not touch files that it did not create.
func TestForeign(t *testing.T) {
	t.Parallel()
	server := serve(t, store{"/a": zipOf(t, model("a/")...)}.serve)
	config := configOf(t, server, "a="+server.URL+"/a")
	for _, name := range []string{"a", "mine"} {
		require.NoError(t, os.Mkdir(filepath.Join(config.To, name), 0o755))
	}
	require.ErrorContains(t, Run(t.Context(), config), "a: exists, and is not from tms-server fetch: give --to an empty folder")
	require.NoError(t, os.Remove(filepath.Join(config.To, "a")))
	config.Progress = nil
	require.NoError(t, Run(t.Context(), config))
	want := treeOf(model("a/")...)
	want["mine/"] = ""
	require.Equal(t, want, tree(t, config.To))
}

func TestDigest(t *testing.T) {
	t.Parallel()
	archive, expected := zipOf(t, model("a/")...), digestOf([]byte("other"))
	server := serve(t, store{"/a": archive}.serve)
	config := configOf(t, server, "a="+server.URL+"/a#sha256="+expected)
	require.EqualError(t, Run(t.Context(), config), fmt.Sprintf("a: the SHA-256 digest of the archive differs: expected %s, got %s", expected, digestOf(archive)))
	require.Empty(t, tree(t, filepath.Join(config.To, workFolder)))
	require.Len(t, server.take(), 1)
}

// TestSizeLimit checks that the limits hold for the archives and the files of all models
// together, exactly and one below.
func TestSizeLimit(t *testing.T) {
	t.Parallel()
	a, b := zipOf(t, file("1/m", "12345")), tarOf(t, file("1/m", "123")) // b is the larger archive
	files := store{"/a": a, "/b": b}
	most := int64(len(b)) + 5 + 3 // the archive of b, and both models
	for _, chunked := range []bool{false, true} {
		server := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if chunked {
				_, _ = w.Write(files[r.URL.Path][:1])
				w.(http.Flusher).Flush() // no Content-Length
				_, _ = w.Write(files[r.URL.Path][1:])
				return
			}
			files.serve(w, r)
		})
		config := configOf(t, server, "a="+server.URL+"/a", "b="+server.URL+"/b")
		for _, c := range []struct {
			bytes, files int64
			want         string
		}{
			{most, 4, ""},
			{most - 1, 4, "b: tar archive: \"1/m\": the models need more than "},
			{int64(len(b)) + 5 - 1, 4, "/b: the archive: the models need more than "},
			{most, 3, "b: tar archive: \"1/m\": the models have more than 3 files"},
		} {
			config.To, config.MaxBytes, config.MaxFiles, config.Progress = t.TempDir(), c.bytes, c.files, nil
			err := Run(t.Context(), config)
			if c.want != "" {
				require.ErrorContains(t, err, c.want, "%v", c)
				continue
			}
			require.NoError(t, err)
			config.Progress = nil
			require.NoError(t, Run(t.Context(), config), "a restart needs no more")
		}
	}
}

// TestResume checks that a call continues what an earlier one downloaded.
func TestResume(t *testing.T) {
	t.Parallel()
	archive := tarOf(t, append(model("a/"), file("a/large", string(make([]byte, 1<<20))))...)
	other := tarOf(t, append(model("a/"), file("a/other", string(make([]byte, 1<<20))))...)
	const half = 512 << 10
	for name, c := range map[string]struct {
		etag, next string // of the two answers
		content    []byte // of the second answer
		resumed    bool
	}{
		"same file":    {`"1"`, `"1"`, archive, true},
		"another file": {`"1"`, `"2"`, other, false},
		"weak ETag":    {`W/"1"`, `W/"1"`, archive, false},
		"no ETag":      {"", "", archive, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			part := make(chan string, 1) // the name of the part file
			first := true
			var config Config
			server := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if !first {
					serveFile(w, r, c.next, c.content)
					return
				}
				first = false
				w.Header().Set("ETag", c.etag)
				w.Header().Set("Content-Length", fmt.Sprint(len(archive)))
				_, _ = w.Write(archive[:half])
				w.(http.Flusher).Flush()
				name := <-part
				for info, err := os.Stat(name); err != nil || info.Size() < half; info, err = os.Stat(name) {
					if r.Context().Err() != nil {
						return
					}
				}
				cancel() // as SIGTERM does
				<-r.Context().Done()
			})
			config = configOf(t, server, "a="+server.URL+"/a")
			part <- filepath.Join(config.To, partName(config.Models[0]))
			require.EqualError(t, Run(ctx, config), "a: interrupted: context canceled")
			require.FileExists(t, filepath.Join(config.To, partName(config.Models[0])))
			require.NoDirExists(t, filepath.Join(config.To, "a"))
			server.take()

			config.Progress = nil
			require.NoError(t, Run(t.Context(), config))
			requests := server.take()
			require.Len(t, requests, 1)
			if c.resumed || c.next == `"2"` {
				require.Equal(t, fmt.Sprintf("bytes=%d-", half), requests[0].Header.Get("Range"))
				require.Equal(t, c.etag, requests[0].Header.Get("If-Range"))
			} else {
				require.Empty(t, requests[0].Header.Get("Range"))
			}
			want := maps.Clone(treeOf(append(model("a/"), file("a/large", string(make([]byte, 1<<20))))...))
			if string(c.content) == string(other) {
				want["a/other"] = want["a/large"]
				delete(want, "a/large")
			}
			require.Equal(t, want, tree(t, config.To))
		})
	}
}

// TestResumeUnpacking checks that a complete download is not downloaded again, if fetch ends
// while it unpacks.
func TestResumeUnpacking(t *testing.T) {
	t.Parallel()
	archive := zipOf(t, model("a/")...)
	var sent int
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		recorded := &codeWriter{ResponseWriter: w, code: 200}
		store{"/a": archive}.serve(recorded, r)
		sent = recorded.code
	})
	config := configOf(t, server, "a="+server.URL+"/a")
	root, err := os.OpenRoot(config.To)
	require.NoError(t, err)
	require.NoError(t, root.MkdirAll(filepath.Join(workFolder, "unpack-0", "a"), 0o755))
	require.NoError(t, root.WriteFile(partName(config.Models[0]), archive, 0o600))
	require.NoError(t, writeJSON(root, validatorsName(config.Models[0]), validators{ETag: `"` + digestOf(archive) + `"`}))
	require.NoError(t, Run(t.Context(), config))
	require.Equal(t, http.StatusRequestedRangeNotSatisfiable, sent)
	require.Equal(t, treeOf(model("a/")...), tree(t, config.To))
}
