package triton

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
)

// httpHandler returns the handler of the inference protocol: health, models and inference.
func (f *Fleet) httpHandler(s *server) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v2/health/live", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /v2/health/ready", func(w http.ResponseWriter, _ *http.Request) {
		if !s.read.ready() {
			w.WriteHeader(http.StatusBadRequest)
		}
	})
	mux.HandleFunc("POST /v2/repository/index", s.index)
	for _, versioned := range []string{"", "/versions/{version}"} {
		mux.HandleFunc("GET /v2/models/{model}"+versioned, s.metadata)
		mux.HandleFunc("GET /v2/models/{model}"+versioned+"/ready", s.modelReady)
		mux.HandleFunc("POST /v2/models/{model}"+versioned+"/infer", func(w http.ResponseWriter, r *http.Request) { f.serveInfer(w, r, s) })
	}
	return mux
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func refuse(w http.ResponseWriter, status int, format string, args ...any) {
	answer(w, status, map[string]string{"error": fmt.Sprintf(format, args...)})
}

// indexed is a model in the index of the repositories.
type indexed struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	State   string `json:"state,omitempty"`
	Reason  string `json:"reason,omitempty"`
}

// index lists all models of the repositories. Those that are not loaded have only a name.
func (s *server) index(w http.ResponseWriter, r *http.Request) {
	var request struct {
		Ready bool `json:"ready"`
	}
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil && !errors.Is(err, io.EOF) {
		refuse(w, http.StatusBadRequest, "failed to parse the request JSON buffer: %v", err)
		return
	}
	all := []indexed{}
	for _, name := range s.read.assumed {
		all = append(all, indexed{Name: name, Version: "1", State: "READY"})
	}
	for _, name := range s.read.names() {
		m := s.read.models[name]
		switch {
		case m != nil && m.reason == "":
			all = append(all, indexed{Name: name, Version: m.version, State: "READY"})
		case request.Ready:
		case m != nil:
			all = append(all, indexed{Name: name, Version: m.version, State: "UNAVAILABLE", Reason: m.reason})
		default:
			all = append(all, indexed{Name: name})
		}
	}
	answer(w, http.StatusOK, all)
}

// find returns the model of a request, if it is served. A model that was not read from a
// repository has no inputs and outputs.
func (s *server) find(r *http.Request) (*model, error) {
	name, version := r.PathValue("model"), r.PathValue("version")
	if !slices.Contains(s.models, name) {
		return nil, fmt.Errorf("%w: '%s' is not found", errUnknownModel, name)
	}
	m := s.read.models[name]
	if m == nil {
		m = &model{modelConfig: modelConfig{Name: name}, version: "1"}
	}
	if version != "" && version != m.version {
		return nil, fmt.Errorf("%w: '%s' version %s is not found", errUnknownModel, name, version)
	}
	return m, nil
}

func (s *server) modelReady(w http.ResponseWriter, r *http.Request) {
	if _, err := s.find(r); err != nil {
		refuse(w, http.StatusBadRequest, "%v", err)
	}
}

// described is a tensor in the metadata of a model.
type described struct {
	Name     string `json:"name"`
	Datatype string `json:"datatype"`
	Shape    []int  `json:"shape"`
}

func (s *server) metadata(w http.ResponseWriter, r *http.Request) {
	m, err := s.find(r)
	if err != nil {
		refuse(w, http.StatusBadRequest, "%v", err)
		return
	}
	describe := func(tensors []tensor) []described {
		all := []described{}
		for _, t := range tensors {
			all = append(all, described{Name: t.Name, Datatype: t.datatype(), Shape: m.shape(t)})
		}
		return all
	}
	answer(w, http.StatusOK, struct {
		Name     string      `json:"name"`
		Versions []string    `json:"versions"`
		Platform string      `json:"platform"`
		Inputs   []described `json:"inputs"`
		Outputs  []described `json:"outputs"`
	}{m.Name, []string{m.version}, m.Backend, describe(m.Input), describe(m.Output)})
}

// inferTensor is an input or an output of an inference request.
type inferTensor struct {
	described
	Data any `json:"data"`
}

// serveInfer serves an inference request: it waits in the queue of the model, and then
// gets its inputs as outputs. If the files of the model are not simulated, the output is
// the name of the pod.
func (f *Fleet) serveInfer(w http.ResponseWriter, r *http.Request, s *server) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		refuse(w, http.StatusBadRequest, "%v", err)
		return
	}
	m, err := s.find(r)
	if err != nil {
		refuse(w, http.StatusNotFound, "%v", err)
		return
	}
	outputs := []inferTensor{{described{"pod", "BYTES", []int{1}}, []string{s.pod}}}
	if s.read.models[m.Name] != nil {
		if outputs, err = m.echo(body); err != nil {
			refuse(w, http.StatusBadRequest, "%v", err)
			return
		}
	}
	if err := f.infer(r.Context(), s, m.Name); err != nil {
		refuse(w, http.StatusServiceUnavailable, "%v", err)
		return
	}
	answer(w, http.StatusOK, struct {
		Model   string        `json:"model_name"`
		Version string        `json:"model_version"`
		Outputs []inferTensor `json:"outputs"`
	}{m.Name, m.version, outputs})
}

// echo returns the outputs of a request. The first input of the type of an output is
// its value.
func (m *model) echo(body []byte) ([]inferTensor, error) {
	var request struct {
		Inputs []inferTensor `json:"inputs"`
	}
	if err := json.Unmarshal(body, &request); err != nil {
		return nil, fmt.Errorf("failed to parse the request JSON buffer: %w", err)
	}
	if len(request.Inputs) != len(m.Input) {
		return nil, fmt.Errorf("expected %d inputs but got %d inputs for model '%s'", len(m.Input), len(request.Inputs), m.Name)
	}
	for _, in := range request.Inputs {
		i := slices.IndexFunc(m.Input, func(t tensor) bool { return t.Name == in.Name })
		if i < 0 {
			return nil, fmt.Errorf("unexpected inference input '%s' for model '%s'", in.Name, m.Name)
		}
		if want := m.Input[i].datatype(); in.Datatype != want {
			return nil, fmt.Errorf("inference input '%s' data-type is '%s', but model '%s' expects '%s'", in.Name, in.Datatype, m.Name, want)
		}
		if want := m.shape(m.Input[i]); !slices.EqualFunc(in.Shape, want, func(have, want int) bool { return have == want || want == -1 }) {
			return nil, fmt.Errorf("unexpected shape for input '%s' for model '%s'. Expected %v, got %v", in.Name, m.Name, want, in.Shape)
		}
	}
	var outputs []inferTensor
	for _, out := range m.Output {
		i := slices.IndexFunc(request.Inputs, func(in inferTensor) bool { return in.Datatype == out.datatype() })
		if i < 0 {
			return nil, fmt.Errorf("the simulated Triton has no value for the output '%s': no input has the type %s", out.Name, out.datatype())
		}
		echo := request.Inputs[i]
		echo.Name = out.Name
		outputs = append(outputs, echo)
	}
	return outputs, nil
}
