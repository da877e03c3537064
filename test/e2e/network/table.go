package network

import (
	"context"
	"net"
	"strconv"
	"sync"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/ptr"
)

// table has the endpoints that the proxy knows: those of the EndpointSlices, some time ago.
type table struct {
	delay   time.Duration
	changes chan change

	mu     sync.Mutex
	last   int                           // number of the last change
	slices map[service]map[string]change // the applied changes, by the name of the slice
}

type service struct{ namespace, name string }

// change is a new version of a slice, or its deletion.
type change struct {
	number  int
	at      time.Time
	slice   *discoveryv1.EndpointSlice
	deleted bool
}

func newTable(delay time.Duration) *table {
	return &table{delay: delay, changes: make(chan change, 1000), slices: map[service]map[string]change{}}
}

// handler returns the handler of the changes of slices.
func (t *table) handler() cache.ResourceEventHandler {
	return cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { t.learn(o.(*discoveryv1.EndpointSlice), false) },
		UpdateFunc: func(_, o any) { t.learn(o.(*discoveryv1.EndpointSlice), false) },
		DeleteFunc: func(o any) {
			if gone, ok := o.(cache.DeletedFinalStateUnknown); ok {
				o = gone.Obj
			}
			t.learn(o.(*discoveryv1.EndpointSlice), true)
		},
	}
}

// learn applies a change after the delay. If the Service has no endpoints, it also applies
// the change at once: kube-proxy waits only to combine changes.
func (t *table) learn(slice *discoveryv1.EndpointSlice, deleted bool) {
	t.mu.Lock()
	t.last++
	c := change{number: t.last, at: time.Now(), slice: slice, deleted: deleted}
	t.mu.Unlock()
	if len(t.endpoints(slice.Namespace, slice.Labels[discoveryv1.LabelServiceName], "*")) == 0 {
		t.apply(c)
	}
	t.changes <- c
}

// run applies the changes until the context is done.
func (t *table) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case c := <-t.changes:
			select {
			case <-ctx.Done():
				return
			case <-time.After(t.delay - time.Since(c.at)):
				t.apply(c)
			}
		}
	}
}

// apply applies a change, unless a later one has been applied.
func (t *table) apply(c change) {
	t.mu.Lock()
	defer t.mu.Unlock()
	key := service{c.slice.Namespace, c.slice.Labels[discoveryv1.LabelServiceName]}
	if t.slices[key] == nil {
		t.slices[key] = map[string]change{}
	}
	if c.number > t.slices[key][c.slice.Name].number {
		t.slices[key][c.slice.Name] = c
	}
}

// endpoints returns the addresses of a port of a Service, or of all its ports if port is
// "*": the ready ones. If none is ready, those that terminate and still serve, as
// kube-proxy does.
func (t *table) endpoints(namespace, name, port string) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var ready, serving []string
	for _, c := range t.slices[service{namespace, name}] {
		if c.deleted {
			continue
		}
		for _, p := range c.slice.Ports {
			if p.Port == nil || port != "*" && p.Name != nil && *p.Name != port {
				continue
			}
			for _, e := range c.slice.Endpoints {
				for _, address := range e.Addresses {
					address = net.JoinHostPort(address, strconv.Itoa(int(*p.Port)))
					switch {
					case ptr.Deref(e.Conditions.Ready, true):
						ready = append(ready, address)
					case ptr.Deref(e.Conditions.Serving, false) && ptr.Deref(e.Conditions.Terminating, false):
						serving = append(serving, address)
					}
				}
			}
		}
	}
	if len(ready) == 0 {
		return serving
	}
	return ready
}
