package main

import (
	"archive/zip"
	"bytes"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"tms-server": main})
}

// TestScripts runs testdata/script/*.txtar, which document the command.
func TestScripts(t *testing.T) {
	t.Parallel()
	archive := modelArchive(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", RequireUniqueNames: true, RequireExplicitExec: true, UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(env *testscript.Env) error { return serveModels(env, archive) },
		Cmds:  map[string]func(*testscript.TestScript, bool, []string){"waitpart": waitPart},
	})
}

// modelArchive returns a zip archive with a model of 1 MB.
func modelArchive(t *testing.T) []byte {
	t.Helper()
	var text bytes.Buffer
	writer := zip.NewWriter(&text)
	for name, size := range map[string]int{"resnet50/config.pbtxt": 0, "resnet50/1/model.onnx": 1 << 20} {
		content, err := writer.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		require.NoError(t, err)
		_, err = content.Write(make([]byte, size))
		require.NoError(t, err)
	}
	require.NoError(t, writer.Close())
	return text.Bytes()
}

// serveModels serves an archive over TLS to a script, and writes its certificate to
// secret/ca.crt and its requests to requests. With the query hang=N, the first
// two requests get N bytes each, and then nothing.
func serveModels(env *testscript.Env, archive []byte) error {
	var mutex sync.Mutex
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mutex.Lock()
		defer mutex.Unlock()
		if log, err := os.OpenFile(filepath.Join(env.WorkDir, "requests"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err == nil {
			_, _ = fmt.Fprintf(log, "%s %q %q\n", r.URL.Path, r.Header.Get("Authorization"), r.Header.Get("Range"))
			_ = log.Close()
		}
		if r.URL.Path != "/resnet50.zip" || r.Header.Get("Authorization") != "Bearer s3cret" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		w.Header().Set("ETag", `"1"`)
		if left, err := strconv.Atoi(r.FormValue("hang")); err == nil && r.Header.Get("Range") != "bytes="+strconv.Itoa(2*left)+"-" {
			w = &hangingWriter{w, r, left}
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(archive))
	}))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	server.StartTLS()
	env.Defer(server.Close)
	env.Setenv("MODELS", server.URL)
	secret := filepath.Join(env.WorkDir, "secret")
	if err := os.Mkdir(secret, 0o700); err != nil {
		return err
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	return os.WriteFile(filepath.Join(secret, "ca.crt"), certificate, 0o600)
}

// hangingWriter sends a number of bytes, and then waits until the client is gone.
type hangingWriter struct {
	http.ResponseWriter
	request *http.Request
	left    int
}

func (w *hangingWriter) Write(text []byte) (int, error) {
	n, err := w.ResponseWriter.Write(text[:min(len(text), w.left)])
	if w.left -= n; w.left == 0 && err == nil {
		w.ResponseWriter.(http.Flusher).Flush()
		<-w.request.Context().Done()
		return n, w.request.Context().Err()
	}
	return n, err
}

// waitPart waits until fetch has downloaded a number of bytes: waitpart FOLDER N.
func waitPart(script *testscript.TestScript, negated bool, args []string) {
	if negated || len(args) != 2 {
		script.Fatalf("usage: waitpart FOLDER N")
	}
	for range 6000 {
		if parts, _ := filepath.Glob(script.MkAbs(args[0]) + "/.tms/*.part"); len(parts) == 1 {
			if info, err := os.Stat(parts[0]); err == nil && strconv.FormatInt(info.Size(), 10) == args[1] {
				return
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	script.Fatalf("fetch does not download %s bytes", args[1])
}
