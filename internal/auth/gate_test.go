package auth

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
)

// TestGate: a user may call so often, whatever token he comes with; others do not notice.
func TestGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newAPIServer()
		for token, name := range map[string]string{"a": "ann", "a2": "ann", "b": "bob"} {
			s.users[token] = authenticationv1.UserInfo{Username: name}
		}
		gate := NewGate(s.Control, Limits{PerSecond: 1, Burst: 3, Reviews: 100})
		admit := func(token string) (context.Context, error) { return gate.Admit(t.Context(), "Bearer "+token) }
		for _, token := range []string{"a", "a2", "a"} {
			ctx, err := admit(token)
			require.NoError(t, err)
			require.Equal(t, "ann", UserOf(ctx).Username)
		}
		_, err := admit("a2")
		require.EqualError(t, err, `resource_exhausted: too many calls of user "ann"; try again`)
		ctx, err := admit("b")
		require.NoError(t, err)
		require.Equal(t, "bob", UserOf(ctx).Username)

		time.Sleep(time.Second)
		_, err = admit("a")
		require.NoError(t, err)
		_, err = admit("a")
		require.Equal(t, connect.CodeResourceExhausted, connect.CodeOf(err))
		_, err = admit("nobody's")
		require.Equal(t, connect.CodeUnauthenticated, connect.CodeOf(err))
	})
}

// TestGateReviews: whoever sends nonsense does not have the API server work, and does
// not lock those out who were here before.
func TestGateReviews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newAPIServer()
		s.users["a"] = authenticationv1.UserInfo{Username: "ann"}
		gate := NewGate(s.Control, Limits{PerSecond: 1e9, Burst: 1e9, Reviews: 10})
		_, err := gate.Admit(t.Context(), "Bearer a")
		require.NoError(t, err)
		nonsense := func() (refused int) {
			for i := range 1000 {
				_, err := gate.Admit(t.Context(), fmt.Sprintf("Bearer %d-%d", time.Now().UnixNano(), i))
				if connect.CodeOf(err) == connect.CodeResourceExhausted {
					refused++
				}
			}
			return refused
		}
		require.Equal(t, 991, nonsense())
		require.Equal(t, 10, s.tokens)
		time.Sleep(2 * remembered) // and ann's token has to be reviewed again
		require.Equal(t, 990, nonsense())
		_, err = gate.Admit(t.Context(), "Bearer a")
		require.NoError(t, err)
		require.Equal(t, 21, s.tokens)

		for range 100 {
			_, err = gate.Admit(t.Context(), "")
			require.Equal(t, connect.CodeUnauthenticated, connect.CodeOf(err), "no token is no work")
		}
		delete(s.users, "a")
		time.Sleep(2 * remembered)
		_, err = gate.Admit(t.Context(), "Bearer a")
		require.Equal(t, connect.CodeUnauthenticated, connect.CodeOf(err))
		time.Sleep(2 * remembered)
		require.Equal(t, 990, nonsense())
		_, err = gate.Admit(t.Context(), "Bearer a")
		require.Equal(t, connect.CodeResourceExhausted, connect.CodeOf(err), "whose token was revoked is a stranger")
	})
}

// TestAtOnce: many calls of one user at once are one question to the API server each,
// whoever goes away meanwhile, and nobody is a stranger for it.
func TestAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newAPIServer()
		s.users["a"] = authenticationv1.UserInfo{Username: "ann"}
		slow := make(chan bool)
		s.wait = func() { <-slow }
		s.may = func(authorizationv1.SubjectAccessReviewSpec) bool { return true }
		gate := NewGate(s.Control, Limits{PerSecond: 1e9, Burst: 1e9, Reviews: 1})
		leaving, leave := context.WithCancel(t.Context())
		results := make(chan error, 500)
		for i := range cap(results) {
			ctx := t.Context()
			if i == 0 {
				ctx = leaving
			}
			go func() {
				ctx, err := gate.Admit(ctx, "Bearer a")
				if err == nil {
					err = s.Authorize(ctx, Attributes{Verb: "create"})
				}
				results <- err
			}()
			synctest.Wait() // so that the first one leaves while all others wait for what he asked
		}
		leave()
		require.ErrorIs(t, <-results, context.Canceled)
		slow <- true
		synctest.Wait()
		slow <- true
		for range cap(results) - 1 {
			require.NoError(t, <-results)
		}
		require.Equal(t, []int{1, 1}, []int{s.tokens, s.accesses})
	})
}
