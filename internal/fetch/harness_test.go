package fetch

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/pem"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// recorder is a TLS server that records its requests.
type recorder struct {
	*httptest.Server
	mutex    sync.Mutex
	requests []*http.Request
}

func serve(t *testing.T, handler http.HandlerFunc) *recorder {
	t.Helper()
	r := new(recorder)
	r.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		r.mutex.Lock()
		r.requests = append(r.requests, request)
		r.mutex.Unlock()
		handler(w, request)
	}))
	r.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	r.StartTLS()
	t.Cleanup(r.Close)
	return r
}

// take returns the requests since the last call.
func (r *recorder) take() []*http.Request {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	requests := r.requests
	r.requests = nil
	return requests
}

// serveFile serves a file with an ETag and ranges.
func serveFile(w http.ResponseWriter, r *http.Request, etag string, content []byte) {
	w.Header().Set("ETag", etag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}

// folderOf returns a folder with the keys of a Secret.
func folderOf(t *testing.T, keys map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	for name, value := range keys {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(value), 0o600))
	}
	return folder
}

// authority returns the certificate of a server in PEM format.
func authority(server *recorder) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
}

// configOf returns a configuration that trusts a server, and sends it a token.
func configOf(t *testing.T, server *recorder, models ...string) Config {
	t.Helper()
	return Config{
		To: t.TempDir(), Models: modelsOf(t, models...),
		Credentials: credentialsOf(t, "127.0.0.1="+folderOf(t, map[string]string{"token": "s3cret", caKey: authority(server)})),
		Retries:     2, RetryDelay: time.Millisecond, StallTimeout: time.Minute, LogInterval: time.Hour,
		Logger: slog.New(slog.DiscardHandler),
	}
}

func modelsOf(t *testing.T, texts ...string) []Model {
	t.Helper()
	var models []Model
	for _, text := range texts {
		model, err := ParseModel(text)
		require.NoError(t, err)
		models = append(models, model)
	}
	return models
}

func credentialsOf(t *testing.T, texts ...string) []Credential {
	t.Helper()
	var credentials []Credential
	for _, text := range texts {
		credential, err := ParseCredential(text)
		require.NoError(t, err)
		credentials = append(credentials, credential)
	}
	return credentials
}

// entry is an entry of an archive. The zero kind is a file, or a folder if the name ends
// with a slash.
type entry struct {
	name, text string // text is the target of a link
	kind       byte   // of tar
	mode       fs.FileMode
}

func file(name, text string) entry { return entry{name: name, text: text} }

// model returns the entries of a small model in a folder, which ends with a slash if it is
// not empty.
func model(folder string) []entry {
	return []entry{file(folder+"config.pbtxt", `backend: "onnxruntime"`), file(folder+"1/model.onnx", strings.Repeat("weights ", 64))}
}

func zipOf(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var text bytes.Buffer
	writer := zip.NewWriter(&text)
	for _, e := range entries {
		header := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
		mode := e.mode
		switch e.kind {
		case 0:
			mode |= 0o644
		case tar.TypeSymlink:
			mode |= fs.ModeSymlink | 0o777
		case tar.TypeChar:
			mode |= fs.ModeDevice | fs.ModeCharDevice
		case tar.TypeFifo:
			mode |= fs.ModeNamedPipe
		default:
			t.Fatalf("zip has no kind %q", e.kind)
		}
		if strings.HasSuffix(e.name, "/") {
			mode |= fs.ModeDir
		}
		header.SetMode(mode)
		content, err := writer.CreateHeader(header)
		require.NoError(t, err)
		_, err = content.Write([]byte(e.text))
		require.NoError(t, err)
	}
	require.NoError(t, writer.Close())
	return text.Bytes()
}

func tarOf(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var text bytes.Buffer
	writer := tar.NewWriter(&text)
	for _, e := range entries {
		header := &tar.Header{Name: e.name, Typeflag: e.kind, Mode: int64(e.mode | 0o644)}
		switch {
		case e.kind == 0 && strings.HasSuffix(e.name, "/"):
			header.Typeflag = tar.TypeDir
		case e.kind == 0:
			header.Typeflag, header.Size = tar.TypeReg, int64(len(e.text))
		default:
			header.Linkname = e.text
		}
		require.NoError(t, writer.WriteHeader(header))
		if header.Typeflag == tar.TypeReg {
			_, err := writer.Write([]byte(e.text))
			require.NoError(t, err)
		}
	}
	require.NoError(t, writer.Close())
	return text.Bytes()
}

func gzipOf(t testing.TB, text []byte) []byte {
	t.Helper()
	var zipped bytes.Buffer
	writer := gzip.NewWriter(&zipped)
	_, err := writer.Write(text)
	require.NoError(t, err)
	require.NoError(t, writer.Close())
	return zipped.Bytes()
}

// tree returns the files of a folder with their content, its links with their targets, and
// its empty folders. Names that begin with .tms-fetch are left out.
func tree(t testing.TB, folder string) map[string]string {
	t.Helper()
	files := map[string]string{}
	require.NoError(t, filepath.WalkDir(folder, func(name string, entry fs.DirEntry, err error) error {
		require.NoError(t, err)
		relative, err := filepath.Rel(folder, name)
		require.NoError(t, err)
		switch {
		case relative == stateFile:
		case entry.Type() == fs.ModeSymlink:
			target, err := os.Readlink(name)
			require.NoError(t, err)
			files[relative] = "-> " + target
		case entry.IsDir():
			if content, err := os.ReadDir(name); err == nil && len(content) == 0 && name != folder {
				files[relative+"/"] = ""
			}
		default:
			text, err := os.ReadFile(name)
			require.NoError(t, err)
			files[relative] = string(text)
		}
		return nil
	}))
	return files
}

// treeOf returns the tree of the files among entries.
func treeOf(entries ...entry) map[string]string {
	files := map[string]string{}
	for _, e := range entries {
		files[e.name] = e.text
	}
	return files
}

// unpackTo unpacks an archive as a model into a new folder, and returns the folder that
// holds only it.
func unpackTo(t testing.TB, archive []byte, name string, limit *quota) (folder, source string, err error) {
	t.Helper()
	outer := t.TempDir()
	folder = filepath.Join(outer, "in")
	require.NoError(t, os.Mkdir(folder, 0o755))
	path := filepath.Join(t.TempDir(), "archive")
	require.NoError(t, os.WriteFile(path, archive, 0o600))
	opened, err := os.Open(path)
	require.NoError(t, err)
	defer func() { _ = opened.Close() }()
	root, err := os.OpenRoot(folder)
	require.NoError(t, err)
	defer func() { _ = root.Close() }()
	if err = unpack(context.Background(), opened, root, limit, new(modelProgress)); err == nil {
		if source, err = findModel(root, name); err == nil {
			err = checkTree(root, source)
		}
	}
	entries, readErr := os.ReadDir(outer)
	require.NoError(t, readErr)
	require.Len(t, entries, 1, "nothing may be written outside of the folder")
	return folder, source, err
}
