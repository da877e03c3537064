package requests

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/triton-leases/tms/test/e2e/node"
	"github.com/triton-leases/tms/test/e2e/triton"
)

// start runs a Triton on an address of the loopback device, and waits until it serves or
// exits. terminate sends SIGTERM.
func start(t *testing.T, ip, image string, b triton.Behavior, args ...string) (terminate func(), exit <-chan int32) {
	t.Helper()
	fleet := triton.NewFleet()
	pod := &corev1.Pod{}
	pod.Namespace, pod.Name = "test", "pod-"+ip
	fleet.Change(triton.Workload(pod), func(current *triton.Behavior) { *current = b })
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	c := &node.Container{Pod: pod, IP: ip, Log: log}
	c.Image, c.Args = image, append([]string{"tritonserver"}, args...)
	ctx, cancel := context.WithCancel(t.Context())
	code := make(chan int32, 1)
	go func() { code <- fleet.Run(ctx, c) }()
	t.Cleanup(func() {
		cancel()
		text, _ := os.ReadFile(log.Name())
		t.Logf("log of %s:\n%s", pod.Name, text)
	})
	for {
		if conn, err := net.Dial("tcp", ip+":8001"); err == nil {
			_ = conn.Close()
			return cancel, code
		}
		if len(code) > 0 {
			return cancel, code
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// answers waits until a load has a number of answers.
func answers(t *testing.T, l *Load, n int) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		l.mu.Lock()
		sum := 0
		for _, count := range l.result.Pods {
			sum += count
		}
		l.mu.Unlock()
		if sum >= n {
			return
		}
	}
	t.Fatalf("no %d answers: %v", n, l.Stop())
}

const image = "nvcr.io/nvidia/tritonserver:26.08-py3"

var quick = triton.Behavior{Service: 20 * time.Millisecond, Instances: 100}

// TestHTTP checks that requests are answered, and that those in flight are finished after
// SIGTERM, while new ones are refused.
func TestHTTP(t *testing.T) {
	t.Parallel()
	b := quick
	b.Service = 4 * time.Second
	terminate, exit := start(t, "127.0.4.1", image, b, "--model-control-mode=explicit", "--load-model=m")
	l := HTTP("127.0.4.1:8000", "m", 50)
	time.Sleep(time.Second)
	l.stop()
	time.Sleep(time.Second) // the last request arrives
	terminate()
	if r := l.Stop(); len(r.Failures) > 0 || r.Requests < 10 {
		t.Errorf("requests in flight: %v", r)
	}
	if code := <-exit; code != 0 {
		t.Errorf("exit code %d", code)
	}
	l = HTTP("127.0.4.1:8000", "m", 50)
	time.Sleep(200 * time.Millisecond)
	if r := l.Stop(); len(r.Failures) != r.Requests || r.Requests == 0 {
		t.Errorf("after the exit: %v", r)
	}
}

// TestExitTimeout checks that requests fail that take longer than --exit-timeout-secs.
func TestExitTimeout(t *testing.T) {
	t.Parallel()
	b := quick
	b.Service = time.Hour
	terminate, exit := start(t, "127.0.4.2", image, b, "--exit-timeout-secs", "1", "--model-control-mode=explicit", "--load-model=*")
	l := HTTP("127.0.4.2:8000", "bert", 20)
	time.Sleep(300 * time.Millisecond)
	l.stop()
	time.Sleep(100 * time.Millisecond)
	terminate()
	if r := l.Stop(); len(r.Failures) != r.Requests || r.Requests == 0 {
		t.Errorf("requests in flight: %v", r)
	}
	if code := <-exit; code != 1 {
		t.Errorf("exit code %d", code)
	}
}

// TestConnectionAge checks that requests over a long-lived connection do not fail when
// Triton closes the connection, and that an older Triton does not start with the option.
func TestConnectionAge(t *testing.T) {
	t.Parallel()
	_, _ = start(t, "127.0.4.3", image, quick, "--grpc-max-connection-age=300", "--grpc-max-connection-age-grace=5000",
		"--model-control-mode=explicit", "--load-model=m")
	l, err := GRPC("127.0.4.3:8001", "m", 2, 50)
	if err != nil {
		t.Fatal(err)
	}
	answers(t, l, 100) // two connections send 100 in a second, and are closed three times
	if r := l.Stop(); len(r.Failures) > 0 {
		t.Errorf("%v", r)
	}
	_, exit := start(t, "127.0.4.4", "nvcr.io/nvidia/tritonserver:23.10-py3", quick, "--grpc-max-connection-age=300")
	if code := <-exit; code != 1 {
		t.Errorf("23.10: exit code %d", code)
	}
}
