package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/triton-leases/tms/internal/controller"
)

// stuckAPIServer is an API server that serves leader election, and never answers requests
// for ConfigMaps.
type stuckAPIServer struct {
	*httptest.Server
	changed chan struct{}

	lock     sync.Mutex
	lease    *coordinationv1.Lease
	renewals int
	// elections and others are the addresses of the connections, and waiting is the number
	// of requests without an answer.
	elections, others map[string]bool
	waiting           int
}

func newStuckAPIServer(t *testing.T) *stuckAPIServer {
	t.Helper()
	s := &stuckAPIServer{changed: make(chan struct{}, 1), elections: map[string]bool{}, others: map[string]bool{}}
	stop := make(chan struct{})
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/apis/coordination.k8s.io/") {
			s.serveLease(w, r)
			return
		}
		if !strings.HasSuffix(r.URL.Path, "/configmaps") { // discovery
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"kind":"APIGroupList","apiVersion":"v1"}`))
			return
		}
		s.update(func() { s.others[r.RemoteAddr], s.waiting = true, s.waiting+1 })
		<-stop
	}))
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(func() {
		close(stop)
		s.Close()
	})
	return s
}

func (s *stuckAPIServer) update(change func()) {
	s.lock.Lock()
	defer s.lock.Unlock()
	change()
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

func (s *stuckAPIServer) serveLease(w http.ResponseWriter, r *http.Request) {
	status := http.StatusOK
	s.update(func() {
		s.elections[r.RemoteAddr] = true
		switch r.Method {
		case http.MethodGet:
			if s.lease == nil {
				status = http.StatusNotFound
			}
		default:
			s.lease = new(coordinationv1.Lease)
			if err := json.NewDecoder(r.Body).Decode(s.lease); err != nil {
				status = http.StatusBadRequest
			}
			s.renewals++
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		if status == http.StatusOK {
			_ = json.NewEncoder(w).Encode(s.lease)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": status})
	})
}

// wait waits until done returns true.
func (s *stuckAPIServer) wait(t *testing.T, done func() bool) {
	t.Helper()
	for {
		s.lock.Lock()
		finished := done()
		s.lock.Unlock()
		if finished {
			return
		}
		select {
		case <-s.changed:
		case <-t.Context().Done():
			t.FailNow()
		}
	}
}

// TestLeaderElectionTime checks that another replica leads within 20 seconds after the death of
// the leader, with half a second for the calls of the API server.
func TestLeaderElectionTime(t *testing.T) {
	t.Parallel()
	managerOptions, err := new(options).managerOptions(new(rest.Config), controller.Namespaces{}, logr.Discard())
	require.NoError(t, err)
	longestPause := time.Duration((1 + leaderelection.JitterFactor) * float64(*managerOptions.RetryPeriod))
	require.LessOrEqual(t, *managerOptions.LeaseDuration+2*longestPause, 19500*time.Millisecond)
}

// TestLeaderElectionConnection checks that the leader renews its Lease while all other
// requests to the API server wait, over a connection that these requests do not use.
func TestLeaderElectionConnection(t *testing.T) {
	t.Parallel()
	s := newStuckAPIServer(t)
	cluster := &rest.Config{Host: s.URL, TLSClientConfig: rest.TLSClientConfig{Insecure: true}, QPS: -1}
	cluster.ContentType = "application/json"
	o := options{elect: true, electionNamespace: "tms", release: "tms"}
	managerOptions, err := o.managerOptions(cluster, controller.Namespaces{}, logr.Discard())
	require.NoError(t, err)
	managerOptions.RetryPeriod = new(20 * time.Millisecond)
	managerOptions.LeaseDuration, managerOptions.RenewDeadline = new(time.Hour), new(50*time.Minute) // a slow machine must not lose it
	managerOptions.Cache = cache.Options{}                                                           // needs no discovery
	mgr, err := manager.New(cluster, managerOptions)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	<-mgr.Elected()

	const requests = 300 // more than the streams of one connection
	var answers sync.WaitGroup
	for range requests {
		answers.Go(func() {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/api/v1/namespaces/tms/configmaps", nil)
			if err != nil {
				t.Error(err)
				return
			}
			if response, err := mgr.GetHTTPClient().Do(request); err == nil {
				_ = response.Body.Close()
			}
		})
	}
	s.wait(t, func() bool { return s.waiting >= 200 })
	s.lock.Lock()
	renewed := s.renewals
	s.lock.Unlock()
	s.wait(t, func() bool { return s.renewals >= renewed+5 })
	s.lock.Lock()
	require.NotEmpty(t, s.others)
	for address := range s.elections {
		require.NotContains(t, s.others, address, "a connection for both")
	}
	s.lock.Unlock()
	cancel()
	answers.Wait()
	require.NoError(t, <-ended)
}
