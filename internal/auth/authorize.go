package auth

import (
	"context"
	"encoding/json"
	"errors"

	"connectrpc.com/connect"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Attributes are the verb and the resource that a call needs a right for.
type Attributes struct {
	Verb, Group, Resource string
	// An empty Namespace means all namespaces, an empty Name all objects.
	Namespace, Name string
}

// Authorize returns an error with the code PERMISSION_DENIED if the user of ctx lacks a
// right. The error does not depend on whether the object exists.
func (r *Reviewer) Authorize(ctx context.Context, attributes Attributes) error {
	if r.allowAll {
		return nil
	}
	user := UserFrom(ctx)
	// The key contains the whole user: two users with the same name can have different
	// groups.
	text, err := json.Marshal(struct {
		User       authenticationv1.UserInfo
		Attributes Attributes
	}{user, attributes})
	if err != nil {
		return unavailable(ctx, err, "encode a user")
	}
	key := string(text)
	allowed, cached := r.decisions.Get(key)
	if !cached {
		if allowed, err = r.review(ctx, "access "+key, func(ctx context.Context) (any, error) {
			if allowed, cached := r.decisions.Get(key); cached { // another review has ended
				return allowed, nil
			}
			return r.reviewAccess(ctx, key, user, attributes)
		}); err != nil {
			return err
		}
	}
	if allowed == true {
		return nil
	}
	return connect.NewError(connect.CodePermissionDenied, errors.New(attributes.forbidden(user.Username)))
}

func (r *Reviewer) reviewAccess(ctx context.Context, key string, user authenticationv1.UserInfo, attributes Attributes) (allowed bool, err error) {
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user.Username, UID: user.UID, Groups: user.Groups, Extra: extra(user.Extra),
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: attributes.Verb, Group: attributes.Group, Resource: attributes.Resource, Namespace: attributes.Namespace, Name: attributes.Name,
		},
	}}
	review, err = r.client.AuthorizationV1().SubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return false, unavailable(ctx, err, "create a SubjectAccessReview")
	}
	r.decisions.Add(key, review.Status.Allowed, reviewTTL)
	return review.Status.Allowed, nil
}

// forbidden returns the message for a missing right, in the words of kubectl.
func (a Attributes) forbidden(user string) string {
	resource := a.Resource
	if a.Group != "" {
		resource += "." + a.Group
	}
	scope := "at the cluster scope"
	if a.Namespace != "" {
		scope = "in the namespace " + quote(a.Namespace)
	}
	return "user " + quote(user) + " cannot " + a.Verb + " " + resource + " " + scope
}

func extra(from map[string]authenticationv1.ExtraValue) map[string]authorizationv1.ExtraValue {
	to := make(map[string]authorizationv1.ExtraValue, len(from))
	for key, values := range from {
		to[key] = authorizationv1.ExtraValue(values)
	}
	return to
}
