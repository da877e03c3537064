// Package auth authenticates callers of the API with TokenReviews, and authorizes their
// calls with SubjectAccessReviews. All rights are granted by Kubernetes RBAC.
package auth

import (
	"context"
	"errors"
	"time"

	"connectrpc.com/connect"
	"golang.org/x/sync/singleflight"
	"k8s.io/apimachinery/pkg/util/cache"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

const (
	// reviewTTL is how long the result of a review is cached.
	reviewTTL = 5 * time.Second
	// recentlyValidTTL is how long a valid token is exempt from the limits of reviews.
	recentlyValidTTL = time.Hour
	// cacheSize is the largest number of entries of each cache.
	cacheSize = 4096
	// reviewTimeout is how long the API server may take for a review.
	reviewTimeout = 10 * time.Second
	// maxTokenLength is the length of the longest token that is reviewed.
	maxTokenLength = 16 << 10
)

// Reviewer authenticates tokens and authorizes calls. It asks the API server, and caches
// the results for a few seconds. It is safe for concurrent use.
type Reviewer struct {
	client kubernetes.Interface
	// audiences are the accepted audiences: a token needs at least one of them. If it is
	// empty, a token needs an audience of the API server.
	audiences []string
	// allowAll skips authentication and authorization.
	allowAll bool
	now      func() time.Time

	tokens        *cache.LRUExpireCache // *TokenReviewStatus by digest of the token
	recentlyValid *cache.LRUExpireCache // digests of tokens
	decisions     *cache.LRUExpireCache // bool by user and Attributes

	// inFlight merges equal reviews that run at the same time.
	inFlight singleflight.Group
}

// New returns a Reviewer that asks the API server of client. If there are audiences, a
// token must be for one of them, and otherwise for the API server.
func New(client kubernetes.Interface, audiences ...string) *Reviewer {
	return &Reviewer{
		client: client, audiences: audiences, now: time.Now,
		tokens: cache.NewLRUExpireCache(cacheSize), recentlyValid: cache.NewLRUExpireCache(cacheSize), decisions: cache.NewLRUExpireCache(cacheSize),
	}
}

// AllowAll returns a Reviewer that allows every call, without a token.
func AllowAll() *Reviewer { return &Reviewer{allowAll: true} }

// review calls request and returns its result. If a review with the same key is in flight,
// it waits for that one instead. A review continues when its first caller disconnects,
// because other callers may wait for it.
func (r *Reviewer) review(ctx context.Context, key string, request func(context.Context) (any, error)) (any, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	done := r.inFlight.DoChan(key, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), reviewTimeout)
		defer cancel()
		return request(ctx)
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case result := <-done:
		return result.Val, result.Err
	}
}

// unavailable logs an error of the API server, and returns an error without its details for
// the caller.
func unavailable(ctx context.Context, err error, action string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	log.FromContext(ctx).Error(err, action)
	return connect.NewError(connect.CodeUnavailable, errors.New("the Kubernetes API server does not respond; retry"))
}
