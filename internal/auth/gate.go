package auth

import (
	"context"
	"errors"
	"strconv"
	"time"

	"connectrpc.com/connect"
	"golang.org/x/time/rate"
	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/util/cache"
)

// Limits limit the rate of calls.
type Limits struct {
	// PerSecond is the number of calls that one user may start each second.
	PerSecond float64
	// Burst is the number of calls that one user may start at once.
	Burst int
	// Reviews is the number of tokens that are reviewed each second, for all callers
	// together. It protects the API server from invalid tokens. Tokens that were valid
	// recently are exempt, so that invalid tokens do not lock out other users.
	Reviews float64
}

// Gate authenticates each call and limits its rate before the request is read, so that
// the server does not decode requests of unknown callers. Admit is for a
// connect.RequestGateFunc.
type Gate struct {
	reviewer *Reviewer
	limits   Limits
	users    *cache.LRUExpireCache // *rate.Limiter by name of the user
	reviews  *rate.Limiter
}

// NewGate returns a Gate.
func NewGate(reviewer *Reviewer, limits Limits) *Gate {
	return &Gate{
		reviewer: reviewer, limits: limits, users: cache.NewLRUExpireCache(cacheSize),
		reviews: rate.NewLimiter(rate.Limit(limits.Reviews), max(1, int(limits.Reviews))),
	}
}

// Admit authenticates a call and counts it against the limits. It returns ctx with the user
// of the call, which UserFrom returns.
func (g *Gate) Admit(ctx context.Context, authorization string) (context.Context, error) {
	user, err := g.reviewer.authenticate(ctx, authorization, func() error {
		if !g.reviews.Allow() {
			return resourceExhausted("too many tokens to review; retry")
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if !g.limiter(user.Username).Allow() {
		return nil, resourceExhausted("too many calls of user " + quote(user.Username) + "; retry")
	}
	return context.WithValue(ctx, userKey{}, user), nil
}

func resourceExhausted(message string) error {
	return connect.NewError(connect.CodeResourceExhausted, errors.New(message))
}

// limiter returns the limiter of a user. It is replaced after some time by one with a full
// burst, so that idle users do not stay in the cache.
func (g *Gate) limiter(user string) *rate.Limiter {
	const ttl = 10 * time.Minute
	if limiter, ok := g.users.Get(user); ok {
		return limiter.(*rate.Limiter)
	}
	limiter := rate.NewLimiter(rate.Limit(g.limits.PerSecond), g.limits.Burst)
	g.users.Add(user, limiter, ttl)
	return limiter
}

type userKey struct{}

// UserFrom returns the user in ctx, and the anonymous user if there is none.
func UserFrom(ctx context.Context) authenticationv1.UserInfo {
	if user, ok := ctx.Value(userKey{}).(authenticationv1.UserInfo); ok {
		return user
	}
	return anonymous
}

// quote escapes a name for logs and terminals.
func quote(text string) string { return strconv.QuoteToASCII(text) }
