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

// apiServer answers reviews, and counts them.
type apiServer struct {
	*Control
	// users are by token; may says what they may.
	users map[string]authenticationv1.UserInfo
	may   func(authorizationv1.SubjectAccessReviewSpec) bool
	// wait is called before each answer.
	wait func()
	// down is the error of every request.
	down error

	tokens, accesses int
}

func newAPIServer() *apiServer {
	s := &apiServer{users: map[string]authenticationv1.UserInfo{}, may: func(authorizationv1.SubjectAccessReviewSpec) bool { return false }, wait: func() {}}
	clients := fake.NewClientset()
	clients.PrependReactor("create", "tokenreviews", func(action clienttesting.Action) (bool, runtime.Object, error) {
		s.tokens++
		s.wait()
		review := action.(clienttesting.CreateAction).GetObject().(*authenticationv1.TokenReview).DeepCopy()
		review.Status.User, review.Status.Authenticated = s.users[review.Spec.Token], s.users[review.Spec.Token].Username != ""
		return true, review, s.down
	})
	clients.PrependReactor("create", "subjectaccessreviews", func(action clienttesting.Action) (bool, runtime.Object, error) {
		s.accesses++
		s.wait()
		review := action.(clienttesting.CreateAction).GetObject().(*authorizationv1.SubjectAccessReview).DeepCopy()
		review.Status.Allowed = s.may(review.Spec)
		return true, review, s.down
	})
	s.Control = New(clients)
	return s
}

// who returns who has a token, empty where nobody has.
func (s *apiServer) who(t *testing.T, token string) string {
	t.Helper()
	user, err := s.Authenticate(t.Context(), "Bearer "+token)
	if err != nil {
		require.Equal(t, connect.CodeUnauthenticated, connect.CodeOf(err), "%v", err)
		require.Equal(t, errUnknown, err, "one sentence for all")
	}
	return user.Username
}

// as is a call of a user.
func as(ctx context.Context, name string, groups ...string) context.Context {
	return context.WithValue(ctx, userKey{}, authenticationv1.UserInfo{Username: name, Groups: groups})
}

// groupMay lets a group do everything.
func groupMay(group string) func(authorizationv1.SubjectAccessReviewSpec) bool {
	return func(spec authorizationv1.SubjectAccessReviewSpec) bool { return slices.Contains(spec.Groups, group) }
}

// jwt returns a token that says when it ends.
func jwt(claims string) string {
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
}

func ending(at time.Time) string { return jwt(fmt.Sprintf(`{"exp":%d}`, at.Unix())) }

var errDown = errors.New(`post "https://10.0.0.1:6443/apis": secret detail`)
