package auth

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

// apiServer is a fake API server that answers reviews and counts them.
type apiServer struct {
	*Reviewer
	// users are the users by token. allow decides SubjectAccessReviews.
	users map[string]authenticationv1.UserInfo
	allow func(authorizationv1.SubjectAccessReviewSpec) bool
	// wait runs before each response.
	wait func()
	// down is the error of all responses.
	down error

	// audiences are those that the API server finds in each token, and asked are those of
	// the last TokenReview.
	audiences, asked []string

	tokens, accesses int
}

func newAPIServer(audiences ...string) *apiServer {
	s := &apiServer{users: map[string]authenticationv1.UserInfo{}, allow: func(authorizationv1.SubjectAccessReviewSpec) bool { return false }, wait: func() {}}
	clients := fake.NewClientset()
	clients.PrependReactor("create", "tokenreviews", func(action clienttesting.Action) (bool, runtime.Object, error) {
		s.tokens++
		s.wait()
		review := action.(clienttesting.CreateAction).GetObject().(*authenticationv1.TokenReview).DeepCopy()
		s.asked, review.Status.Audiences = review.Spec.Audiences, s.audiences
		review.Status.User, review.Status.Authenticated = s.users[review.Spec.Token], s.users[review.Spec.Token].Username != ""
		return true, review, s.down
	})
	clients.PrependReactor("create", "subjectaccessreviews", func(action clienttesting.Action) (bool, runtime.Object, error) {
		s.accesses++
		s.wait()
		review := action.(clienttesting.CreateAction).GetObject().(*authorizationv1.SubjectAccessReview).DeepCopy()
		review.Status.Allowed = s.allow(review.Spec)
		return true, review, s.down
	})
	s.Reviewer = New(clients, audiences...)
	return s
}

// username returns the name of the user of a token, and "" if the token is invalid.
func (s *apiServer) username(t *testing.T, token string) string {
	t.Helper()
	user, err := s.Authenticate(t.Context(), "Bearer "+token)
	if err != nil {
		require.Equal(t, connect.CodeUnauthenticated, connect.CodeOf(err), "%v", err)
		require.Equal(t, s.unauthenticated(), err, "the same error for all tokens")
	}
	return user.Username
}

// as returns the context of a call of a user.
func as(ctx context.Context, name string, groups ...string) context.Context {
	return withUser(ctx, authenticationv1.UserInfo{Username: name, Groups: groups})
}

func withUser(ctx context.Context, user authenticationv1.UserInfo) context.Context {
	return context.WithValue(ctx, callerKey{}, caller{user: user})
}

// allowGroup returns a decision that allows everything to a group.
func allowGroup(group string) func(authorizationv1.SubjectAccessReviewSpec) bool {
	return func(spec authorizationv1.SubjectAccessReviewSpec) bool { return slices.Contains(spec.Groups, group) }
}

// jwt returns an unsigned token with claims.
func jwt(claims string) string {
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
}

// ending returns a token that expires at a time.
func ending(at time.Time) string { return jwt(fmt.Sprintf(`{"exp":%d}`, at.Unix())) }

var errDown = errors.New(`post "https://10.0.0.1:6443/apis": secret detail`)
