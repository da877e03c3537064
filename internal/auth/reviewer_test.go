package auth

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
)

// TestAuthenticateCaches checks that valid and invalid tokens are cached for seconds.
func TestAuthenticateCaches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newAPIServer()
		s.users["opaque"] = authenticationv1.UserInfo{Username: "ann"}
		for range 3 {
			require.Equal(t, "ann", s.username(t, "opaque"))
			require.Empty(t, s.username(t, "wrong"))
		}
		require.Equal(t, 2, s.tokens)

		delete(s.users, "opaque")
		s.users["wrong"] = authenticationv1.UserInfo{Username: "bob"}
		time.Sleep(reviewTTL - time.Nanosecond)
		require.Equal(t, "ann", s.username(t, "opaque"))
		require.Empty(t, s.username(t, "wrong"))
		time.Sleep(time.Millisecond)
		require.Empty(t, s.username(t, "opaque"), "it was revoked")
		require.Equal(t, "bob", s.username(t, "wrong"))
		require.Equal(t, 4, s.tokens)
	})
}

// TestExpiry checks that the cache does not outlive a token.
func TestExpiry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newAPIServer()
		soon, past := ending(time.Now().Add(2*time.Second)), ending(time.Now())
		s.users[soon], s.users[past] = authenticationv1.UserInfo{Username: "ann"}, authenticationv1.UserInfo{Username: "ann"}
		require.Empty(t, s.username(t, past))
		require.Zero(t, s.tokens, "an expired token needs no review")
		require.Equal(t, "ann", s.username(t, soon))
		time.Sleep(2*time.Second - time.Nanosecond)
		require.Equal(t, "ann", s.username(t, soon))
		time.Sleep(time.Millisecond)
		require.Empty(t, s.username(t, soon), "although the review would be cached for longer")
		require.Equal(t, 1, s.tokens)
	})
}

// TestAudiences checks that a token must be for one of the audiences, and that the API
// server must say so.
func TestAudiences(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		want, found []string
		valid       bool
	}{
		"none asked, none found":          {nil, nil, true},
		"none asked, one found":           {nil, []string{"https://kubernetes.default.svc"}, true},
		"one of two":                      {[]string{"tms", "tms2"}, []string{"tms2"}, true},
		"another":                         {[]string{"tms"}, []string{"https://kubernetes.default.svc"}, false},
		"an API server without audiences": {[]string{"tms"}, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newAPIServer(test.want...)
			s.users["a"], s.audiences = authenticationv1.UserInfo{Username: "ann"}, test.found
			require.Equal(t, test.valid, s.username(t, "a") == "ann")
			require.Equal(t, test.valid, s.username(t, "a") == "ann", "from the cache")
			require.Equal(t, test.want, s.asked)
		})
	}
	require.EqualError(t, newAPIServer("tms").unauthenticated(), "unauthenticated: send a valid Kubernetes token in the header authorization: Bearer <token>; "+
		`its audience must be "tms", as kubectl create token --audience sets it`)
}

// TestRecheck checks that a call that is admitted is checked again, with the groups that
// its user now has.
func TestRecheck(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newAPIServer()
		token := ending(time.Now().Add(time.Hour))
		s.users[token] = authenticationv1.UserInfo{Username: "ann", UID: "1", Groups: []string{"serving"}}
		ctx, err := NewGate(s.Reviewer, Limits{PerSecond: 1, Burst: 1, Reviews: 1, ReviewsPerAddress: 1}).Admit(t.Context(), source, "Bearer "+token)
		require.NoError(t, err)
		s.users[token] = authenticationv1.UserInfo{Username: "ann", UID: "1"}
		time.Sleep(2 * reviewTTL)
		checked, err := s.Recheck(ctx)
		require.NoError(t, err)
		require.Empty(t, UserFrom(checked).Groups)

		s.users[token] = authenticationv1.UserInfo{Username: "ann", UID: "2"}
		time.Sleep(2 * reviewTTL)
		_, err = s.Recheck(ctx)
		require.Equal(t, connect.CodeUnauthenticated, connect.CodeOf(err), "another ann")
		s.users[token] = authenticationv1.UserInfo{Username: "ann", UID: "1"}
		time.Sleep(time.Hour)
		_, err = s.Recheck(ctx)
		require.Equal(t, connect.CodeUnauthenticated, connect.CodeOf(err), "the token expired")
		_, err = s.Recheck(t.Context())
		require.Equal(t, connect.CodeUnauthenticated, connect.CodeOf(err), "a call that did not pass the gate")
		_, err = AllowAll().Recheck(t.Context())
		require.NoError(t, err)
	})
}

// TestOddTokens checks that the API server decides about a token without a readable expiry.
func TestOddTokens(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		token    string
		reviewed int
	}{
		"opaque":                 {"abc", 1},
		"three parts":            {"a.b.c", 1},
		"not base64":             {"e30.%.c2ln", 1},
		"not JSON":               {jwt(`{`), 1},
		"a list":                 {jwt(`[]`), 1},
		"no expiry":              {jwt(`{"sub":"ann"}`), 1},
		"an expiry in words":     {jwt(`{"exp":"tomorrow"}`), 1},
		"expiry 0":               {jwt(`{"exp":0}`), 1},
		"an expiry long ago":     {jwt(`{"exp":1}`), 0},
		"an expiry out of range": {jwt(`{"exp":1e300}`), 0},
		"the longest":            {strings.Repeat("a", maxTokenLength), 1},
		"too long":               {strings.Repeat("a", maxTokenLength+1), 0},
		"empty":                  {"", 0},
		"control characters":     {"\x1b[2J\x00", 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := newAPIServer()
			require.Empty(t, s.username(t, test.token))
			require.Equal(t, test.reviewed, s.tokens)
			s = newAPIServer()
			s.users[test.token] = authenticationv1.UserInfo{Username: "ann"}
			require.Equal(t, test.reviewed == 1, s.username(t, test.token) == "ann")
		})
	}
}

func TestHeader(t *testing.T) {
	t.Parallel()
	for header, token := range map[string]string{
		"Bearer a": "a", "bearer a": "a", "BEARER  a ": "a", "Bearer": "", "": "", "Basic a": "", "a": "", " Bearer a": "", "Bearer\ta": "",
		"Bearer a b": "", "Bearer a\tb": "", "Bearer a,Bearer b": "",
	} {
		got, ok := bearerToken(header)
		require.Equal(t, token != "", ok, "%q", header)
		if ok {
			require.Equal(t, token, got, "%q", header)
		}
	}
}

// TestAuthorize checks the SubjectAccessReview, and for how long its result is cached.
func TestAuthorize(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newAPIServer()
		var reviewed authorizationv1.SubjectAccessReviewSpec
		s.allow = func(spec authorizationv1.SubjectAccessReviewSpec) bool {
			reviewed = spec
			return allowGroup("serving")(spec)
		}
		attributes := Attributes{Verb: "get", Group: "g", Resource: "r", Namespace: "ns", Name: "a"}
		user := authenticationv1.UserInfo{Username: "ann", UID: "1", Groups: []string{"serving"}, Extra: map[string]authenticationv1.ExtraValue{"k": {"v"}}}
		ann := withUser(t.Context(), user)
		for range 3 {
			require.NoError(t, s.Authorize(ann, attributes))
		}
		require.Equal(t, 1, s.accesses)
		require.Equal(t, authorizationv1.SubjectAccessReviewSpec{
			User: "ann", UID: "1", Groups: []string{"serving"}, Extra: map[string]authorizationv1.ExtraValue{"k": {"v"}},
			ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "get", Group: "g", Resource: "r", Namespace: "ns", Name: "a"},
		}, reviewed)

		for range 2 {
			err := s.Authorize(as(t.Context(), "ann"), attributes)
			require.Equal(t, connect.CodePermissionDenied, connect.CodeOf(err), "another ann, not in the group")
			require.ErrorContains(t, err, `user "ann" cannot get r.g in the namespace "ns"`)
		}
		require.Equal(t, 2, s.accesses)
		require.NoError(t, s.Authorize(ann, attributes))

		for _, other := range []Attributes{
			{Verb: "delete", Group: "g", Resource: "r", Namespace: "ns", Name: "a"},
			{Verb: "get", Group: "h", Resource: "r", Namespace: "ns", Name: "a"},
			{Verb: "get", Group: "g", Resource: "s", Namespace: "ns", Name: "a"},
			{Verb: "get", Group: "g", Resource: "r", Name: "a"},
			{Verb: "get", Group: "g", Resource: "r", Namespace: "ns"},
		} {
			before := s.accesses
			require.NoError(t, s.Authorize(ann, other))
			require.Equal(t, before+1, s.accesses, "%+v needs its own review", other)
		}

		s.allow = allowGroup("another-group")
		time.Sleep(reviewTTL - time.Nanosecond)
		require.NoError(t, s.Authorize(ann, attributes))
		time.Sleep(time.Millisecond)
		require.Error(t, s.Authorize(ann, attributes), "the right was revoked")
	})
}

// TestForbidden checks that the message does not name the object and escapes control
// characters.
func TestForbidden(t *testing.T) {
	t.Parallel()
	s := newAPIServer()
	hostile := as(t.Context(), "\x1b[2Jann\u202e\n")
	err := s.Authorize(hostile, Attributes{Verb: "list", Resource: "configmaps", Name: "secret"})
	require.EqualError(t, err, `permission_denied: user "\x1b[2Jann\u202e\n" cannot list configmaps at the cluster scope`)
	require.EqualError(t, s.Authorize(t.Context(), Attributes{Verb: "get", Resource: "r", Namespace: "ns"}),
		`permission_denied: user "system:anonymous" cannot get r in the namespace "ns"`, "a call that did not pass the gate is anonymous")
}

// TestAPIServerDown checks that errors of the API server are not cached, and that the
// caller does not see them.
func TestAPIServerDown(t *testing.T) {
	t.Parallel()
	s := newAPIServer()
	s.users["t"], s.allow = authenticationv1.UserInfo{Username: "ann", Groups: []string{"serving"}}, allowGroup("serving")
	s.down = errDown
	ann := as(t.Context(), "ann", "serving")
	_, authenticateErr := s.Authenticate(t.Context(), "Bearer t")
	for _, err := range []error{authenticateErr, s.Authorize(ann, Attributes{Verb: "get"})} {
		require.EqualError(t, err, "unavailable: the Kubernetes API server does not respond; retry")
	}
	gone, cancel := context.WithCancel(ann)
	cancel()
	require.ErrorIs(t, s.Authorize(gone, Attributes{Verb: "get"}), context.Canceled)
	s.down = nil
	require.Equal(t, "ann", s.username(t, "t"))
	require.NoError(t, s.Authorize(ann, Attributes{Verb: "get"}))
}

func TestAllowAll(t *testing.T) {
	t.Parallel()
	reviewer := AllowAll()
	user, err := reviewer.Authenticate(t.Context(), "")
	require.NoError(t, err)
	require.Equal(t, "system:anonymous", user.Username)
	require.NoError(t, reviewer.Authorize(t.Context(), Attributes{Verb: "delete", Resource: "everything"}))
}
