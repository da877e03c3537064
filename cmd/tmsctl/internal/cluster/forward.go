package cluster

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/streaming/pkg/httpstream"
)

// Dial connects to the first port of a Service: to one of its ready pods, as kubectl
// port-forward does, but without a local port.
func (c *Cluster) Dial(ctx context.Context, namespace, service string) (net.Conn, error) {
	pod, port, err := c.backend(ctx, namespace, service)
	if err != nil {
		return nil, err
	}
	var status atomic.Int64
	dialer, err := c.dialer(c.base.JoinPath("api", "v1", "namespaces", namespace, "pods", pod, "portforward"), &status)
	if err != nil {
		return nil, err
	}
	type result struct {
		net.Conn
		error
	}
	done := make(chan result, 1)
	go func() { // Dial has no context
		conn, err := forward(dialer, port)
		if err != nil {
			err = &Error{Status: int(status.Load()), Message: fmt.Sprintf("port-forward to pod %s of namespace %s: %v", pod, namespace, err)}
		}
		done <- result{conn, err}
	}()
	select {
	case r := <-done:
		return r.Conn, r.error
	case <-ctx.Done():
		go func() {
			if r := <-done; r.error == nil {
				_ = r.Close()
			}
		}()
		return nil, ctx.Err()
	}
}

// dialer returns the dialer of kubectl: SPDY over WebSocket, or SPDY if the API server is
// older or a proxy refuses WebSocket. It stores the status code of the last response.
func (c *Cluster) dialer(address *url.URL, status *atomic.Int64) (httpstream.Dialer, error) {
	config := rest.CopyConfig(c.config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return transport(func(request *http.Request) (*http.Response, error) {
			response, err := next.RoundTrip(request)
			if err == nil {
				status.Store(int64(response.StatusCode))
			}
			return response, err
		})
	})
	websocket, err := portforward.NewSPDYOverWebsocketDialerForStreaming(address, config)
	if err != nil {
		return nil, err
	}
	roundTripper, upgrader, err := spdy.RoundTripperFor(config)
	if err != nil {
		return nil, err
	}
	fallback := spdy.NewDialerForStreaming(upgrader, &http.Client{Transport: roundTripper}, http.MethodPost, address)
	return portforward.NewFallbackDialerForStreaming(websocket, fallback, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	}), nil
}

// backend returns a ready pod of a Service, and the port of its container.
func (c *Cluster) backend(ctx context.Context, namespace, name string) (pod string, port int, err error) {
	var service corev1.Service
	if err := c.get(ctx, &service, nil, "api", "v1", "namespaces", namespace, "services", name); err != nil {
		var failure *Error
		if errors.As(err, &failure) && failure.Status == http.StatusNotFound {
			return "", 0, fmt.Errorf("service %s does not exist in namespace %s of context %q: set --server-namespace and --service to those of tms-server", name, namespace, c.Context)
		}
		return "", 0, err
	}
	if len(service.Spec.Selector) == 0 || len(service.Spec.Ports) == 0 {
		return "", 0, fmt.Errorf("service %s of namespace %s has no selector or no port: set --service to that of tms-server", name, namespace)
	}
	pods, err := c.pods(ctx, namespace, service.Spec.Selector)
	if err != nil {
		return "", 0, err
	}
	ready := slices.DeleteFunc(pods, func(p corev1.Pod) bool { return !isReady(p) })
	if len(ready) == 0 {
		return "", 0, fmt.Errorf("service %s of namespace %s has no ready pod: wait with 'kubectl rollout status deployment %s -n %s'", name, namespace, name, namespace)
	}
	chosen := ready[rand.IntN(len(ready))]
	port, err = containerPort(chosen, service.Spec.Ports[0])
	return chosen.Name, port, err
}

// pods returns the pods with labels.
func (c *Cluster) pods(ctx context.Context, namespace string, selector map[string]string) ([]corev1.Pod, error) {
	var pods corev1.PodList
	query := url.Values{"labelSelector": {labels.SelectorFromSet(selector).String()}}
	err := c.get(ctx, &pods, query, "api", "v1", "namespaces", namespace, "pods")
	return pods.Items, err
}

func isReady(pod corev1.Pod) bool {
	return pod.DeletionTimestamp == nil && slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// containerPort returns the port of a pod that a port of a Service targets.
func containerPort(pod corev1.Pod, port corev1.ServicePort) (int, error) {
	if port.TargetPort.Type == intstr.Int {
		if port.TargetPort.IntValue() == 0 {
			return int(port.Port), nil
		}
		return port.TargetPort.IntValue(), nil
	}
	for _, container := range pod.Spec.Containers {
		for _, named := range container.Ports {
			if named.Name == port.TargetPort.StrVal {
				return int(named.ContainerPort), nil
			}
		}
	}
	return 0, fmt.Errorf("pod %s has no port %q", pod.Name, port.TargetPort.StrVal)
}

// forward connects to a port of a pod.
func forward(dialer httpstream.Dialer, port int) (net.Conn, error) {
	connection, _, err := dialer.Dial(portforward.PortForwardProtocolV1Name)
	if err != nil {
		return nil, err
	}
	headers := http.Header{}
	headers.Set(corev1.PortHeader, strconv.Itoa(port))
	headers.Set(corev1.PortForwardRequestIDHeader, "0")
	headers.Set(corev1.StreamType, corev1.StreamTypeError)
	errorStream, err := connection.CreateStream(headers)
	if err != nil {
		_ = connection.Close()
		return nil, err
	}
	_ = errorStream.Close() // nothing is written to it
	headers.Set(corev1.StreamType, corev1.StreamTypeData)
	data, err := connection.CreateStream(headers)
	if err != nil {
		_ = connection.Close()
		return nil, err
	}
	return newConn(connection, data, errorStream), nil
}
