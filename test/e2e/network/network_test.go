package network

import (
	"context"
	"io"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/utils/ptr"
)

// world has a Service with a cluster address on the loopback device, and a headless one
// with the same pods.
type world struct {
	*testing.T
	client  *fake.Clientset
	network *Network
	port    int
}

const clusterIP, delay = "127.0.5.1", 300 * time.Millisecond

func newWorld(t *testing.T) *world {
	w := &world{T: t, client: fake.NewSimpleClientset()}
	probe, err := net.Listen("tcp", clusterIP+":0")
	if err != nil {
		t.Fatal(err)
	}
	w.port = int(netip.MustParseAddrPort(probe.Addr().String()).Port())
	_ = probe.Close()
	for name, ip := range map[string]string{"model": clusterIP, "model-headless": corev1.ClusterIPNone} {
		service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "test", Name: name}}
		service.Spec = corev1.ServiceSpec{ClusterIP: ip, Ports: []corev1.ServicePort{{Name: "http", Port: int32(w.port), Protocol: corev1.ProtocolTCP}}}
		if _, err := w.client.CoreV1().Services("test").Create(t.Context(), service, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if w.network, err = Start(t.Context(), Config{Client: w.client, DNS: "127.0.0.1:0", Delay: delay, Report: t.Logf}); err != nil {
		t.Fatal(err)
	}
	return w
}

// pod starts a pod that writes its address to each connection, and echoes what it reads.
func (w *world) pod(ip string) net.Listener {
	l, err := net.Listen("tcp", net.JoinHostPort(ip, "7070"))
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, ip)
			go func() { _, _ = io.Copy(conn, conn) }()
		}
	}()
	return l
}

// endpoints sets the endpoints of both Services. A terminating pod serves until it ends.
func (w *world) endpoints(ready, terminating []string) {
	for _, service := range []string{"model", "model-headless"} {
		slice := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{
			Namespace: "test", Name: service + "-1", Labels: map[string]string{discoveryv1.LabelServiceName: service},
		}}
		for _, port := range []string{"http", "metrics"} {
			slice.Ports = append(slice.Ports, discoveryv1.EndpointPort{Name: &port, Port: ptr.To[int32](7070)})
		}
		for _, ip := range ready {
			slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{Addresses: []string{ip}, Conditions: discoveryv1.EndpointConditions{Ready: ptr.To(true)}})
		}
		for _, ip := range terminating {
			slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{Addresses: []string{ip}, Conditions: discoveryv1.EndpointConditions{
				Ready: ptr.To(false), Serving: ptr.To(true), Terminating: ptr.To(true),
			}})
		}
		api := w.client.DiscoveryV1().EndpointSlices("test")
		if _, err := api.Update(w.Context(), slice, metav1.UpdateOptions{}); err != nil {
			if _, err := api.Create(w.Context(), slice, metav1.CreateOptions{}); err != nil {
				w.Fatal(err)
			}
		}
	}
}

// connect connects to the Service, and returns the address of the pod ("" if there is none).
func (w *world) connect() (net.Conn, string) {
	conn, err := net.DialTimeout("tcp", netip.AddrPortFrom(netip.MustParseAddr(clusterIP), uint16(w.port)).String(), time.Second)
	if err != nil {
		return nil, ""
	}
	w.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	text := make([]byte, 100)
	n, _ := conn.Read(text)
	return conn, string(text[:n])
}

// reached returns the pods that many connections reach.
func (w *world) reached() []string {
	var pods []string
	for range 40 {
		_, pod := w.connect()
		pods = append(pods, pod)
	}
	slices.Sort(pods)
	return slices.Compact(pods)
}

func (w *world) eventually(what string, condition func() bool) {
	w.Helper()
	for end := time.Now().Add(10 * time.Second); !condition(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			w.Fatalf("timed out: %s", what)
		}
	}
}

// TestProxy checks that the proxy keeps established connections, learns of changes late,
// and reaches terminating pods only if no other is ready.
func TestProxy(t *testing.T) {
	w := newWorld(t)
	const one, two = "127.0.5.11", "127.0.5.12"
	w.pod(one)
	w.pod(two)
	w.endpoints([]string{one, two}, nil)
	w.eventually("both pods are reached", func() bool { return slices.Equal(w.reached(), []string{one, two}) })
	var kept net.Conn
	for pod := ""; pod != one; {
		kept, pod = w.connect()
	}

	w.endpoints([]string{two}, []string{one})
	w.eventually("the cache has the change", func() bool {
		return slices.Equal(w.network.Resolve("model-headless.test.svc"), []string{two})
	})
	if got := w.network.table.endpoints("test", "model", "http"); len(got) != 2 {
		t.Errorf("the proxy knows the change at once: %v", got)
	}
	w.eventually("only the ready pod is reached", func() bool { return slices.Equal(w.reached(), []string{two}) })
	_, _ = io.WriteString(kept, "echo")
	text := make([]byte, 4)
	if _, err := io.ReadFull(kept, text); err != nil || string(text) != "echo" {
		t.Errorf("the established connection is cut: %q, %v", text, err)
	}

	w.endpoints(nil, []string{one})
	w.eventually("the terminating pod is reached", func() bool { return slices.Equal(w.reached(), []string{one}) })
	w.endpoints(nil, nil)
	w.eventually("no pod is reached", func() bool { return slices.Equal(w.reached(), []string{""}) })
}

// TestResolve checks the names of Services.
func TestResolve(t *testing.T) {
	w := newWorld(t)
	w.endpoints([]string{"127.0.5.21", "127.0.5.22"}, []string{"127.0.5.23"})
	for name, want := range map[string][]string{
		"model.test.svc":                        {clusterIP},
		"model-headless.test.svc":               {"127.0.5.21", "127.0.5.22"},
		"model-headless.test.svc.cluster.local": {"127.0.5.21", "127.0.5.22"},
		"other.test.svc":                        nil,
		"model.test":                            nil,
	} {
		w.eventually(name, func() bool { return slices.Equal(w.network.Resolve(name), want) })
	}
}

// TestTable checks that a late change does not undo a later one that was applied at once.
func TestTable(t *testing.T) {
	table := newTable(100 * time.Millisecond)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	slice := func(addresses ...string) *discoveryv1.EndpointSlice {
		s := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{
			Namespace: "test", Name: "model-1", Labels: map[string]string{discoveryv1.LabelServiceName: "model"},
		}, Ports: []discoveryv1.EndpointPort{{Port: ptr.To[int32](1)}}}
		for _, address := range addresses {
			s.Endpoints = append(s.Endpoints, discoveryv1.Endpoint{Addresses: []string{address}})
		}
		return s
	}
	table.learn(slice(), false)
	table.learn(slice("10.0.0.1"), false)
	go table.run(ctx)
	for end := time.Now().Add(200 * time.Millisecond); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if len(table.endpoints("test", "model", "*")) != 1 {
			t.Fatal("the first endpoint is not known")
		}
	}
}
