package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"sync"

	"connectrpc.com/connect"

	"github.com/triton-leases/tms/internal/auth"
)

// CallLimits limit the calls that are open at once.
type CallLimits struct {
	// Maximum limits all calls, PerUser those of one user. They also limit the calls with a
	// token that is not checked yet. For these, a source address counts as a user.
	Maximum, PerUser int
}

// healthLimits limit calls of the health service, which needs no token.
var healthLimits = CallLimits{Maximum: 32, PerUser: 4}

// openCalls counts open calls by a key.
type openCalls[K comparable] struct {
	limits CallLimits
	// name describes the calls of a key in errors.
	name func(K) string

	lock  sync.Mutex
	count int
	byKey map[K]int
}

func newOpenCalls[K comparable](limits CallLimits, name func(K) string) *openCalls[K] {
	return &openCalls[K]{limits: limits, name: name, byKey: map[K]int{}}
}

// begin counts a call until the caller calls end. It returns an error beyond a limit.
func (o *openCalls[K]) begin(key K) (end func(), err error) {
	o.lock.Lock()
	defer o.lock.Unlock()
	if o.byKey[key] >= o.limits.PerUser {
		return nil, tooManyCalls("%s has %d open calls, the most that the server allows; end one, or retry later", o.name(key), o.limits.PerUser)
	}
	if o.count >= o.limits.Maximum {
		return nil, tooManyCalls("the server has %d open calls, the most that it allows; retry", o.limits.Maximum)
	}
	o.count++
	o.byKey[key]++
	return func() {
		o.lock.Lock()
		defer o.lock.Unlock()
		o.count--
		if o.byKey[key]--; o.byKey[key] == 0 {
			delete(o.byKey, key)
		}
	}, nil
}

func tooManyCalls(format string, args ...any) error {
	return connect.NewError(connect.CodeResourceExhausted, fmt.Errorf(format, args...))
}

// gates admit calls before their requests are read.
type gates struct {
	tokens  *auth.Gate
	pending *openCalls[netip.Prefix] // calls with a token that is not checked yet
	users   *openCalls[string]
	health  *openCalls[netip.Prefix]
}

func newGates(config Config) *gates {
	ofSource := func(source netip.Prefix) string { return "address " + source.String() }
	return &gates{
		tokens:  auth.NewGate(config.Reviewer, config.Limits),
		pending: newOpenCalls(config.OpenCalls, ofSource),
		users:   newOpenCalls(config.OpenCalls, func(user string) string { return fmt.Sprintf("user %+q", user) }),
		health:  newOpenCalls(healthLimits, ofSource),
	}
}

// admit is a connect.RequestGateFunc for calls that need a token.
func (g *gates) admit(ctx context.Context, _ connect.Spec, peer connect.Peer, header http.Header) (context.Context, error) {
	checked, err := g.pending.begin(auth.Source(peer.Addr))
	if err != nil {
		return nil, err
	}
	ctx, err = g.tokens.Admit(ctx, auth.Source(peer.Addr), header.Get("Authorization"))
	checked()
	if err != nil {
		return nil, err
	}
	end, err := g.users.begin(auth.UserFrom(ctx).Username)
	if err != nil {
		return nil, err
	}
	return ctx, onEnd(ctx, end)
}

// admitHealth is a connect.RequestGateFunc for the health service.
func (g *gates) admitHealth(ctx context.Context, _ connect.Spec, peer connect.Peer, _ http.Header) (context.Context, error) {
	end, err := g.health.begin(auth.Source(peer.Addr))
	if err != nil {
		return nil, err
	}
	return ctx, onEnd(ctx, end)
}

type endsKey struct{}

// onEnd calls end when the call of ctx ends. Until then, the connection of the call is not
// preempted.
func onEnd(ctx context.Context, end func()) error {
	ends, ok := ctx.Value(endsKey{}).(*[]func())
	if !ok {
		end()
		return connect.NewError(connect.CodeInternal, errors.New("the call has no end"))
	}
	*ends = append(*ends, end)
	if conn, ok := ctx.Value(limitedConnKey{}).(*limitedConn); ok {
		conn.beginCall()
		*ends = append(*ends, conn.endCall)
	}
	return nil
}

// endCalls calls what onEnd got after next returns.
func endCalls(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var ends []func()
		defer func() {
			for _, end := range ends {
				end()
			}
		}()
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), endsKey{}, &ends)))
	})
}
