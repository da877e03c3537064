package auth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// anonymous is the user of all calls of a server without authentication.
var anonymous = authenticationv1.UserInfo{Username: "system:anonymous"}

// unauthenticated returns the error for a missing token and for an invalid one.
func (r *Reviewer) unauthenticated() error {
	text := "send a valid Kubernetes token in the header authorization: Bearer <token>"
	if len(r.audiences) > 0 {
		text += "; its audience must be " + quote(r.audiences[0]) + ", as kubectl create token --audience sets it"
	}
	return connect.NewError(connect.CodeUnauthenticated, errors.New(text))
}

// bearerToken returns the token of the authorization header, and reports whether it has a
// well-formed one. It refuses a token with a space: Kubernetes reviews only the part before
// the space, so one token could fill the cache under many keys.
func bearerToken(authorization string) (string, bool) {
	scheme, token, _ := strings.Cut(authorization, " ")
	token = strings.TrimSpace(token)
	return token, strings.EqualFold(scheme, "bearer") && token != "" && len(token) <= maxTokenLength && !strings.ContainsAny(token, " \t,")
}

// Authenticate returns the user of the token in the authorization header.
func (r *Reviewer) Authenticate(ctx context.Context, authorization string) (authenticationv1.UserInfo, error) {
	return r.authenticate(ctx, authorization, nil)
}

// authenticate is Authenticate with a limit, which may be nil. It counts tokens that are
// neither cached nor recently valid.
func (r *Reviewer) authenticate(ctx context.Context, authorization string, limit *reviews) (authenticationv1.UserInfo, error) {
	if r.allowAll {
		return anonymous, nil
	}
	token, ok := bearerToken(authorization)
	if !ok {
		return authenticationv1.UserInfo{}, r.unauthenticated()
	}
	digest := sha256.Sum256([]byte(token))
	if status, ok := r.tokens.Get(digest); ok {
		return r.userOf(status.(*authenticationv1.TokenReviewStatus))
	}
	ttl := reviewTTL
	if expires, ok := expiry(token); ok { // the cache must not outlive the token
		ttl = min(ttl, expires.Sub(r.now()))
	}
	if ttl <= 0 {
		return authenticationv1.UserInfo{}, r.unauthenticated()
	}
	status, err := r.review(ctx, "token "+string(digest[:]), func(ctx context.Context) (any, error) {
		if status, ok := r.tokens.Get(digest); ok { // another review has ended
			return status, nil
		}
		_, recent := r.recentlyValid.Get(digest)
		if !recent {
			if err := limit.allow(); err != nil {
				return nil, err
			}
		}
		status, err := r.reviewToken(ctx, digest, token, ttl)
		if err == nil && !recent && !status.Authenticated {
			limit.invalid()
		}
		return status, err
	})
	if err != nil {
		return authenticationv1.UserInfo{}, err
	}
	return r.userOf(status.(*authenticationv1.TokenReviewStatus))
}

func (r *Reviewer) reviewToken(ctx context.Context, digest [sha256.Size]byte, token string, ttl time.Duration) (*authenticationv1.TokenReviewStatus, error) {
	review := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token, Audiences: r.audiences}}
	review, err := r.client.AuthenticationV1().TokenReviews().Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return nil, unavailable(ctx, err, "create a TokenReview")
	}
	// An authenticator that does not know audiences returns none: its answer says nothing
	// about the audience of the token.
	if len(r.audiences) > 0 && !slices.ContainsFunc(review.Status.Audiences, func(audience string) bool { return slices.Contains(r.audiences, audience) }) {
		review.Status = authenticationv1.TokenReviewStatus{}
	}
	r.tokens.Add(digest, &review.Status, ttl)
	if review.Status.Authenticated {
		r.recentlyValid.Add(digest, nil, recentlyValidTTL)
	} else {
		r.recentlyValid.Remove(digest)
	}
	return &review.Status, nil
}

func (r *Reviewer) userOf(status *authenticationv1.TokenReviewStatus) (authenticationv1.UserInfo, error) {
	if !status.Authenticated {
		return authenticationv1.UserInfo{}, r.unauthenticated()
	}
	return status.User, nil
}

// expiry returns the expiry time in a JSON Web Token, and reports whether the token has
// one. The signature is not verified, so the time may only shorten how long a result is
// cached.
func expiry(token string) (time.Time, bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}, false
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return time.Time{}, false
	}
	var claims struct {
		Expires float64 `json:"exp"`
	}
	if json.Unmarshal(payload, &claims) != nil || claims.Expires <= 0 {
		return time.Time{}, false
	}
	return time.Unix(int64(claims.Expires), 0), true
}
