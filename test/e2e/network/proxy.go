package network

import (
	"context"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// proxy listens on the ports of every Service, and closes the listeners of deleted ones.
func (n *Network) proxy(ctx context.Context) {
	listeners := map[string]net.Listener{}
	defer func() {
		for _, l := range listeners {
			_ = l.Close()
		}
	}()
	for ctx.Err() == nil {
		wanted := map[string]bool{}
		services, _ := n.services.List(labels.Everything()) // a cache does not fail
		for _, service := range services {
			if service.Spec.ClusterIP == "" || service.Spec.ClusterIP == corev1.ClusterIPNone {
				continue
			}
			for _, port := range service.Spec.Ports {
				address := net.JoinHostPort(service.Spec.ClusterIP, strconv.Itoa(int(port.Port)))
				wanted[address] = true
				if listeners[address] != nil || port.Protocol != corev1.ProtocolTCP {
					continue
				}
				l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
				if err != nil {
					n.report("service %s/%s: %v", service.Namespace, service.Name, err)
					continue
				}
				listeners[address] = l
				go n.accept(l, service.Namespace, service.Name, port.Name)
			}
		}
		for address, l := range listeners {
			if !wanted[address] {
				_ = l.Close()
				delete(listeners, address)
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(300 * time.Millisecond):
		}
	}
}

func (n *Network) accept(l net.Listener, namespace, service, port string) {
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer func() { _ = client.Close() }()
			endpoints := n.table.endpoints(namespace, service, port)
			if len(endpoints) == 0 {
				return
			}
			server, err := net.DialTimeout("tcp", endpoints[rand.IntN(len(endpoints))], 3*time.Second)
			if err != nil {
				return
			}
			defer func() { _ = server.Close() }()
			go func() {
				_, _ = io.Copy(server, client)
				_ = server.(*net.TCPConn).CloseWrite()
			}()
			_, _ = io.Copy(client, server)
		}()
	}
}
