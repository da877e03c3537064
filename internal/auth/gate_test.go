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

var source = Source("10.0.0.1:1")

// TestGate checks that all tokens of a user share one limit, and that users do not.
func TestGate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newAPIServer()
		for token, name := range map[string]string{"a": "ann", "a2": "ann", "b": "bob"} {
			s.users[token] = authenticationv1.UserInfo{Username: name}
		}
		gate := NewGate(s.Reviewer, Limits{PerSecond: 1, Burst: 3, Reviews: 100, ReviewsPerAddress: 100})
		admit := func(token string) (context.Context, error) { return gate.Admit(t.Context(), source, "Bearer "+token) }
		for _, token := range []string{"a", "a2", "a"} {
			ctx, err := admit(token)
			require.NoError(t, err)
			require.Equal(t, "ann", UserFrom(ctx).Username)
		}
		_, err := admit("a2")
		require.EqualError(t, err, `resource_exhausted: too many calls of user "ann"; retry`)
		ctx, err := admit("b")
		require.NoError(t, err)
		require.Equal(t, "bob", UserFrom(ctx).Username)

		time.Sleep(time.Second)
		_, err = admit("a")
		require.NoError(t, err)
		_, err = admit("a")
		require.Equal(t, connect.CodeResourceExhausted, connect.CodeOf(err))
		_, err = admit("unknown")
		require.Equal(t, connect.CodeUnauthenticated, connect.CodeOf(err))
	})
}

// TestGateReviews checks that invalid tokens neither load the API server nor lock out
// users with valid tokens.
func TestGateReviews(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newAPIServer()
		s.users["a"] = authenticationv1.UserInfo{Username: "ann"}
		gate := NewGate(s.Reviewer, Limits{PerSecond: 1e9, Burst: 1e9, Reviews: 10, ReviewsPerAddress: 1e9})
		_, err := gate.Admit(t.Context(), source, "Bearer a")
		require.NoError(t, err)
		invalid := func() (refused int) {
			for i := range 1000 {
				_, err := gate.Admit(t.Context(), source, fmt.Sprintf("Bearer %d-%d", time.Now().UnixNano(), i))
				if connect.CodeOf(err) == connect.CodeResourceExhausted {
					refused++
				}
			}
			return refused
		}
		require.Equal(t, 991, invalid())
		require.Equal(t, 10, s.tokens)
		time.Sleep(2 * reviewTTL) // the review of ann's token is no longer cached
		require.Equal(t, 990, invalid())
		_, err = gate.Admit(t.Context(), source, "Bearer a")
		require.NoError(t, err)
		require.Equal(t, 21, s.tokens)

		for range 100 {
			_, err = gate.Admit(t.Context(), source, "")
			require.Equal(t, connect.CodeUnauthenticated, connect.CodeOf(err), "a call without a token needs no review")
		}
		delete(s.users, "a")
		time.Sleep(2 * reviewTTL)
		_, err = gate.Admit(t.Context(), source, "Bearer a")
		require.Equal(t, connect.CodeUnauthenticated, connect.CodeOf(err))
		time.Sleep(2 * reviewTTL)
		require.Equal(t, 990, invalid())
		_, err = gate.Admit(t.Context(), source, "Bearer a")
		require.Equal(t, connect.CodeResourceExhausted, connect.CodeOf(err), "a revoked token counts as a new one")
	})
}

// TestGateAddresses checks that fresh valid tokens get in while some addresses send a hundred
// invalid tokens a second each, for a minute. Many addresses together have a burst, which
// takes seconds.
func TestGateAddresses(t *testing.T) {
	t.Parallel()
	const settled = 1000 // ten seconds
	for _, addresses := range []int{1, 20} {
		synctest.Test(t, func(t *testing.T) {
			s := newAPIServer()
			gate := NewGate(s.Reviewer, Limits{PerSecond: 1e9, Burst: 1e9, Reviews: 50, ReviewsPerAddress: 10})
			friendly := Source("10.0.0.7:1")
			for i := range 6000 {
				for address := range addresses {
					hostile := Source(fmt.Sprintf("10.0.1.%d:1", address))
					_, err := gate.Admit(t.Context(), hostile, fmt.Sprintf("Bearer garbage-%d-%d", address, i))
					if connect.CodeOf(err) != connect.CodeUnauthenticated && (addresses == 1 || i >= settled) {
						require.EqualError(t, err, fmt.Sprintf("resource_exhausted: too many new tokens from address 10.0.1.%d/32; retry", address))
					}
				}
				if i%20 == 0 && (addresses == 1 || i >= settled) { // five fresh tokens a second
					token := fmt.Sprintf("fresh-%d", i)
					s.users[token] = authenticationv1.UserInfo{Username: token}
					_, err := gate.Admit(t.Context(), friendly, "Bearer "+token)
					require.NoError(t, err)
				}
				time.Sleep(10 * time.Millisecond)
			}
			require.Less(t, s.tokens, 6000/20+addresses*75, "reviews of the API server")
			gate = NewGate(s.Reviewer, Limits{PerSecond: 1e9, Burst: 1e9, Reviews: 50, ReviewsPerAddress: 0.1})
			for i, want := range []connect.Code{connect.CodeUnauthenticated, connect.CodeResourceExhausted} {
				_, err := gate.Admit(t.Context(), friendly, fmt.Sprintf("Bearer garbage-%d", i))
				require.Equal(t, want, connect.CodeOf(err), "a burst of one")
			}
		})
	}
}

// TestSource checks what counts as one source address.
func TestSource(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"10.0.0.7:4711": "10.0.0.7/32", "[::ffff:10.0.0.7]:4711": "10.0.0.7/32", "[2001:db8:1:2:3:4:5:6]:1": "2001:db8:1:2::/64",
		"[fe80::1%eth0]:1": "fe80::/64", "memory": "invalid Prefix", "": "invalid Prefix",
	} {
		require.Equal(t, want, Source(address).String(), address)
	}
	require.Equal(t, "2001:db8::1", IP("[2001:db8::1]:443").String())
}

// TestConcurrent checks that concurrent calls of a user share one review, also if the
// first caller disconnects.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newAPIServer()
		s.users["a"] = authenticationv1.UserInfo{Username: "ann"}
		slow := make(chan bool)
		s.wait = func() { <-slow }
		s.allow = func(authorizationv1.SubjectAccessReviewSpec) bool { return true }
		gate := NewGate(s.Reviewer, Limits{PerSecond: 1e9, Burst: 1e9, Reviews: 1, ReviewsPerAddress: 1})
		leaving, leave := context.WithCancel(t.Context())
		results := make(chan error, 500)
		for i := range cap(results) {
			ctx := t.Context()
			if i == 0 {
				ctx = leaving
			}
			go func() {
				ctx, err := gate.Admit(ctx, source, "Bearer a")
				if err == nil {
					err = s.Authorize(ctx, Attributes{Verb: "create"})
				}
				results <- err
			}()
			synctest.Wait() // the first call disconnects while all others wait for its review
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
