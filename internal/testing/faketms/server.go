// Package faketms is for tests of what calls tms-server: a server with its API that
// keeps leases in memory, and does on demand what a real one does on a bad day.
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

// Call is one call that came.
type Call struct {
	// Method is its name, such as Acquire.
	Method string
	// Message is the request.
	Message proto.Message
	// Header are the request's headers.
	Header http.Header
}

// Server is the fake. What it makes is called lease-1, lease-2 and so on, on the
// second of January 2026.
type Server struct {
	mu       sync.Mutex
	calls    []Call
	leases   []*tmsv1.Lease
	requests map[string]string // lease by request id
	made     int
	images   []string
	failures map[string][]error
	breaks   int
	holding  bool
	circular bool
	stalling bool
	held     chan struct{}
}

var (
	_ tmsv1connect.LeaseServiceHandler     = (*Server)(nil)
	_ tmsv1connect.AllowlistServiceHandler = allowlist{}
)

// New returns a server without leases.
func New() *Server {
	return &Server{requests: map[string]string{}, failures: map[string][]error{}, held: make(chan struct{}, 100)}
}

// Handler serves the API.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle(tmsv1connect.NewLeaseServiceHandler(s))
	mux.Handle(tmsv1connect.NewAllowlistServiceHandler(allowlist{s}))
	return mux
}

// Start serves plain http, with HTTP/1.1 and HTTP/2, on a port of this machine.
func (s *Server) Start() *httptest.Server {
	started := s.unstarted()
	started.Start()
	return started
}

// StartTLS serves https.
func (s *Server) StartTLS() *httptest.Server {
	started := s.unstarted()
	started.EnableHTTP2 = true
	started.StartTLS()
	return started
}

func (s *Server) unstarted() *httptest.Server {
	server := httptest.NewUnstartedServer(s.Handler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that fail on purpose
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetHTTP2(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	return server
}

// Fail has the next calls of a method end with these errors, one each.
func (s *Server) Fail(method string, errs ...error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures[method] = append(s.failures[method], errs...)
}

// Break has the next n acquisitions break off after their first answer, as those of a
// server that is killed do.
func (s *Server) Break(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.breaks = n
}

// Hold has acquisitions get no further than to start. Those whose caller goes away stay,
// as if the server had not seen it, and those whose deadline is over are released.
func (s *Server) Hold() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holding = true
}

// Stall has releases come to no end, and Held told of them.
func (s *Server) Stall() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stalling = true
}

// PageForever has each page of List name itself as the one after it.
func (s *Server) PageForever() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.circular = true
}

// Held is told of each acquisition that is held, once its caller can know its lease.
func (s *Server) Held() <-chan struct{} { return s.held }

// Put adds a lease.
func (s *Server) Put(lease *tmsv1.Lease) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leases = append(s.leases, lease)
}

// Leases returns the leases that there are.
func (s *Server) Leases() []*tmsv1.Lease {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.leases)
}

// Calls returns the calls of a method that came, in their order.
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

// came notes a call, and returns what it must fail with.
func (s *Server) came(method string, message proto.Message, header http.Header) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, Call{Method: method, Message: proto.Clone(message), Header: header.Clone()})
	waiting := s.failures[method]
	if len(waiting) == 0 {
		return nil
	}
	s.failures[method] = waiting[1:]
	return waiting[0]
}
