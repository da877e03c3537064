package lease

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"connectrpc.com/connect"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// create makes the lease, or finds the one that an earlier call with the same request
// id made.
func (a *acquisition) create(ctx context.Context, wanted *v1alpha1.TritonLease) (*v1alpha1.TritonLease, error) {
	lease := wanted.DeepCopy()
	lease.Spec.AcquireBy = a.by
	err := a.Client.Create(ctx, lease)
	if apierrors.IsAlreadyExists(err) {
		// The controller writes down what it sees all the time.
		err = retry.RetryOnConflict(retry.DefaultRetry, func() error {
			lease, err = a.attach(ctx, wanted)
			return err
		})
	}
	if err != nil {
		return nil, failed(ctx, err)
	}
	return lease, nil
}

// attach goes on with a lease that is there, where it is that of an earlier call, and
// has as long for it as this one. One that was acquired stays so.
func (a *acquisition) attach(ctx context.Context, wanted *v1alpha1.TritonLease) (*v1alpha1.TritonLease, error) {
	there := new(v1alpha1.TritonLease)
	err := a.Live.Get(ctx, client.ObjectKeyFromObject(wanted), there)
	if apierrors.IsNotFound(err) {
		return nil, errReleased // a moment ago
	}
	if err != nil {
		return nil, err
	}
	if err := same(there, wanted); err != nil {
		return nil, err
	}
	by := there.Spec.AcquireBy
	if by == nil || a.by == nil || !by.Before(a.by) {
		return there, nil
	}
	before := there.DeepCopy()
	there.Spec.AcquireBy = a.by
	return there, a.Client.Patch(ctx, there, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
}

// same refuses to take a lease for that of an earlier call which is not.
func same(there, wanted *v1alpha1.TritonLease) error {
	taken := connect.NewError(connect.CodeAlreadyExists, fmt.Errorf("name: there is a lease %q already", wanted.Name))
	switch {
	case wanted.Annotations[requestID] == "" || there.Annotations[requestID] != wanted.Annotations[requestID],
		there.Annotations[requestedBy] != wanted.Annotations[requestedBy]:
		return taken
	case !there.DeletionTimestamp.IsZero():
		return connect.NewError(connect.CodeUnavailable, errors.New("the lease of this request_id is being released; try again"))
	case !asksTheSame(there, wanted):
		return connect.NewError(connect.CodeAlreadyExists, errors.New("request_id: it was used for a lease that asks for something else"))
	}
	return nil
}

// asksTheSame compares what two leases ask for, as they are written down.
func asksTheSame(a, b *v1alpha1.TritonLease) bool {
	one, errOne := a.Spec.LeaseSpec.Map()
	other, errOther := b.Spec.LeaseSpec.Map()
	return errOne == nil && errOther == nil && reflect.DeepEqual(one, other) &&
		reflect.DeepEqual(a.Spec.Duration, b.Spec.Duration) && reflect.DeepEqual(a.Spec.AutoRenew, b.Spec.AutoRenew)
}
