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

// Limits are how much one user may call.
type Limits struct {
	// PerSecond is how many calls a user may begin each second, and Burst how many at once.
	PerSecond float64
	Burst     int
	// Reviews is how many tokens of strangers are reviewed each second, all together:
	// whoever sends nonsense does not make the API server work, and does not stand in the
	// way of those whose tokens were valid before.
	Reviews float64
}

// Gate authenticates each call before its message is read, and refuses those of users
// who call too often: what a stranger sends is neither kept nor decoded.
type Gate struct {
	control *Control
	limits  Limits
	users   *cache.LRUExpireCache // *rate.Limiter by user
	reviews *rate.Limiter
}

// NewGate returns a gate for handlers.
func NewGate(control *Control, limits Limits) *Gate {
	return &Gate{
		control: control, limits: limits, users: cache.NewLRUExpireCache(most),
		reviews: rate.NewLimiter(rate.Limit(limits.Reviews), max(1, int(limits.Reviews))),
	}
}

// Admit returns a context that knows who has sent the header authorization.
func (g *Gate) Admit(ctx context.Context, authorization string) (context.Context, error) {
	user, err := g.control.authenticate(ctx, authorization, func() error {
		if !g.reviews.Allow() {
			return tooMany("too many tokens to review; try again")
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if !g.limiter(user.Username).Allow() {
		return nil, tooMany("too many calls of user " + quote(user.Username) + "; try again")
	}
	return context.WithValue(ctx, userKey{}, user), nil
}

func tooMany(message string) error {
	return connect.NewError(connect.CodeResourceExhausted, errors.New(message))
}

// limiter returns that of a user. Who has not called for a while has all of his burst again.
func (g *Gate) limiter(user string) *rate.Limiter {
	const idle = 10 * time.Minute
	if known, ok := g.users.Get(user); ok {
		return known.(*rate.Limiter)
	}
	made := rate.NewLimiter(rate.Limit(g.limits.PerSecond), g.limits.Burst)
	g.users.Add(user, made, idle)
	return made
}

type userKey struct{}

// UserOf returns who calls.
func UserOf(ctx context.Context) authenticationv1.UserInfo {
	if user, ok := ctx.Value(userKey{}).(authenticationv1.UserInfo); ok {
		return user
	}
	return anonymous
}

// quote has no character of a name reach a log line or a terminal as it is.
func quote(text string) string { return strconv.QuoteToASCII(text) }
