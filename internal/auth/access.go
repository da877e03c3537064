// Package access says who calls the API and what they may. Kubernetes decides both:
// a token is what its TokenReview says, and a call is allowed where its
// SubjectAccessReview says so. Rights live in Kubernetes' RBAC and nowhere else.
package auth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"connectrpc.com/connect"
	"golang.org/x/sync/singleflight"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/cache"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// Attributes are what a call does to what.
type Attributes struct {
	Verb, Group, Resource string
	// Namespace is empty where the call is about all of them, and Name where it is
	// about no single object.
	Namespace, Name string
}

// Control decides with the help of the API server, and remembers for seconds.
type Control struct {
	reviews kubernetes.Interface
	// open lets everybody do everything.
	open bool
	now  func() time.Time

	users   *cache.LRUExpireCache // by digest of the token
	friends *cache.LRUExpireCache // digests of tokens that were valid not long ago
	answers *cache.LRUExpireCache // by question

	// asking are the questions that the API server has not answered yet: whoever calls
	// many times at once has it asked once.
	asking singleflight.Group
}

const (
	// remembered is how long an answer of the API server counts.
	remembered = 5 * time.Second
	// friendly is how long a token that was valid is reviewed before those of strangers.
	friendly = time.Hour
	// most is how many answers are remembered at once.
	most = 4096
	// longest is the longest token that is looked at.
	longest = 16 << 10
)

// New returns a Control that asks the API server.
func New(reviews kubernetes.Interface) *Control {
	return &Control{
		reviews: reviews, now: time.Now,
		users: cache.NewLRUExpireCache(most), friends: cache.NewLRUExpireCache(most), answers: cache.NewLRUExpireCache(most),
	}
}

// Open returns a Control that lets everybody do everything.
func Open() *Control { return &Control{open: true} }

// anonymous is who calls a server without authentication.
var anonymous = authenticationv1.UserInfo{Username: "system:anonymous"}

// errUnknown does not tell a missing token from a wrong one.
var errUnknown = connect.NewError(connect.CodeUnauthenticated,
	errors.New("give a valid token of Kubernetes in the header authorization: Bearer <token>"))

// ask asks the API server, unless somebody asks it the same already. The question does
// not end with the call that came first, because others wait for its answer.
func (c *Control) ask(ctx context.Context, question string, review func(context.Context) (any, error)) (any, error) {
	const patience = 10 * time.Second
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	answered := c.asking.DoChan(question, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		return review(ctx)
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case answer := <-answered:
		return answer.Val, answer.Err
	}
}

// tokenOf returns the token of the header authorization. One with a space in it is none:
// Kubernetes would review what stands before that, so that one token had many names.
func tokenOf(authorization string) (string, bool) {
	scheme, token, _ := strings.Cut(authorization, " ")
	token = strings.TrimSpace(token)
	return token, strings.EqualFold(scheme, "bearer") && token != "" && len(token) <= longest && !strings.ContainsAny(token, " \t,")
}

// Authenticate says who has sent the header authorization.
func (c *Control) Authenticate(ctx context.Context, authorization string) (authenticationv1.UserInfo, error) {
	return c.authenticate(ctx, authorization, func() error { return nil })
}

// authenticate asks admit before the token of a stranger is reviewed: one that was not
// valid not long ago.
func (c *Control) authenticate(ctx context.Context, authorization string, admit func() error) (authenticationv1.UserInfo, error) {
	if c.open {
		return anonymous, nil
	}
	token, ok := tokenOf(authorization)
	if !ok {
		return authenticationv1.UserInfo{}, errUnknown
	}
	key := sha256.Sum256([]byte(token))
	if known, ok := c.users.Get(key); ok {
		return userOf(known.(*authenticationv1.TokenReviewStatus))
	}
	left := remembered
	if expires, ok := expiry(token); ok { // a token counts not a moment longer than it says
		left = min(left, expires.Sub(c.now()))
	}
	if left <= 0 {
		return authenticationv1.UserInfo{}, errUnknown
	}
	status, err := c.ask(ctx, "token "+string(key[:]), func(ctx context.Context) (any, error) {
		if known, ok := c.users.Get(key); ok { // who asked before had the answer in between
			return known, nil
		}
		if _, friend := c.friends.Get(key); !friend {
			if err := admit(); err != nil {
				return nil, err
			}
		}
		return c.reviewToken(ctx, key, token, left)
	})
	if err != nil {
		return authenticationv1.UserInfo{}, err
	}
	return userOf(status.(*authenticationv1.TokenReviewStatus))
}

func (c *Control) reviewToken(ctx context.Context, key [sha256.Size]byte, token string, left time.Duration) (*authenticationv1.TokenReviewStatus, error) {
	review := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token}}
	review, err := c.reviews.AuthenticationV1().TokenReviews().Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return nil, unavailable(ctx, err, "review a token")
	}
	c.users.Add(key, &review.Status, left)
	if review.Status.Authenticated {
		c.friends.Add(key, nil, friendly)
	} else {
		c.friends.Remove(key)
	}
	return &review.Status, nil
}

func userOf(status *authenticationv1.TokenReviewStatus) (authenticationv1.UserInfo, error) {
	if !status.Authenticated {
		return authenticationv1.UserInfo{}, errUnknown
	}
	return status.User, nil
}

// expiry reads when a token ends from the token itself, where it is a JSON web token.
// That is believed only in so far as it makes a token count for less long.
func expiry(token string) (time.Time, bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}, false
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return time.Time{}, false
	}
	var claims struct {
		Expires float64 `json:"exp"`
	}
	if json.Unmarshal(text, &claims) != nil || claims.Expires <= 0 {
		return time.Time{}, false
	}
	return time.Unix(int64(claims.Expires), 0), true
}

// Authorize returns an error where the user may not do so. It says the same whether
// what the call is about exists or not.
func (c *Control) Authorize(ctx context.Context, what Attributes) error {
	if c.open {
		return nil
	}
	user := UserOf(ctx)
	// Two users of one name may be in different groups.
	question, err := json.Marshal(struct {
		User authenticationv1.UserInfo
		What Attributes
	}{user, what})
	if err != nil {
		return unavailable(ctx, err, "encode a user")
	}
	key := string(question)
	allowed, known := c.answers.Get(key)
	if !known {
		if allowed, err = c.ask(ctx, "access "+key, func(ctx context.Context) (any, error) {
			if allowed, known := c.answers.Get(key); known {
				return allowed, nil
			}
			return c.reviewAccess(ctx, key, user, what)
		}); err != nil {
			return err
		}
	}
	if allowed == true {
		return nil
	}
	return connect.NewError(connect.CodePermissionDenied, errors.New(what.forbidden(user.Username)))
}

func (c *Control) reviewAccess(ctx context.Context, key string, user authenticationv1.UserInfo, what Attributes) (allowed bool, err error) {
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user.Username, UID: user.UID, Groups: user.Groups, Extra: extra(user.Extra),
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: what.Verb, Group: what.Group, Resource: what.Resource, Namespace: what.Namespace, Name: what.Name,
		},
	}}
	review, err = c.reviews.AuthorizationV1().SubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return false, unavailable(ctx, err, "review access")
	}
	c.answers.Add(key, review.Status.Allowed, remembered)
	return review.Status.Allowed, nil
}

// forbidden is the sentence of Kubernetes.
func (a Attributes) forbidden(user string) string {
	resource := a.Resource
	if a.Group != "" {
		resource += "." + a.Group
	}
	where := "at the cluster scope"
	if a.Namespace != "" {
		where = "in the namespace " + quote(a.Namespace)
	}
	return "user " + quote(user) + " cannot " + a.Verb + " " + resource + " " + where
}

func extra(from map[string]authenticationv1.ExtraValue) map[string]authorizationv1.ExtraValue {
	to := make(map[string]authorizationv1.ExtraValue, len(from))
	for key, values := range from {
		to[key] = authorizationv1.ExtraValue(values)
	}
	return to
}

// unavailable keeps to itself what stood in the way.
func unavailable(ctx context.Context, err error, doing string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	log.FromContext(ctx).Error(err, doing)
	return connect.NewError(connect.CodeUnavailable, errors.New("the API server of Kubernetes does not answer; try again"))
}
