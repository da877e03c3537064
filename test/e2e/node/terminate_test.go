package node

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// witness is a runner that records what happens to its container. It ignores SIGTERM for a
// while.
type witness struct {
	ignores time.Duration
	start   time.Time
	mu      sync.Mutex
	events  []string
	at      map[string]time.Duration
}

func (w *witness) note(event string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.at == nil {
		w.at = map[string]time.Duration{}
	}
	w.events, w.at[event] = append(w.events, event), time.Since(w.start)
}

func (w *witness) Run(ctx context.Context, c *Container) int32 {
	w.note("started")
	go func() {
		<-c.Deleted()
		w.note("deleted")
	}()
	<-ctx.Done()
	select {
	case <-c.Killed():
		w.note("killed")
		return 137
	default:
	}
	w.note("terminated")
	select {
	case <-c.Killed():
		w.note("killed")
		return 137
	case <-time.After(w.ignores):
		return 0
	}
}

// terminated runs a pod with a lifecycle, deletes it with a grace period and returns what
// its container saw, and its exit code. During the termination it calls during.
func terminated(t *testing.T, w *witness, lifecycle *corev1.Lifecycle, ip string, grace int64, during func(*pod)) int32 {
	t.Helper()
	n := &Node{config: Config{Dir: t.TempDir(), Logs: t.TempDir(), Images: map[string]Runner{"image": w}, Report: t.Logf}}
	object := &corev1.Pod{Spec: corev1.PodSpec{RestartPolicy: corev1.RestartPolicyAlways, Containers: []corev1.Container{{
		Name: "c", Image: "image", Lifecycle: lifecycle,
	}}}}
	p := newPod(n, object, ip)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan struct{})
	go func() {
		p.keep(ctx, alive(ctx, p), object.Spec.Containers[0])
		close(ended)
	}()
	for {
		p.mu.Lock()
		ready := p.containers["c"].ready
		p.mu.Unlock()
		if ready {
			break
		}
		time.Sleep(time.Millisecond)
	}
	w.start = time.Now()
	p.end(grace)
	if during != nil {
		during(p)
	}
	<-ended
	return p.containers["c"].exit.ExitCode
}

// alive returns a context that ends when the pod is deleted.
func alive(ctx context.Context, p *pod) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		<-p.stop
		cancel()
	}()
	return ctx
}

func sleepHook(seconds int64) *corev1.Lifecycle {
	return &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: seconds}}}
}

func (w *witness) expect(t *testing.T, code, want int32, events ...string) {
	t.Helper()
	for seen := false; !seen; time.Sleep(time.Millisecond) { // the witness of the deletion runs concurrently
		w.mu.Lock()
		seen = slices.Contains(w.events, "deleted")
		w.mu.Unlock()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	got := slices.DeleteFunc(slices.Clone(w.events), func(e string) bool { return e == "deleted" })
	if code != want || !slices.Equal(got, append([]string{"started"}, events...)) {
		t.Errorf("exit code %d, %v; want %d, %v", code, w.events, want, events)
	}
}

func TestTerminate(t *testing.T) {
	t.Run("a hook runs before SIGTERM", func(t *testing.T) {
		t.Parallel()
		w := &witness{}
		code := terminated(t, w, sleepHook(1), "127.0.0.1", 30, func(p *pod) {
			time.Sleep(500 * time.Millisecond)
			if status := p.status(); !status.ContainerStatuses[0].Ready {
				t.Error("the container is not ready while its hook runs")
			}
		})
		w.expect(t, code, 0, "terminated")
		if w.at["terminated"] < time.Second || w.at["deleted"] > 500*time.Millisecond {
			t.Errorf("%v", w.at)
		}
	})
	t.Run("the hook counts against the grace period", func(t *testing.T) {
		t.Parallel()
		w := &witness{ignores: time.Hour}
		code := terminated(t, w, sleepHook(1), "127.0.0.1", 4, nil)
		w.expect(t, code, 137, "terminated", "killed")
		if w.at["terminated"] > 3*time.Second || w.at["killed"] < 4*time.Second {
			t.Errorf("%v", w.at)
		}
	})
	t.Run("a hook that takes too long", func(t *testing.T) {
		t.Parallel()
		w := &witness{}
		code := terminated(t, w, sleepHook(3600), "127.0.0.1", 1, nil)
		w.expect(t, code, 0, "terminated")
	})
	t.Run("grace period of 0", func(t *testing.T) {
		t.Parallel()
		w := &witness{ignores: time.Hour}
		code := terminated(t, w, sleepHook(3600), "127.0.0.1", 0, nil)
		w.expect(t, code, 137, "killed")
	})
	t.Run("deleted by force during the hook", func(t *testing.T) {
		t.Parallel()
		w := &witness{ignores: time.Hour}
		code := terminated(t, w, sleepHook(3600), "127.0.0.1", 3600, func(p *pod) { p.end(0) })
		w.expect(t, code, 137, "killed")
	})
	t.Run("crashed during the hook", func(t *testing.T) {
		t.Parallel()
		w := &witness{ignores: time.Hour}
		code := terminated(t, w, sleepHook(3600), "127.0.0.1", 3600, func(p *pod) {
			if err := p.crash("c"); err != nil {
				t.Error(err)
			}
		})
		w.expect(t, code, 137, "killed")
	})
	t.Run("exec", func(t *testing.T) {
		t.Parallel()
		w := &witness{}
		hook := &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: []string{"/bin/sh", "-c", "sleep 1"}}}}
		w.expect(t, terminated(t, w, hook, "127.0.0.1", 30, nil), 0, "terminated")
		if w.at["terminated"] < time.Second {
			t.Errorf("%v", w.at)
		}
	})
	t.Run("httpGet", func(t *testing.T) {
		t.Parallel()
		w := &witness{}
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { w.note(fmt.Sprint("GET ", r.URL.Path)) }))
		defer server.Close()
		address := netip.MustParseAddrPort(server.Listener.Addr().String())
		hook := &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/stop", Port: intstr.FromInt(int(address.Port()))}}}
		w.expect(t, terminated(t, w, hook, address.Addr().String(), 30, nil), 0, "GET /stop", "terminated")
	})
}
