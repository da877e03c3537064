package lease

import (
	"context"
	"errors"
	"regexp"

	"connectrpc.com/connect"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/log"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/internal/server/violations"
	"github.com/triton-leases/tms/pkg/policy"
)

var (
	// errStopping makes clients retry, and reach another replica.
	errStopping = connect.NewError(connect.CodeUnavailable, errors.New("the server shuts down; retry with the same request_id"))
	errReleased = connect.NewError(connect.CodeAborted, errors.New("the lease was released by another call"))
)

// policyError returns the error for a lease that the policy refuses. A lease that is
// forbidden may be granted in another namespace or later: FAILED_PRECONDITION. All other
// reasons are INVALID_ARGUMENT.
func policyError(reasons policy.Refusal) error {
	var list violations.List
	code := connect.CodeFailedPrecondition
	for _, reason := range reasons {
		list.Add(requestPath(reason.Field), reason.ErrorBody())
		if reason.Type != field.ErrorTypeForbidden {
			code = connect.CodeInvalidArgument
		}
	}
	return list.WithCode(code)
}

// refusedError returns the error for a lease that the controller refused although the
// policy of this server granted it, because the configuration changed.
func refusedError(lease *tmsv1.Lease) error {
	if len(lease.GetRefusals()) == 0 {
		return connect.NewError(connect.CodeFailedPrecondition, errors.New(lease.GetMessage()))
	}
	var list violations.List
	for _, refusal := range lease.GetRefusals() {
		list.Add(refusal.GetField(), refusal.GetMessage())
	}
	return list.WithCode(connect.CodeFailedPrecondition)
}

// missingRight matches the error of the API server for a user without a right. The
// caller has the right, because Authorize allowed the call: the server lacks it. Errors
// of admission and quota do not match.
var missingRight = regexp.MustCompile(`is forbidden: User ".*" cannot `)

// APIServerError returns the error for the caller if the API server returns err. An
// error that the caller cannot act on is logged, and its details are not returned.
func APIServerError(ctx context.Context, err error) error {
	var coded *connect.Error
	switch {
	case errors.As(err, &coded):
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	case apierrors.IsInvalid(err):
		return invalidError(err)
	case apierrors.IsNotFound(err): // the namespace
		return connect.NewError(connect.CodeFailedPrecondition, err)
	case apierrors.IsForbidden(err) && missingRight.MatchString(err.Error()):
		log.FromContext(ctx).Error(err, "the server lacks a right that its chart grants")
		return connect.NewError(connect.CodeFailedPrecondition, errors.New("tms-server lacks a right in the namespace; ask its administrator"))
	case apierrors.IsForbidden(err): // a quota, admission, or a namespace that is being deleted
		return connect.NewError(connect.CodeFailedPrecondition, err)
	case apierrors.IsConflict(err):
		return connect.NewError(connect.CodeAborted, errors.New("the lease changed during the call; retry"))
	}
	log.FromContext(ctx).Error(err, "call the API server")
	return connect.NewError(connect.CodeUnavailable, errors.New("the Kubernetes API server failed; retry"))
}

// invalidError returns the error for a lease that violates its CustomResourceDefinition.
func invalidError(err error) error {
	var status *apierrors.StatusError
	if !errors.As(err, &status) {
		return connect.NewError(connect.CodeInvalidArgument, err)
	}
	var list violations.List
	if status.ErrStatus.Details != nil {
		for _, cause := range status.ErrStatus.Details.Causes {
			list.Add(requestPath(cause.Field), cause.Message)
		}
	}
	if len(list) == 0 {
		return connect.NewError(connect.CodeInvalidArgument, errors.New(status.ErrStatus.Message))
	}
	return list.InvalidArgument()
}
