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
	"github.com/triton-leases/tms/internal/server/violations"
)

// create creates the desired lease, or returns the lease that an earlier call with the
// same request id created. If the cache has such a lease, a read is enough.
func (a *acquisition) create(ctx context.Context, desired *v1alpha1.TritonLease) (*v1alpha1.TritonLease, error) {
	if a.Client.Get(ctx, client.ObjectKeyFromObject(desired), new(v1alpha1.TritonLease)) == nil {
		lease, err := a.attachOnConflict(ctx, desired)
		if !errors.Is(err, errReleased) { // otherwise the cache is old
			return lease, err
		}
	}
	lease := desired.DeepCopy()
	lease.Spec.AcquireBy = a.acquireBy
	err := a.Client.Create(ctx, lease)
	if apierrors.IsAlreadyExists(err) {
		return a.attachOnConflict(ctx, desired)
	}
	if err != nil {
		return nil, APIServerError(ctx, err)
	}
	return lease, nil
}

// attachOnConflict calls attach again after a conflict. Conflicts are likely, because the
// controller updates the lease.
func (a *acquisition) attachOnConflict(ctx context.Context, desired *v1alpha1.TritonLease) (lease *v1alpha1.TritonLease, err error) {
	err = retry.RetryOnConflict(retry.DefaultRetry, func() error {
		lease, err = a.attach(ctx, desired)
		return err
	})
	if err != nil {
		return nil, APIServerError(ctx, err)
	}
	return lease, nil
}

// attach returns the existing lease if an earlier call with the same request id created
// it. If the lease is not acquired yet, attach extends its acquireBy time to that of this
// call.
func (a *acquisition) attach(ctx context.Context, desired *v1alpha1.TritonLease) (*v1alpha1.TritonLease, error) {
	existing := new(v1alpha1.TritonLease)
	err := a.APIReader.Get(ctx, client.ObjectKeyFromObject(desired), existing)
	if apierrors.IsNotFound(err) {
		return nil, errReleased
	}
	if err != nil {
		return nil, err
	}
	if err := checkSameRequest(existing, desired); err != nil {
		return nil, err
	}
	acquireBy := existing.Spec.AcquireBy
	if acquireBy == nil || a.acquireBy == nil || !acquireBy.Before(a.acquireBy) {
		return existing, nil
	}
	before := existing.DeepCopy()
	existing.Spec.AcquireBy = a.acquireBy
	return existing, a.Client.Patch(ctx, existing, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
}

// checkSameRequest returns an error if the existing lease is not of the same user, request
// id and spec.
func checkSameRequest(existing, desired *v1alpha1.TritonLease) error {
	var taken violations.List
	switch {
	case desired.Annotations[requestIDAnnotation] == "",
		existing.Annotations[requestIDAnnotation] != desired.Annotations[requestIDAnnotation],
		existing.Annotations[requestedByAnnotation] != desired.Annotations[requestedByAnnotation]:
		taken.Add("name", fmt.Sprintf("lease %q already exists", desired.Name))
	case !existing.DeletionTimestamp.IsZero():
		return connect.NewError(connect.CodeUnavailable, errors.New("the lease of this request_id is being deleted; retry"))
	case !sameSpec(existing, desired):
		taken.Add("request_id", "was used for a lease with another spec")
	}
	return taken.WithCode(connect.CodeAlreadyExists)
}

// sameSpec compares the requests of two leases as JSON, without the fields that the
// server and the controller set.
func sameSpec(a, b *v1alpha1.TritonLease) bool {
	mapA, errA := a.Spec.LeaseSpec.Map()
	mapB, errB := b.Spec.LeaseSpec.Map()
	return errA == nil && errB == nil && reflect.DeepEqual(mapA, mapB) &&
		reflect.DeepEqual(a.Spec.Duration, b.Spec.Duration) && reflect.DeepEqual(a.Spec.AutoRenew, b.Spec.AutoRenew)
}
