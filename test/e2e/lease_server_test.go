//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/triton-leases/tms/test/e2e/cluster"
	"github.com/triton-leases/tms/test/e2e/harness"
	"github.com/triton-leases/tms/test/e2e/helm"
)

// server is an installed tms-server.
type server struct {
	cluster *cluster.Cluster
	release helm.Release
	// values are the values of the release.
	values []string
	// account is its service account, <namespace>:<name>.
	account string
}

// serverValues enables tms-server, with the bounds that the scenarios share. Each lease has
// its own monitors, so that scenarios see the objects of their lease only; those of
// lease_monitors_test.go set the form themselves.
const serverValues = `
images: {server: ` + harness.ServerImage + `}
server:
  enabled: true
  leases: {autoRenew: {interval: 12s}}
  autoscaling:
    replicas: {default: {maximum: 3}, limits: {maximum: 4}}
    metrics: {queueTime: {enabled: true, threshold: {default: 100000}}}
    prometheus: {monitors: perLease}
triton: {podDisruptionBudget: {maxUnavailable: 1}}
`

// shared is the server of the scenarios that do not install their own. It manages the
// namespaces of these scenarios, e2e-<scenario>.
var shared = struct {
	sync.Once
	*server
	scenarios []string
}{scenarios: []string{
	"lease-scales", "lease-schema", "lease-refused", "lease-prune", "lease-drift", "lease-conflict", "lease-expiry",
	"lease-idle", "lease-busy", "lease-unmeasured", "lease-images", "lease-target", "lease-delete", "lease-replicas",
	"repository-image",
}}

// leases returns the TritonLeases in this scenario's namespace, which the shared server
// manages.
func (s *scenario) leases() *leases {
	s.Helper()
	return s.leasesIn(s.sharedServer(), "e2e-"+s.name)
}

func (s *scenario) sharedServer() *server {
	s.Helper()
	shared.Do(func() {
		var namespaces []string
		for _, scenario := range shared.scenarios {
			name := "e2e-" + scenario
			namespaces = append(namespaces, name)
			s.must(h.Cluster.Apply(s.Context(), restrictedNamespace(name, nil)))
		}
		const own = "e2e-tms"
		s.must(h.Cluster.Apply(s.Context(), restrictedNamespace(own, nil)))
		shared.server = s.installServer(3, own, fmt.Sprintf("server: {namespaces: [%s], allowlist: [%s]}", strings.Join(namespaces, ", "), allowed))
	})
	if shared.server == nil {
		s.fatal("the shared server is not installed")
	}
	return shared.server
}

// ownLeases returns the TritonLeases in a namespace of this scenario, and installs a
// server there that manages only that namespace.
func (s *scenario) ownLeases(version int, values ...string) *leases {
	s.Helper()
	namespace := s.namespace("", nil)
	own := fmt.Sprintf("server: {namespaces: [%s], crd: {enabled: false}}", namespace)
	s.sharedServer() // installs the CustomResourceDefinition
	return s.leasesIn(s.installServer(version, namespace, append([]string{own}, values...)...), namespace)
}

// installServer installs the release tms, and waits until it is ready.
func (s *scenario) installServer(version int, namespace string, values ...string) *server {
	s.Helper()
	values = append([]string{serverValues}, values...)
	release := s.install(version, namespace, "tms", values...)
	return &server{cluster: h.Cluster, release: release, values: values, account: namespace + ":tms-server"}
}

// leasesIn returns the leases in a namespace. At the end of the scenario it deletes them,
// and checks that no request of the server was forbidden.
func (s *scenario) leasesIn(server *server, namespace string) *leases {
	l := &leases{scenario: s, server: server, namespace: namespace, since: server.cluster.Now()}
	s.namespaces = append(s.namespaces, namespace)
	s.Cleanup(func() {
		l.permitted()
		if s.Failed() || os.Getenv("KEEP") != "" {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_, _ = server.cluster.Kubectl(ctx, "", "delete", "tl", "--all", "--wait=false", "-n", namespace)
	})
	return l
}

// permitted checks that no request of the server was forbidden since the last call of
// permitted.
func (l *leases) permitted() {
	l.Helper()
	calls, err := l.cluster.Calls(l.account, l.since)
	if err != nil {
		l.Errorf("%v", err)
	}
	for _, call := range calls {
		if call.Status.Code == http.StatusForbidden {
			l.Errorf("a request of the server was forbidden: %v", call)
			l.step("FAILED: a request of the server was forbidden: %v", call)
		}
	}
	l.since = l.cluster.Now()
}

// calls returns the requests of the server in the namespace.
func (l *leases) calls(since cluster.Mark) []cluster.Call {
	all, err := l.cluster.Calls(l.account, since)
	if err != nil {
		l.step("%v", err)
	}
	var calls []cluster.Call
	for _, call := range all {
		if call.Object.Namespace == l.namespace && call.Object.Resource != "leases" { // the lock of the leader election
			calls = append(calls, call)
		}
	}
	return calls
}

// allServerPods returns the pods of a server, with those that are being deleted.
func (v *server) allServerPods(ctx context.Context) ([]corev1.Pod, error) {
	list, err := v.cluster.Client.CoreV1().Pods(v.release.Namespace).List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/component=server"})
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}

// serversLeft waits until n server pods exist. Then permitted ignores all earlier requests, also
// those of new servers: Helm deletes the rights of a server before its pods end.
func (l *leases) serversLeft(n int) {
	l.Helper()
	l.eventually(fmt.Sprintf("%d server pods are left", n), func() (bool, string) {
		pods, err := l.allServerPods(l.Context())
		return err == nil && len(pods) == n, fmt.Sprint(len(pods), err)
	})
	l.since = l.cluster.Now()
}

// serverPods returns the pods of a server that are not being deleted, by name.
func (v *server) serverPods(ctx context.Context) (map[string]corev1.Pod, error) {
	all, err := v.allServerPods(ctx)
	if err != nil {
		return nil, err
	}
	pods := map[string]corev1.Pod{}
	for _, pod := range all {
		if pod.DeletionTimestamp == nil {
			pods[pod.Name] = pod
		}
	}
	return pods, nil
}

// leader is the identity of a leader: <pod>_<random>. It changes when the container
// restarts.
type leader string

func (l leader) pod() string {
	pod, _, _ := strings.Cut(string(l), "_")
	return pod
}

// leader returns the leader, and the time at which it last renewed its lock.
func (v *server) leader(ctx context.Context) (leader, time.Time, error) {
	lock, err := v.cluster.Client.CoordinationV1().Leases(v.release.Namespace).Get(ctx, "tms-server."+v.release.Name, metav1.GetOptions{})
	if err != nil {
		return "", time.Time{}, err
	}
	return leader(ptr.Deref(lock.Spec.HolderIdentity, "")), ptr.Deref(lock.Spec.RenewTime, metav1.MicroTime{}).Time, nil
}

// leaderLease returns the lock of the leader election.
func (l *leases) leaderLease() *coordinationv1.Lease {
	l.Helper()
	lock, err := l.cluster.Client.CoordinationV1().Leases(l.release.Namespace).Get(l.Context(), "tms-server."+l.release.Name, metav1.GetOptions{})
	l.must(err)
	return lock
}

// waitLeader waits until there is a leader other than the former one, and returns it.
func (l *leases) waitLeader(former leader) (now leader) {
	l.Helper()
	l.eventually("there is a new leader", func() (bool, string) {
		var at time.Time
		var err error
		now, at, err = l.leader(l.Context())
		// A killed leader stays in the lock until the lock expires.
		return err == nil && now != "" && now != former && time.Since(at) < 5*time.Second, fmt.Sprintf("%s, at %v (%v)", now, at, err)
	})
	return now
}

// metric returns the sum of the samples of a metric of a server pod. It sums only the
// samples with labels that contain a text.
func (v *server) metric(ctx context.Context, pod corev1.Pod, name, labels string) (float64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+pod.Status.PodIP+":8080/metrics", nil)
	if err != nil {
		return 0, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err
	}
	sum, found := 0.0, false
	for line := range strings.Lines(string(text)) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok || rest[0] != '{' && rest[0] != ' ' || !strings.Contains(rest, labels) {
			continue
		}
		value, err := strconv.ParseFloat(strings.TrimSpace(rest[strings.LastIndex(strings.TrimSpace(rest), " ")+1:]), 64)
		if err != nil {
			return 0, err
		}
		sum, found = sum+value, true
	}
	if !found {
		return 0, fmt.Errorf("%s has no metric %s with %q", pod.Name, name, labels)
	}
	return sum, nil
}
