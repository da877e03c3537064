// Package network simulates CoreDNS and kube-proxy: the names of Services resolve,
// and connections to their cluster addresses reach ready pods. Both use caches, so they
// work while the API server is down, as the real ones do.
package network

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	discoverylisters "k8s.io/client-go/listers/discovery/v1"
	"k8s.io/client-go/tools/cache"
)

// Network is the Services of a cluster.
type Network struct {
	services corelisters.ServiceLister
	slices   discoverylisters.EndpointSliceLister
	report   func(format string, args ...any)
}

// Start serves DNS on dnsAddress and proxies Services, until the context is done.
func Start(ctx context.Context, client kubernetes.Interface, dnsAddress string, report func(string, ...any)) (*Network, error) {
	factory := informers.NewSharedInformerFactory(client, 0)
	n := &Network{
		services: factory.Core().V1().Services().Lister(),
		slices:   factory.Discovery().V1().EndpointSlices().Lister(),
		report:   report,
	}
	synced := []cache.InformerSynced{factory.Core().V1().Services().Informer().HasSynced, factory.Discovery().V1().EndpointSlices().Informer().HasSynced}
	factory.Start(ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), synced...) {
		return nil, errors.New("services: the cache did not sync")
	}
	if err := n.serveDNS(ctx, dnsAddress); err != nil {
		return nil, err
	}
	go n.proxy(ctx)
	return n, nil
}

// endpoints returns the ready addresses of a port of a Service, or of all its ports if port
// is "*".
func (n *Network) endpoints(namespace, service, port string) []string {
	slices, err := n.slices.EndpointSlices(namespace).List(labels.SelectorFromSet(labels.Set{discoveryv1.LabelServiceName: service}))
	if err != nil {
		return nil
	}
	var addresses []string
	for _, slice := range slices {
		for _, p := range slice.Ports {
			if p.Port == nil || port != "*" && p.Name != nil && *p.Name != port {
				continue
			}
			for _, e := range slice.Endpoints {
				if e.Conditions.Ready != nil && !*e.Conditions.Ready {
					continue
				}
				for _, address := range e.Addresses {
					addresses = append(addresses, net.JoinHostPort(address, strconv.Itoa(int(*p.Port))))
				}
			}
		}
	}
	return addresses
}

// Resolve returns the addresses of <service>.<namespace>.svc[.cluster.local], or nil if the
// Service does not exist.
func (n *Network) Resolve(name string) []string {
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
	addresses := []string{}
	for _, endpoint := range n.endpoints(parts[1], parts[0], "*") {
		host, _, err := net.SplitHostPort(endpoint)
		if err == nil {
			addresses = append(addresses, host)
		}
	}
	return addresses
}
