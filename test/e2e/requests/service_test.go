package requests

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/utils/ptr"

	"github.com/triton-leases/tms/test/e2e/network"
	"github.com/triton-leases/tms/test/e2e/node"
	"github.com/triton-leases/tms/test/e2e/triton"
)

// service is a Service with Tritons behind it, without a cluster: the test sets the
// endpoints.
type service struct {
	*testing.T
	client     *fake.Clientset
	fleet      *triton.Fleet
	arguments  []string
	http, grpc string // its addresses
	pods       []*pod
}

type pod struct {
	ip          string
	terminating bool
	terminate   context.CancelFunc
}

// newService returns a Service with a cluster address in 127.0.<net>.0/24.
func newService(t *testing.T, net int, arguments ...string) *service {
	ip := fmt.Sprintf("127.0.%d.1", net)
	s := &service{
		T: t, client: fake.NewSimpleClientset(), fleet: triton.NewFleet(), http: ip + ":8000", grpc: ip + ":8001",
		arguments: append([]string{"tritonserver", "--model-control-mode=explicit", "--load-model=m"}, arguments...),
	}
	s.fleet.Change("test/m", func(b *triton.Behavior) {
		*b = triton.Behavior{Service: 200 * time.Millisecond, Instances: 1000}
	})
	object := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "test", Name: "m"}, Spec: corev1.ServiceSpec{ClusterIP: ip}}
	for name, port := range map[string]int32{"http": 8000, "grpc": 8001} {
		object.Spec.Ports = append(object.Spec.Ports, corev1.ServicePort{Name: name, Port: port, Protocol: corev1.ProtocolTCP})
	}
	if _, err := s.client.CoreV1().Services("test").Create(t.Context(), object, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := network.Start(t.Context(), network.Config{Client: s.client, DNS: "127.0.0.1:0", Delay: 300 * time.Millisecond, Report: t.Logf}); err != nil {
		t.Fatal(err)
	}
	return s
}

// add adds a pod, and waits until it is ready.
func (s *service) add() {
	host, _, _ := strings.Cut(s.http, ":")
	ip := strings.TrimSuffix(host, ".1") + "." + strconv.Itoa(len(s.pods)+2)
	object := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "test", Name: "m-hash-" + ip, OwnerReferences: []metav1.OwnerReference{{}}}}
	ctx, cancel := context.WithCancel(context.Background())
	s.Cleanup(cancel)
	c := &node.Container{Pod: object, IP: ip, Log: os.Stderr}
	c.Image, c.Args = image, s.arguments
	go s.fleet.Run(ctx, c)
	s.pods = append(s.pods, &pod{ip: ip, terminate: cancel})
	for {
		if conn, err := net.Dial("tcp", ip+":8001"); err == nil {
			_ = conn.Close()
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	s.publish()
}

// publish writes the EndpointSlice of the Service.
func (s *service) publish() {
	s.Helper()
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{Namespace: "test", Name: "m-1", Labels: map[string]string{discoveryv1.LabelServiceName: "m"}},
		Ports:      []discoveryv1.EndpointPort{{Name: ptr.To("http"), Port: ptr.To[int32](8000)}, {Name: ptr.To("grpc"), Port: ptr.To[int32](8001)}},
	}
	for _, p := range s.pods {
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{Addresses: []string{p.ip}, Conditions: discoveryv1.EndpointConditions{
			Ready: ptr.To(!p.terminating), Serving: ptr.To(true), Terminating: ptr.To(p.terminating),
		}})
	}
	api := s.client.DiscoveryV1().EndpointSlices("test")
	if _, err := api.Update(s.Context(), slice, metav1.UpdateOptions{}); err != nil {
		if _, err := api.Create(s.Context(), slice, metav1.CreateOptions{}); err != nil {
			s.Fatal(err)
		}
	}
}

// TestDrain removes four of five pods under load. With a preStop hook no request fails,
// without one some do.
func TestDrain(t *testing.T) {
	t.Parallel()
	for i, hook := range []time.Duration{2 * time.Second, 0} {
		t.Run(fmt.Sprint("preStop ", hook), func(t *testing.T) {
			t.Parallel()
			s := newService(t, 10+i)
			for range 5 {
				s.add()
			}
			l := HTTP(s.http, "m", 100)
			answers(t, l, 50)
			for _, p := range s.pods[1:] {
				p.terminating = true
			}
			s.publish()
			time.Sleep(hook)
			for _, p := range s.pods[1:] {
				p.terminate()
			}
			time.Sleep(time.Second)
			r := l.Stop()
			t.Log(r)
			if failed := len(r.Failures) > 0; failed != (hook == 0) || len(r.Pods) != 5 {
				t.Error("failed")
			}
		})
	}
}

// TestNewPods adds three pods to one under load over long-lived connections. With a maximum
// age of connections all pods get requests, without one only the first does.
func TestNewPods(t *testing.T) {
	t.Parallel()
	for i, arguments := range [][]string{{"--grpc-max-connection-age", "300"}, nil} {
		t.Run(fmt.Sprint(arguments), func(t *testing.T) {
			t.Parallel()
			s := newService(t, 20+i, arguments...)
			s.add()
			l, err := GRPC(s.grpc, "m", 100, 2)
			if err != nil {
				t.Fatal(err)
			}
			answers(t, l, 200)
			for range 3 {
				s.add()
			}
			time.Sleep(2 * time.Second)
			l.Take()
			time.Sleep(3 * time.Second)
			r := l.Stop()
			t.Log(r)
			if len(r.Failures) > 0 || arguments == nil && len(r.Pods) != 1 {
				t.Error("failed")
			}
			for _, p := range s.pods { // in 3 s, each connection chooses ten times
				if share := 4 * float64(r.Pods["m-hash-"+p.ip]) / float64(r.Requests); arguments != nil && (share < 0.6 || share > 1.4) {
					t.Errorf("%s has %.2f of an even share", p.ip, share)
				}
			}
		})
	}
}
