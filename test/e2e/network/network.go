// Package network simulates CoreDNS and kube-proxy: the names of Services resolve,
// and connections to their cluster addresses reach ready pods. Both use caches, so they
// work while the API server is down, as the real ones do. As kube-proxy, the proxy learns
// of changed endpoints with a delay, and keeps established connections.
package network

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	discoverylisters "k8s.io/client-go/listers/discovery/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/ptr"
)

// Config is the configuration of a network.
type Config struct {
	Client kubernetes.Interface
	// DNS is the address of the DNS server.
	DNS string
	// Delay is the time after which the proxy learns of a change of endpoints. It learns
	// at once of the first endpoints of a Service.
	Delay  time.Duration
	Report func(format string, args ...any)
}

// Network is the Services of a cluster.
type Network struct {
	services corelisters.ServiceLister
	slices   discoverylisters.EndpointSliceLister
	table    *table
	hosts    sync.Map // addresses by name
	report   func(format string, args ...any)
}

// Start serves DNS and proxies Services, until the context is done.
func Start(ctx context.Context, config Config) (*Network, error) {
	factory := informers.NewSharedInformerFactory(config.Client, 0)
	n := &Network{
		services: factory.Core().V1().Services().Lister(),
		slices:   factory.Discovery().V1().EndpointSlices().Lister(),
		table:    newTable(config.Delay),
		report:   config.Report,
	}
	slices := factory.Discovery().V1().EndpointSlices().Informer()
	if _, err := slices.AddEventHandler(n.table.handler()); err != nil {
		return nil, fmt.Errorf("watch endpoints: %w", err)
	}
	go n.table.run(ctx)
	synced := []cache.InformerSynced{factory.Core().V1().Services().Informer().HasSynced, slices.HasSynced}
	factory.Start(ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), synced...) {
		return nil, errors.New("services: the cache did not sync")
	}
	if err := n.serveDNS(ctx, config.DNS); err != nil {
		return nil, err
	}
	go n.proxy(ctx)
	return n, nil
}

// AddHost adds the name of a host outside the cluster.
func (n *Network) AddHost(name, address string) { n.hosts.Store(name, []string{address}) }

// Resolve returns the addresses of <service>.<namespace>.svc[.cluster.local] or of a host
// outside the cluster, or nil if the name does not exist. Those of a headless Service are the
// addresses of its ready pods.
func (n *Network) Resolve(name string) []string {
	if addresses, ok := n.hosts.Load(name); ok {
		return addresses.([]string)
	}
	parts := strings.Split(strings.TrimSuffix(name, ".cluster.local"), ".")
	if len(parts) != 3 || parts[2] != "svc" {
		return nil
	}
	service, err := n.services.Services(parts[1]).Get(parts[0])
	if err != nil {
		return nil
	}
	if service.Spec.ClusterIP != corev1.ClusterIPNone {
		return []string{service.Spec.ClusterIP}
	}
	found, err := n.slices.EndpointSlices(parts[1]).List(labels.SelectorFromSet(labels.Set{discoveryv1.LabelServiceName: parts[0]}))
	if err != nil {
		return nil
	}
	addresses := []string{}
	for _, slice := range found {
		for _, e := range slice.Endpoints {
			if ptr.Deref(e.Conditions.Ready, true) {
				addresses = append(addresses, e.Addresses...)
			}
		}
	}
	return addresses
}
