package node

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
)

// TestPortForward forwards a port with the client of kubectl.
func TestPortForward(t *testing.T) {
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, io.MultiReader(strings.NewReader("echo "), r.Body))
	}))
	defer backend.Close()
	_, port, err := net.SplitHostPort(backend.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	n := &Node{pods: map[types.UID]*pod{}}
	n.pods["1"] = newPod(n, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "b"}}, "127.0.0.1")
	mux := http.NewServeMux()
	mux.HandleFunc("/portForward/{namespace}/{pod}", n.portForward)
	kubelet := httptest.NewServer(mux)
	defer kubelet.Close()

	local, stop, done := forwardTo(t, kubelet.URL+"/portForward/a/b", port)
	large := strings.Repeat("x", 1<<20)
	for range 3 {
		if got, err := post(local, large); err != nil || got != "echo "+large {
			t.Fatalf("got %d bytes, %v", len(got), err)
		}
	}
	close(stop)
	if err := <-done; err != nil {
		t.Error(err)
	}

	backend.Close()
	local, _, done = forwardTo(t, kubelet.URL+"/portForward/a/b", port)
	if got, err := post(local, "x"); err == nil {
		t.Errorf("an answer of a closed port: %s", got)
	}
	// kubectl ends the forwarding when it receives an error.
	select {
	case err := <-done:
		if !errors.Is(err, portforward.ErrLostConnectionToPod) {
			t.Errorf("a closed port: %v", err)
		}
	case <-time.After(time.Minute):
		t.Error("kubectl does not learn that the port is closed")
	}

	response, err := http.Post(kubelet.URL+"/portForward/a/absent", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusNotFound {
		t.Errorf("a pod that does not exist: %s", response.Status)
	}
}

// forwardTo forwards a local port until stop is closed or an error occurs.
func forwardTo(t *testing.T, address, port string) (local uint16, stop chan struct{}, done chan error) {
	t.Helper()
	transport, upgrader, err := spdy.RoundTripperFor(&rest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	target, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	stop, done = make(chan struct{}), make(chan error, 1)
	ready := make(chan struct{})
	dialer := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, target)
	forwarder, err := portforward.NewOnAddresses(dialer, []string{"127.0.0.1"}, []string{"0:" + port}, stop, ready, io.Discard, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	go func() { done <- forwarder.ForwardPorts() }()
	select {
	case <-ready:
	case err := <-done:
		t.Fatal(err)
	}
	ports, err := forwarder.GetPorts()
	if err != nil {
		t.Fatal(err)
	}
	return ports[0].Local, stop, done
}

func post(port uint16, body string) (string, error) {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Post(fmt.Sprintf("http://127.0.0.1:%d", port), "text/plain", strings.NewReader(body))
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	return string(text), err
}
