package progress

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/triton-leases/tms/api/v1alpha1"
)

const namespace = "vision"

var models = []v1alpha1.Model{{Name: "a"}, {Name: "b"}}

// pod returns a pod of the lease, with an address of a pod.
func pod(name string, change func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"lease": "a"}},
		Status:     corev1.PodStatus{PodIP: "10.1.2.3"},
	}
	change(p)
	return p
}

// in returns a change that gives a pod one container in a state.
func in(name string, state corev1.ContainerState) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: name, State: state}}
		if name == fetchContainer {
			p.Status.InitContainerStatuses, p.Status.ContainerStatuses = p.Status.ContainerStatuses, nil
		}
	}
}

var running = corev1.ContainerState{Running: new(corev1.ContainerStateRunning)}

// probe probes a lease with pods. Each port of a pod reaches the handler.
func probe(t *testing.T, handler http.HandlerFunc, pods ...client.Object) []v1alpha1.ModelState {
	t.Helper()
	server := httptest.NewServer(handler)
	defer server.Close()
	p := New(fake.NewClientBuilder().WithObjects(pods...).Build())
	p.address = func(ip netip.Addr, _ string) string {
		require.Equal(t, "10.1.2.3", ip.String())
		return server.Listener.Addr().String()
	}
	states, err := p.States(t.Context(), Lease{Namespace: namespace, Selector: map[string]string{"lease": "a"}, Models: models})
	require.NoError(t, err)
	return states
}

func unreachable(t *testing.T) http.HandlerFunc {
	return func(_ http.ResponseWriter, r *http.Request) { t.Errorf("a probe reached %s", r.URL) }
}

func both(state, message string) []v1alpha1.ModelState {
	return []v1alpha1.ModelState{{Name: "a", State: state, Message: message}, {Name: "b", State: state, Message: message}}
}

// TestDownloads checks the answers of the init container that downloads models, and those of a
// hostile one.
func TestDownloads(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer  string
		want    []v1alpha1.ModelState
		summary string
	}{
		"downloads": {
			`{"models":[{"name":"a","state":"downloading","done":3328599654,"total":12884901888},{"name":"b","state":"unpacking","done":1,"total":1}]}`,
			[]v1alpha1.ModelState{{Name: "a", State: "Downloading", Message: "3.1 of 12 GiB"}, {Name: "b", State: "Downloading", Message: "unpacking"}},
			"downloading a: 3.1 of 12 GiB, b: unpacking",
		},
		"one": {
			`{"models":[{"name":"b","state":"downloading","done":2048,"total":0}]}`,
			[]v1alpha1.ModelState{{Name: "a", State: "Pending"}, {Name: "b", State: "Downloading", Message: "2 KiB"}},
			"downloading b: 2 KiB",
		},
		"a whole repository": {`{"models":[{"name":"*","state":"waiting"}]}`, both("Downloading", "waiting"), "downloading a: waiting, b: waiting"},
		"unknown names and states": {
			`{"models":[{"name":"\u001b[31m","state":"downloading"},{"name":"a","state":"\u001b[31m"},{"name":"a","state":"done"}]}`,
			[]v1alpha1.ModelState{{Name: "a", State: "Downloading"}, {Name: "b", State: "Pending"}},
			"downloading a",
		},
		"negative numbers": {`{"models":[{"name":"*","state":"downloading","done":-5,"total":-9}]}`, both("Downloading", "0 B"), "downloading a: 0 B, b: 0 B"},
		"more than all":    {`{"models":[{"name":"*","state":"downloading","done":9,"total":5}]}`, both("Downloading", "5 of 5 B"), "downloading a: 5 of 5 B, b: 5 of 5 B"},
		"no JSON":          {`<html>`, both("Downloading", ""), "downloading a, b"},
		"numbers too large": {
			`{"models":[{"name":"a","state":"downloading","done":1e999}]}`, both("Downloading", ""), "downloading a, b",
		},
		"too long": {`{"x":"` + strings.Repeat("x", maxAnswer) + `","models":[{"name":"*","state":"done"}]}`, both("Downloading", ""), "downloading a, b"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			states := probe(t, func(w http.ResponseWriter, r *http.Request) {
				require.Equal(t, "GET /", r.Method+" "+r.URL.Path)
				_, _ = w.Write([]byte(test.answer))
			}, pod("p", in(fetchContainer, running)))
			require.Equal(t, test.want, states)
			require.Equal(t, test.summary, Summary(states))
		})
	}
}

// TestMemory checks that a hostile pod cannot make tms-server allocate much memory. It does not
// run in parallel, because it counts the memory of all tests.
func TestMemory(t *testing.T) {
	for _, item := range []string{"0,", "{},"} { // each becomes a model
		answer := "[" + strings.Repeat(item, (maxAnswer-8)/len(item)) + "0]"
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		probe(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(answer)) }, pod("p", in(tritonContainer, running)))
		runtime.ReadMemStats(&after)
		require.Less(t, (after.TotalAlloc-before.TotalAlloc)>>20, uint64(100), "MiB")
	}
}

// TestIndex checks the answers of Triton, and those of a hostile one.
func TestIndex(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer  string
		want    []v1alpha1.ModelState
		summary string
	}{
		"loading": {`[{"name":"a","version":"1","state":"LOADING"},{"name":"b"}]`, both("Loading", ""), "loading a, b"},
		"one is ready": {
			`[{"name":"a","version":"1","state":"READY"},{"name":"a","version":"2","state":"UNAVAILABLE","reason":"unloaded"}]`,
			[]v1alpha1.ModelState{{Name: "a", State: "Ready"}, {Name: "b", State: "Loading"}},
			"loading b",
		},
		"one fails": {
			`[{"name":"a","state":"UNAVAILABLE","reason":"Internal:\n\u001b[31mno  such file"},{"name":"b","state":"UNAVAILABLE"}]`,
			[]v1alpha1.ModelState{{Name: "a", State: "Failed", Message: "Internal: [31mno such file"}, {Name: "b", State: "Loading"}},
			"a failed: Internal: [31mno such file; loading b",
		},
		"a long reason": {
			`[{"name":"a","state":"UNAVAILABLE","reason":"` + strings.Repeat("x", 5000) + `"}]`,
			[]v1alpha1.ModelState{{Name: "a", State: "Failed", Message: strings.Repeat("x", 169) + "..." + strings.Repeat("x", 84)}, {Name: "b", State: "Loading"}},
			"a failed: " + strings.Repeat("x", 169) + "..." + strings.Repeat("x", 84) + "; loading b",
		},
		"another type": {`{"name":"a"}`, both("Loading", ""), "loading a, b"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			states := probe(t, func(w http.ResponseWriter, r *http.Request) {
				require.Equal(t, "POST /v2/repository/index", r.Method+" "+r.URL.Path)
				_, _ = w.Write([]byte(test.answer))
			}, pod("p", in(tritonContainer, running)))
			require.Equal(t, test.want, states)
			require.Equal(t, test.summary, Summary(states))
		})
	}
}

// TestRedirect checks that a pod cannot send a probe elsewhere.
func TestRedirect(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(unreachable(t))
	defer elsewhere.Close()
	states := probe(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
	}, pod("p", in(tritonContainer, running)))
	require.Equal(t, both("Loading", ""), states)
}

// TestSilence checks that a pod that does not end its answer delays a probe no longer than its
// deadline, and that a Triton that does not listen yet loads its models.
func TestSilence(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	p := New(fake.NewClientBuilder().WithObjects(pod("p", in(tritonContainer, running))).Build())
	p.address = func(netip.Addr, string) string { return server.Listener.Addr().String() }
	lease := Lease{Namespace: namespace, Selector: map[string]string{"lease": "a"}, Models: models}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	states, err := p.States(ctx, lease)
	require.NoError(t, err)
	require.Equal(t, both("Loading", ""), states)
	server.Close()
	states, err = p.States(t.Context(), lease)
	require.NoError(t, err)
	require.Equal(t, both("Loading", ""), states)
}

// TestPods checks what a lease waits for if no container of it answers, and that probes reach
// no address but that of the newest pod.
func TestPods(t *testing.T) {
	t.Parallel()
	waiting := func(reason, message string) corev1.ContainerState {
		return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
	}
	at := func(address string) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			in(tritonContainer, running)(p)
			p.Status.PodIP = address
		}
	}
	for name, test := range map[string]struct {
		pods []client.Object
		want []v1alpha1.ModelState
	}{
		"no pod": {nil, both("Pending", "")},
		"not scheduled": {[]client.Object{pod("p", func(p *corev1.Pod) {
			p.Status.Conditions = []corev1.PodCondition{{Type: "PodScheduled", Status: "False", Reason: "Unschedulable", Message: "0/3 nodes are available:\n3 Insufficient nvidia.com/gpu."}}
		})}, both("Pending", "Unschedulable: 0/3 nodes are available: 3 Insufficient nvidia.com/gpu.")},
		"no image":        {[]client.Object{pod("p", in(tritonContainer, waiting("ImagePullBackOff", "Back-off pulling image")))}, both("Pending", "container triton: ImagePullBackOff: Back-off pulling image")},
		"no secret":       {[]client.Object{pod("p", in(fetchContainer, waiting("CreateContainerConfigError", `secret "s3" not found`)))}, both("Pending", `container fetch-models: CreateContainerConfigError: secret "s3" not found`)},
		"being created":   {[]client.Object{pod("p", in(tritonContainer, waiting("ContainerCreating", "")))}, both("Pending", "")},
		"init containers": {[]client.Object{pod("p", in(tritonContainer, waiting("PodInitializing", "")))}, both("Pending", "")},
		"crashes": {[]client.Object{pod("p", func(p *corev1.Pod) {
			in(tritonContainer, waiting("CrashLoopBackOff", "back-off 5m0s"))(p)
			p.Status.ContainerStatuses[0].LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled"}
		})}, both("Pending", "container triton: CrashLoopBackOff: the last run ended with exit code 137 (OOMKilled): see its logs")},
		"crashed": {
			[]client.Object{pod("p", in(tritonContainer, corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1, Reason: "Error"}}))},
			both("Pending", "container triton: the last run ended with exit code 1 (Error): see its logs"),
		},
		"could not download": {[]client.Object{pod("p", in(fetchContainer, corev1.ContainerState{
			Terminated: &corev1.ContainerStateTerminated{ExitCode: 1, Reason: "Error", Message: "INFO downloading a\nError: a: 401 Unauthorized\n"},
		}))}, both("Pending", "container fetch-models: exit code 1: a: 401 Unauthorized")},
		"the newest": {[]client.Object{
			pod("a", func(p *corev1.Pod) { p.CreationTimestamp = metav1.Unix(10, 0) }),
			pod("b", func(p *corev1.Pod) {
				in(tritonContainer, waiting("ErrImagePull", "no such image"))(p)
				p.CreationTimestamp = metav1.Unix(20, 0)
			}),
			pod("c", func(p *corev1.Pod) {
				p.CreationTimestamp, p.DeletionTimestamp, p.Finalizers = metav1.Unix(30, 0), new(metav1.Unix(40, 0)), []string{"example.com/keep"}
			}),
		}, both("Pending", "container triton: ErrImagePull: no such image")},
		"another lease": {[]client.Object{pod("p", func(p *corev1.Pod) {
			in(tritonContainer, running)(p)
			p.Labels["lease"] = "b"
		})}, both("Pending", "")},
		"another namespace": {[]client.Object{pod("p", func(p *corev1.Pod) {
			in(tritonContainer, running)(p)
			p.Namespace = "other"
		})}, both("Pending", "")},
		"network of the node": {[]client.Object{pod("p", func(p *corev1.Pod) {
			in(tritonContainer, running)(p)
			p.Spec.HostNetwork = true
		})}, both("Loading", "")},
		"metadata of a cloud": {[]client.Object{pod("p", at("169.254.169.254"))}, both("Loading", "")},
		"this pod":            {[]client.Object{pod("p", at("127.0.0.1"))}, both("Loading", "")},
		"this pod, mapped":    {[]client.Object{pod("p", at("::ffff:127.0.0.1"))}, both("Loading", "")},
		"a zone":              {[]client.Object{pod("p", at("fd00::1%eth0"))}, both("Loading", "")},
		"no address":          {[]client.Object{pod("p", at("example.com"))}, both("Loading", "")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.want, probe(t, unreachable(t), test.pods...))
		})
	}
}

// TestSummary checks that many models, or one problem of all of them, make a short sentence.
func TestSummary(t *testing.T) {
	t.Parallel()
	require.Empty(t, Summary(both(v1alpha1.ModelPending, "")))
	require.Equal(t, "no image", Summary(both(v1alpha1.ModelPending, "no image")))
	var many []v1alpha1.ModelState
	for _, name := range strings.Split("abcdefgh", "") {
		many = append(many, v1alpha1.ModelState{Name: name, State: v1alpha1.ModelLoading})
	}
	require.Equal(t, "loading a, b, c and 5 more", Summary(many))
}
