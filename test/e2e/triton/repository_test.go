package triton

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

const echoConfig = `name: "echo" backend: "python" max_batch_size: 4
input [ { name: "TEXT", data_type: TYPE_STRING, dims: [ -1 ] }, { name: "N", data_type: TYPE_INT32, dims: [ 2 ] } ]
output [ { name: "ECHO", data_type: TYPE_STRING, dims: [ -1 ] } ]
instance_group [ { kind: KIND_CPU } ]`

// write writes the files of a repository, and returns a function that finds it at /models.
func write(t *testing.T, files map[string]string) func(string) (string, bool) {
	t.Helper()
	folder := t.TempDir()
	for name, text := range files {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return func(path string) (string, bool) {
		rest, ok := strings.CutPrefix(path, "/models")
		return filepath.Join(folder, rest), ok
	}
}

func TestRepositories(t *testing.T) {
	const file = "echo/1/model.py"
	for name, c := range map[string]struct {
		files     map[string]string
		arguments string
		loaded    string
		complaint string // "" means none
		unready   bool
	}{
		"loads":                {files: map[string]string{"echo/config.pbtxt": echoConfig, file: ""}, loaded: "echo"},
		"newest version":       {files: map[string]string{"echo/config.pbtxt": echoConfig, "echo/1/other": "", "echo/10/model.py": "", "echo/configs/x": ""}, loaded: "echo"},
		"own file":             {files: map[string]string{"echo/config.pbtxt": echoConfig + ` default_model_filename: "m.py"`, "echo/1/m.py": ""}, loaded: "echo"},
		"name of the folder":   {files: map[string]string{"echo/config.pbtxt": `backend: "python"`, file: ""}, loaded: "echo"},
		"missing":              {complaint: "failed to poll model 'echo': model not found in any model repository.", files: map[string]string{"other/config.pbtxt": ""}},
		"misspelt":             {complaint: `failed to read text proto from /models/echo/config.pbtxt:`, files: map[string]string{"echo/config.pbtxt": `backend: "python" outputs []`, file: ""}},
		"wrong type":           {complaint: `failed to read text proto`, files: map[string]string{"echo/config.pbtxt": `backend: "python" input { data_type: TYPE_TEXT }`, file: ""}},
		"no configuration":     {complaint: "unexpected platform type '' for echo", files: map[string]string{file: ""}},
		"other name":           {complaint: "unexpected directory name 'echo' for model 'ecco'", files: map[string]string{"echo/config.pbtxt": `name: "ecco" backend: "python"`, file: ""}},
		"negative batch":       {complaint: "'max_batch_size' must be non-negative value for echo", files: map[string]string{"echo/config.pbtxt": `backend: "python" max_batch_size: -1`, file: ""}},
		"no version":           {complaint: "at least one version must be available", files: map[string]string{"echo/config.pbtxt": echoConfig}, unready: true},
		"leading zero":         {complaint: "at least one version must be available", files: map[string]string{"echo/config.pbtxt": echoConfig, "echo/01/model.py": ""}, unready: true},
		"no file":              {complaint: "failed to load 'echo' version 1: Internal: model file not found in '/models/echo/1/model.py'", files: map[string]string{"echo/config.pbtxt": echoConfig, "echo/1/mode.py": ""}, unready: true},
		"unknown backend":      {complaint: "unable to find backend library for backend 'pyton'", files: map[string]string{"echo/config.pbtxt": `backend: "pyton"`, file: ""}, unready: true},
		"in another one":       {files: map[string]string{"other/config.pbtxt": ""}, arguments: "--model-repository=s3://b --model-repository=/models --model-control-mode=explicit --load-model=echo", loaded: "echo"},
		"twice":                {files: map[string]string{"a/echo/config.pbtxt": echoConfig, "b/echo/config.pbtxt": echoConfig}, arguments: "--model-repository=/models/a --model-repository=/models/b --model-control-mode=explicit --load-model=echo", complaint: "not unique across all model repositories"},
		"all":                  {files: map[string]string{"echo/config.pbtxt": echoConfig, file: ""}, arguments: "--model-repository=/models --model-control-mode=explicit --load-model=*", loaded: "echo"},
		"all, and a bucket":    {files: map[string]string{"echo/config.pbtxt": echoConfig, file: ""}, arguments: "--model-repository=/models --model-repository=s3://b", loaded: "bert resnet50 echo"},
		"all, with others":     {files: map[string]string{"echo/config.pbtxt": echoConfig, file: "", "..data/x": ""}, arguments: "--model-repository=/models", loaded: "echo", complaint: "Poll failed for model directory '..data'"},
		"a bucket":             {arguments: "--model-repository=s3://b --model-control-mode=explicit --load-model=yolo", loaded: "yolo"},
		"no repository at all": {arguments: "--model-control-mode=explicit --load-model=yolo", loaded: "yolo"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.arguments == "" {
				c.arguments = "--model-repository=/models --model-control-mode=explicit --load-model=echo"
			}
			o, err := parse(strings.Fields(c.arguments), newest)
			if err != nil {
				t.Fatal(err)
			}
			r, err := readRepositories(o, write(t, c.files))
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(r.loaded(), " "); got != c.loaded {
				t.Errorf("loaded %q, want %q", got, c.loaded)
			}
			complaints := strings.Join(r.complaints, "\n")
			if !strings.Contains(complaints, c.complaint) || (c.complaint == "") != (complaints == "") {
				t.Errorf("logs %q, want %q", complaints, c.complaint)
			}
			if polled := c.complaint == "" || c.unready; r.polled != polled || r.ready() == c.unready {
				t.Errorf("polled %v, ready %v", r.polled, r.ready())
			}
		})
	}
	_, err := readRepositories(options{repositories: []string{"/models/absent"}}, write(t, nil))
	if err == nil || err.Error() != "repository path is not a valid directory" {
		t.Errorf("an absent repository: %v", err)
	}
}

// TestConfigMap reads a repository that the kubelet mounts from a ConfigMap, with links to a
// hidden folder. Triton loads a model by its name. With *, it takes the hidden folders for
// models, and does not start, because it skips only "." and "..".
func TestConfigMap(t *testing.T) {
	locate := write(t, map[string]string{"..2026_01_01/echo/config.pbtxt": echoConfig, "..2026_01_01/echo/1/model.py": ""})
	folder, _ := locate("/models")
	for link, target := range map[string]string{"..data": "..2026_01_01", "echo": "..data/echo"} {
		if err := os.Symlink(target, filepath.Join(folder, link)); err != nil {
			t.Fatal(err)
		}
	}
	for name, polled := range map[string]bool{"echo": true, "*": false} {
		o, err := parse(strings.Fields("--model-repository=/models --model-control-mode=explicit --load-model="+name), newest)
		if err != nil {
			t.Fatal(err)
		}
		r, err := readRepositories(o, locate)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(r.loaded(), " "); got != "echo" || r.polled != polled {
			t.Errorf("%s: loaded %q, polled %v: %q", name, got, r.polled, r.complaints)
		}
	}
}

// TestModelEndpoints reads a repository, and calls the endpoints of its models.
func TestModelEndpoints(t *testing.T) {
	o, err := parse(strings.Fields("--model-repository=/models --model-repository=s3://b --model-control-mode=explicit --load-model=echo --load-model=broken --load-model=remote"), newest)
	if err != nil {
		t.Fatal(err)
	}
	read, err := readRepositories(o, write(t, map[string]string{
		"echo/config.pbtxt": echoConfig, "echo/2/model.py": "",
		"broken/config.pbtxt": `backend: "python"`, "broken/1/x": "", "idle/config.pbtxt": "",
	}))
	if err != nil {
		t.Fatal(err)
	}
	f := NewFleet()
	s := newServer("w", &corev1.Pod{}, o, read, time.Now(), 1)
	for _, q := range s.queues {
		q.wake = func(at time.Time) {
			time.AfterFunc(time.Until(at)+time.Millisecond, func() {
				f.mu.Lock()
				defer f.mu.Unlock()
				s.advance(f.now(), f.behavior(s.workload))
			})
		}
	}
	handler := f.httpHandler(s)
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "/v2/health/live", "", 200, ""},
		{"GET", "/v2/health/ready", "", 400, ""}, // broken is not ready
		{"POST", "/v2/repository/index", "", 200, `[{"name":"remote","version":"1","state":"READY"},
			{"name":"broken","version":"1","state":"UNAVAILABLE","reason":"Internal: model file not found in '/models/broken/1/model.py'"},
			{"name":"echo","version":"2","state":"READY"},{"name":"idle"}]`},
		{"POST", "/v2/repository/index", `{"ready":true}`, 200, `[{"name":"remote","version":"1","state":"READY"},{"name":"echo","version":"2","state":"READY"}]`},
		{"POST", "/v2/repository/index", `{"ready":1}`, 400, ""},
		{"GET", "/v2/models/echo/ready", "", 200, ""},
		{"GET", "/v2/models/echo/versions/2/ready", "", 200, ""},
		{"GET", "/v2/models/echo/versions/1/ready", "", 400, ""},
		{"GET", "/v2/models/broken/ready", "", 400, ""},
		{"GET", "/v2/models/echo", "", 200, `{"name":"echo","versions":["2"],"platform":"python",
			"inputs":[{"name":"TEXT","datatype":"BYTES","shape":[-1,-1]},{"name":"N","datatype":"INT32","shape":[-1,2]}],
			"outputs":[{"name":"ECHO","datatype":"BYTES","shape":[-1,-1]}]}`},
		{"GET", "/v2/models/remote", "", 200, `{"name":"remote","versions":["1"],"platform":"","inputs":[],"outputs":[]}`},
		{"GET", "/v2/models/idle", "", 400, `{"error":"request for unknown model: 'idle' is not found"}`},
		{"POST", "/v2/models/echo/infer", inferBody("BYTES", "[1,1]", `["hi"]`), 200,
			`{"model_name":"echo","model_version":"2","outputs":[{"name":"ECHO","datatype":"BYTES","shape":[1,1],"data":["hi"]}]}`},
		{"POST", "/v2/models/echo/versions/2/infer", inferBody("BYTES", "[1,1]", `["hi"]`), 200, ""},
		{"POST", "/v2/models/echo/infer", inferBody("FP32", "[1,1]", `[1]`), 400, `{"error":"inference input 'TEXT' data-type is 'FP32', but model 'echo' expects 'BYTES'"}`},
		{"POST", "/v2/models/echo/infer", inferBody("BYTES", "[1]", `["hi"]`), 400, ""},
		{"POST", "/v2/models/echo/infer", strings.Replace(inferBody("BYTES", "[1,1]", `["hi"]`), "[1,2]", "[1,3]", 1), 400,
			`{"error":"unexpected shape for input 'N' for model 'echo'. Expected [-1 2], got [1 3]"}`},
		{"POST", "/v2/models/echo/infer", `{"inputs":[]}`, 400, `{"error":"expected 2 inputs but got 0 inputs for model 'echo'"}`},
		{"POST", "/v2/models/remote/infer", "{}", 200, `{"model_name":"remote","model_version":"1","outputs":[{"name":"pod","datatype":"BYTES","shape":[1],"data":[""]}]}`},
		{"POST", "/v2/models/idle/infer", "{}", 404, ""},
	} {
		response := httptest.NewRecorder()
		handler.ServeHTTP(response, httptest.NewRequestWithContext(t.Context(), c.method, c.path, strings.NewReader(c.body)))
		if response.Code != c.status || c.want != "" && !equalJSON(t, response.Body.String(), c.want) {
			t.Errorf("%s %s %s: %d %s, want %d %s", c.method, c.path, c.body, response.Code, response.Body, c.status, c.want)
		}
	}
	if !slices.Equal(s.models, []string{"remote", "echo"}) {
		t.Errorf("serves %v", s.models)
	}
	response := httptest.NewRecorder()
	healthy := newServer("w", &corev1.Pod{}, o, &repositories{}, time.Now(), 1)
	f.httpHandler(healthy).ServeHTTP(response, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v2/health/ready", nil))
	if response.Code != http.StatusOK {
		t.Errorf("without broken models: %d", response.Code)
	}
}

func inferBody(datatype, shape, data string) string {
	return `{"inputs":[{"name":"TEXT","datatype":"` + datatype + `","shape":` + shape + `,"data":` + data + `},
		{"name":"N","datatype":"INT32","shape":[1,2],"data":[1,2]}]}`
}

func equalJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var texts []string
	for _, text := range []string{a, b} {
		var parsed any
		if err := json.Unmarshal([]byte(text), &parsed); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		again, _ := json.Marshal(parsed)
		texts = append(texts, string(again))
	}
	return texts[0] == texts[1]
}
