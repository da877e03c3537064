package controller

import (
	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// specChanged reports whether the spec of a lease changed, another lease has its name now,
// or the lease was released by its installation. All other changes of the status are the controller's own.
func specChanged(e event.UpdateEvent) bool {
	before, wasLease := e.ObjectOld.(*v1alpha1.TritonLease)
	after, isLease := e.ObjectNew.(*v1alpha1.TritonLease)
	return !wasLease || !isLease || before.UID != after.UID || before.Generation != after.Generation ||
		before.Status.Installation != after.Status.Installation && after.Status.Installation == ""
}

// contentChanged reports whether more than the resource version of an object changed.
func contentChanged(e event.UpdateEvent) bool {
	return !equality.Semantic.DeepEqual(withoutVersion(e.ObjectOld), withoutVersion(e.ObjectNew))
}

func withoutVersion(object client.Object) client.Object {
	object = shallowCopy(object)
	object.SetResourceVersion("")
	return object
}
