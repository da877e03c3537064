package fetch

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Progress follows the models of one call of Run. It serves them as JSON.
type Progress struct{ models []*modelProgress }

// modelProgress is the progress of one model.
type modelProgress struct {
	mutex  sync.Mutex
	status ModelStatus
}

// ModelStatus is how far a model is.
type ModelStatus struct {
	Name string `json:"name"`
	// State is waiting, downloading, unpacking or done.
	State string `json:"state"`
	// Done and Total are bytes of the archive. Total is 0 if it is unknown.
	Done  int64 `json:"done"`
	Total int64 `json:"total"`
}

// The states of a model.
const (
	stateWaiting     = "waiting"
	stateDownloading = "downloading"
	stateUnpacking   = "unpacking"
	stateDone        = "done"
)

// NewProgress returns the progress of models that are all waiting.
func NewProgress(models []Model) *Progress {
	p := new(Progress)
	for _, model := range models {
		p.models = append(p.models, &modelProgress{status: ModelStatus{Name: model.Name, State: stateWaiting}})
	}
	return p
}

func (p *Progress) model(i int) *modelProgress { return p.models[i] }

// ServeHTTP answers GET / with the status of all models.
func (p *Progress) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path != "/":
		http.NotFound(w, r)
		return
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	statuses := make([]ModelStatus, 0, len(p.models))
	for _, model := range p.models {
		statuses = append(statuses, model.get())
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string][]ModelStatus{"models": statuses}) // the client is gone
}

// log logs the models that are in progress once per interval, until stop is called.
func (p *Progress) log(logger *slog.Logger, interval time.Duration) (stop func()) {
	ticker, end, ended := time.NewTicker(interval), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-end:
				return
			case <-ticker.C:
			}
			for _, model := range p.models {
				if status := model.get(); status.State == stateDownloading || status.State == stateUnpacking {
					logger.Info(status.String(), "model", status.Name, "done", status.Done, "total", status.Total)
				}
			}
		}
	}()
	return func() {
		ticker.Stop()
		close(end)
		<-ended
	}
}

func (m *modelProgress) get() ModelStatus {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return m.status
}

// set begins a state.
func (m *modelProgress) set(state string, done, total int64) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.status.State, m.status.Done, m.status.Total = state, done, max(total, 0)
}

// add counts bytes of the archive.
func (m *modelProgress) add(n int) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.status.Done += int64(n)
	if m.status.Total > 0 {
		m.status.Done = min(m.status.Done, m.status.Total) // a zip is not read in order
	}
}

// finish ends the progress of a model.
func (m *modelProgress) finish() {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.status.State, m.status.Done = stateDone, m.status.Total
}

// String returns a text such as "downloading resnet50: 3.1 of 12 GiB".
func (s ModelStatus) String() string {
	unit, name := int64(1), "bytes"
	for _, next := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if max(s.Done, s.Total) < unit<<10 {
			break
		}
		unit, name = unit<<10, next
	}
	text := amount(s.Done, unit)
	if s.Total > 0 {
		text += " of " + amount(s.Total, unit)
	}
	return fmt.Sprintf("%s %s: %s %s", s.State, s.Name, text, name)
}

// amount returns a number of units, with one decimal if it is less than 10.
func amount(bytes, unit int64) string {
	units := float64(bytes) / float64(unit)
	if units >= 9.95 {
		return strconv.FormatFloat(units, 'f', 0, 64)
	}
	return strings.TrimSuffix(strconv.FormatFloat(units, 'f', 1, 64), ".0")
}
