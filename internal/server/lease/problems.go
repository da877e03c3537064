package lease

import (
	"context"
	"errors"
	"regexp"

	"connectrpc.com/connect"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/triton-leases/tms/internal/server/problem"
	"github.com/triton-leases/tms/pkg/policy"
)

// add adds the reasons why a lease is refused, in the words of requests.
func add(to *problem.Violations, reasons field.ErrorList) {
	for _, reason := range reasons {
		to.Add(requestPaths(reason.Field), "%s", requestPaths(reason.ErrorBody()))
	}
}

// refused returns the policy's reasons: a request that contradicts itself is invalid
// wherever it is made, one that is forbidden may be granted elsewhere, or later.
func refused(reasons policy.Refusal) error {
	var all problem.Violations
	add(&all, field.ErrorList(reasons))
	for _, reason := range reasons {
		if reason.Type != field.ErrorTypeForbidden {
			return all.Err()
		}
	}
	return all.As(connect.CodeFailedPrecondition)
}

// ofServer is how Kubernetes says that whoever asks has no right. The caller has it:
// it is the server that has not, and who that is, is nobody's business. What admission
// says, on the other hand, he would hear from kubectl, too.
var ofServer = regexp.MustCompile(`is forbidden: User ".*" cannot `)

// failed says what an error of the API server means to a caller who may do what he
// asked for. What he can do nothing about stands in the log.
func failed(ctx context.Context, err error) error {
	status, said := new(apierrors.StatusError), new(connect.Error)
	var all problem.Violations
	switch {
	case errors.As(err, &said):
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &status) && apierrors.IsInvalid(err):
		if status.ErrStatus.Details != nil {
			for _, cause := range status.ErrStatus.Details.Causes {
				all.Add(requestPaths(cause.Field), "%s", requestPaths(cause.Message))
			}
		}
		if len(all) > 0 {
			return all.Err()
		}
		return connect.NewError(connect.CodeInvalidArgument, errors.New(status.ErrStatus.Message))
	case apierrors.IsNotFound(err): // the namespace
		return connect.NewError(connect.CodeFailedPrecondition, err)
	case apierrors.IsForbidden(err) && ofServer.MatchString(err.Error()):
		log.FromContext(ctx).Error(err, "the server has not the rights that its chart gives it")
		return connect.NewError(connect.CodeFailedPrecondition, errors.New("the server itself may not do that in the namespace; ask its administrator"))
	case apierrors.IsForbidden(err): // a quota, a rule of admission, or a namespace that is being deleted
		return connect.NewError(connect.CodeFailedPrecondition, err)
	case apierrors.IsConflict(err):
		return connect.NewError(connect.CodeAborted, errors.New("the lease was changed meanwhile; try again"))
	}
	log.FromContext(ctx).Error(err, "ask the API server")
	return connect.NewError(connect.CodeUnavailable, errors.New("the API server of Kubernetes does not answer as it should; try again"))
}
