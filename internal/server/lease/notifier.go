package lease

import (
	"context"
	"fmt"
	"sync"

	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// Notifier notifies subscribers when a lease changes in the cache. It is safe for
// concurrent use.
type Notifier struct {
	lock        sync.Mutex
	subscribers map[client.ObjectKey]map[chan struct{}]bool
}

// NewNotifier returns a Notifier for the leases in a cache.
func NewNotifier(ctx context.Context, leases cache.Cache) (*Notifier, error) {
	n := &Notifier{subscribers: map[client.ObjectKey]map[chan struct{}]bool{}}
	informer, err := leases.GetInformer(ctx, new(v1alpha1.TritonLease), cache.BlockUntilSynced(false))
	if err != nil {
		return nil, fmt.Errorf("watch leases: %w", err)
	}
	_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc: n.notify, UpdateFunc: func(_, updated any) { n.notify(updated) }, DeleteFunc: n.notify,
	})
	if err != nil {
		return nil, fmt.Errorf("watch leases: %w", err)
	}
	return n, nil
}

// Subscribe returns a channel that receives a value after a lease changed. Several changes
// can share one value. The caller must call unsubscribe.
func (n *Notifier) Subscribe(lease client.ObjectKey) (changed <-chan struct{}, unsubscribe func()) {
	subscriber := make(chan struct{}, 1)
	n.lock.Lock()
	defer n.lock.Unlock()
	if n.subscribers[lease] == nil {
		n.subscribers[lease] = map[chan struct{}]bool{}
	}
	n.subscribers[lease][subscriber] = true
	return subscriber, func() {
		n.lock.Lock()
		defer n.lock.Unlock()
		delete(n.subscribers[lease], subscriber)
		if len(n.subscribers[lease]) == 0 {
			delete(n.subscribers, lease)
		}
	}
}

func (n *Notifier) notify(object any) {
	if deleted, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
		object = deleted.Obj
	}
	lease, ok := object.(*v1alpha1.TritonLease)
	if !ok {
		return
	}
	n.lock.Lock()
	defer n.lock.Unlock()
	for subscriber := range n.subscribers[client.ObjectKeyFromObject(lease)] {
		select {
		case subscriber <- struct{}{}:
		default: // the subscriber has not received the previous change yet
		}
	}
}
