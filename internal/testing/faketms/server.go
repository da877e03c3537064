// Package faketms is a fake tms-server for tests of its clients. It keeps leases in
// memory, and fails on demand.
package faketms

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/api/tms/v1/tmsv1connect"
)

// Call is one call that the server received.
type Call struct {
	// Method is the name of the method, such as Acquire.
	Method string
	// Message is the request.
	Message proto.Message
	// Header holds the headers of the request.
	Header http.Header
}

// Server is the fake server. It names leases lease-1, lease-2 and so on, and creates them
// on 2 January 2026.
type Server struct {
	mu        sync.Mutex
	calls     []Call
	leases    []*tmsv1.Lease
	requests  map[string]string // lease id by request id
	created   int               // the number of leases created
	images    []string
	names     []*tmsv1.LeaseName
	failures  map[string][]error
	breaks    int
	holding   bool
	loopPages bool
	stalling  bool
	held      chan struct{}
}

var (
	_ tmsv1connect.LeaseServiceHandler     = (*Server)(nil)
	_ tmsv1connect.AllowlistServiceHandler = allowlist{}
	_ tmsv1connect.LeaseNameServiceHandler = names{}
)

// New returns a Server without leases.
func New() *Server {
	return &Server{requests: map[string]string{}, failures: map[string][]error{}, held: make(chan struct{}, 100)}
}

// Handler returns an HTTP handler that serves the API.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle(tmsv1connect.NewLeaseServiceHandler(s))
	mux.Handle(tmsv1connect.NewAllowlistServiceHandler(allowlist{s}))
	mux.Handle(tmsv1connect.NewLeaseNameServiceHandler(names{s}))
	return mux
}

// Start starts the server on a local port, with HTTP/1.1 and HTTP/2 without TLS.
func (s *Server) Start() *httptest.Server {
	started := s.unstarted()
	started.Start()
	return started
}

// StartTLS starts the server on a local port with TLS.
func (s *Server) StartTLS() *httptest.Server {
	started := s.unstarted()
	started.EnableHTTP2 = true
	started.StartTLS()
	return started
}

func (s *Server) unstarted() *httptest.Server {
	server := httptest.NewUnstartedServer(s.Handler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // tests make TLS handshakes fail
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetHTTP2(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	return server
}

// Fail makes the next calls of a method fail, each with one of the errors.
func (s *Server) Fail(method string, errs ...error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures[method] = append(s.failures[method], errs...)
}

// Break makes the next n Acquire streams break after their first response, as if the
// server were killed.
func (s *Server) Break(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.breaks = n
}

// Hold keeps leases from serving. If the caller disconnects, its lease stays, as if the
// server had not noticed; if its deadline passes, the lease is released.
func (s *Server) Hold() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holding = true
}

// Stall makes each Release wait until its caller disconnects, and report to Held.
func (s *Server) Stall() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stalling = true
}

// LoopPages makes each page of List name itself as its next page.
func (s *Server) LoopPages() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loopPages = true
}

// Held receives a value for each held Acquire after its first response, and for each
// stalled Release.
func (s *Server) Held() <-chan struct{} { return s.held }

// Put adds a lease, or replaces it.
func (s *Server) Put(lease *tmsv1.Lease) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leases = slices.DeleteFunc(s.leases, func(other *tmsv1.Lease) bool {
		return other.Namespace == lease.Namespace && other.Id == lease.Id
	})
	s.leases = append(s.leases, lease)
}

// Leases returns all leases.
func (s *Server) Leases() []*tmsv1.Lease {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.leases)
}

// Calls returns the calls of a method, in the order in which the server received them.
func (s *Server) Calls(method string) []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	var calls []Call
	for _, call := range s.calls {
		if call.Method == method {
			calls = append(calls, call)
		}
	}
	return calls
}

// record records a call, and returns the error that it must fail with, if any.
func (s *Server) record(method string, message proto.Message, header http.Header) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, Call{Method: method, Message: proto.Clone(message), Header: header.Clone()})
	pending := s.failures[method]
	if len(pending) == 0 {
		return nil
	}
	s.failures[method] = pending[1:]
	return pending[0]
}
