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

// Changes tells those who wait for a lease that it changed in memory.
type Changes struct {
	lock    sync.Mutex
	waiting map[client.ObjectKey]map[chan struct{}]bool
}

// Watch returns the changes of all leases in a cache.
func Watch(ctx context.Context, leases cache.Cache) (*Changes, error) {
	c := &Changes{waiting: map[client.ObjectKey]map[chan struct{}]bool{}}
	informer, err := leases.GetInformer(ctx, new(v1alpha1.TritonLease), cache.BlockUntilSynced(false))
	if err != nil {
		return nil, fmt.Errorf("watch leases: %w", err)
	}
	_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc: c.tell, UpdateFunc: func(_, now any) { c.tell(now) }, DeleteFunc: c.tell,
	})
	if err != nil {
		return nil, fmt.Errorf("watch leases: %w", err)
	}
	return c, nil
}

// Of returns a channel that has something whenever a lease changed since it was last
// read, and a function to call in the end.
func (c *Changes) Of(lease client.ObjectKey) (changed <-chan struct{}, forget func()) {
	one := make(chan struct{}, 1)
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.waiting[lease] == nil {
		c.waiting[lease] = map[chan struct{}]bool{}
	}
	c.waiting[lease][one] = true
	return one, func() {
		c.lock.Lock()
		defer c.lock.Unlock()
		if delete(c.waiting[lease], one); len(c.waiting[lease]) == 0 {
			delete(c.waiting, lease)
		}
	}
}

func (c *Changes) tell(object any) {
	if gone, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
		object = gone.Obj
	}
	lease, ok := object.(*v1alpha1.TritonLease)
	if !ok {
		return
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	for one := range c.waiting[client.ObjectKeyFromObject(lease)] {
		select {
		case one <- struct{}{}:
		default: // it has not read the last change yet, and will read this one with it
		}
	}
}
