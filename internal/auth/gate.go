package auth

import (
	"context"
	"errors"
	"net/netip"
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
	// together, and ReviewsPerAddress for one source address (see Source). They protect the
	// API server from invalid tokens. Tokens that were valid recently are exempt. A token
	// beyond ReviewsPerAddress does not count for Reviews, and an invalid one counts
	// invalidCost times for its address, so that invalid tokens from a few addresses do not
	// lock out other addresses.
	Reviews, ReviewsPerAddress float64
}

// invalidCost is how many new tokens an invalid token counts as for its address. The burst
// of an address is as many seconds, so that a few invalid tokens at once do no harm.
const invalidCost = 10

// Gate authenticates each call and limits its rate before the request is read, so that
// the server does not decode requests of unknown callers. Admit is for a
// connect.RequestGateFunc.
type Gate struct {
	reviewer *Reviewer
	limits   Limits
	users    *cache.LRUExpireCache // *rate.Limiter by name of the user
	sources  *cache.LRUExpireCache // *rate.Limiter by source
	reviews  *rate.Limiter
}

// NewGate returns a Gate.
func NewGate(reviewer *Reviewer, limits Limits) *Gate {
	return &Gate{
		reviewer: reviewer, limits: limits, users: cache.NewLRUExpireCache(cacheSize), sources: cache.NewLRUExpireCache(cacheSize),
		reviews: rate.NewLimiter(rate.Limit(limits.Reviews), max(1, int(limits.Reviews))),
	}
}

// Admit authenticates a call from a source address and counts it against the limits. It
// returns ctx with the user of the call, which UserFrom returns.
func (g *Gate) Admit(ctx context.Context, source netip.Prefix, authorization string) (context.Context, error) {
	user, err := g.reviewer.authenticate(ctx, authorization, &reviews{g, source})
	if err != nil {
		return nil, err
	}
	if !limiter(g.users, user.Username, g.limits.PerSecond, g.limits.Burst).Allow() {
		return nil, resourceExhausted("too many calls of user " + quote(user.Username) + "; retry")
	}
	return context.WithValue(ctx, callerKey{}, caller{user, authorization}), nil
}

// reviews limits the reviews of tokens from one source. A nil reviews has no limit.
type reviews struct {
	gate   *Gate
	source netip.Prefix
}

// allow returns an error if no token may be reviewed.
func (r *reviews) allow() error {
	if r == nil {
		return nil
	}
	if !r.limiter().Allow() {
		return resourceExhausted("too many new tokens from address " + r.source.String() + "; retry")
	}
	if !r.gate.reviews.Allow() {
		return resourceExhausted("too many tokens to review; retry")
	}
	return nil
}

// invalid counts a token that allow allowed and that is invalid.
func (r *reviews) invalid() {
	if r != nil {
		limiter := r.limiter()
		limiter.ReserveN(time.Now(), min(invalidCost-1, limiter.Burst())) // later tokens wait
	}
}

func (r *reviews) limiter() *rate.Limiter {
	perSecond := r.gate.limits.ReviewsPerAddress
	return limiter(r.gate.sources, r.source, perSecond, max(1, int(invalidCost*perSecond)))
}

func resourceExhausted(message string) error {
	return connect.NewError(connect.CodeResourceExhausted, errors.New(message))
}

// limiter returns the limiter of a key. It is replaced after some time by one with a full
// burst, so that idle keys do not stay in the cache.
func limiter(limiters *cache.LRUExpireCache, key any, perSecond float64, burst int) *rate.Limiter {
	const ttl = 10 * time.Minute
	if limiter, ok := limiters.Get(key); ok {
		return limiter.(*rate.Limiter)
	}
	limiter := rate.NewLimiter(rate.Limit(perSecond), burst)
	limiters.Add(key, limiter, ttl)
	return limiter
}

type callerKey struct{}

// caller is the caller of an admitted call.
type caller struct {
	user          authenticationv1.UserInfo
	authorization string
}

// UserFrom returns the user in ctx, and the anonymous user if there is none.
func UserFrom(ctx context.Context) authenticationv1.UserInfo {
	if caller, ok := ctx.Value(callerKey{}).(caller); ok {
		return caller.user
	}
	return anonymous
}

// Recheck authenticates the token of an admitted call again. It returns ctx with the user
// as the API server now knows it: its groups may have changed.
func (r *Reviewer) Recheck(ctx context.Context) (context.Context, error) {
	admitted, _ := ctx.Value(callerKey{}).(caller)
	user, err := r.Authenticate(ctx, admitted.authorization)
	if err != nil {
		return nil, err
	}
	if !r.allowAll && (user.Username != admitted.user.Username || user.UID != admitted.user.UID) {
		return nil, r.unauthenticated()
	}
	return context.WithValue(ctx, callerKey{}, caller{user, admitted.authorization}), nil
}

// quote escapes a name for logs and terminals.
func quote(text string) string { return strconv.QuoteToASCII(text) }
