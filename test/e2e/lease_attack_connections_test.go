//go:build e2e

package e2e

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// TestAttackConnections opens 5,000 silent connections to the leader from fifty addresses,
// and some to its ports of probes and metrics. The leader keeps its lease, stays healthy
// within half of its memory limit, and serves a caller from another address.
func TestAttackConnections(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "attack-connections")
	a := s.ownAPI(4)
	me := a.user("me", allVerbs...)
	a.waitAuthorized(me, "List", fields{"namespace": a.namespace})
	leader := a.waitLeader("")
	pods, err := a.serverPods(s.Context())
	s.must(err)
	pod := pods[leader.pod()]
	half := pod.Spec.Containers[0].Resources.Limits.Memory().AsApproximateFloat64() / 2
	before := a.leaderLease()
	rss, err := a.metric(s.Context(), pod, "process_resident_memory_bytes", "")
	s.must(err)
	s.step("%s leads, with %.0f MB of memory; half of its limit is %.0f MB", leader, rss/1e6, half/1e6)

	const connections, addresses = 5000, 50
	ctx, stop := context.WithCancel(s.Context())
	var attack sync.WaitGroup
	defer attack.Wait()
	defer stop()
	var opened, open atomic.Int64
	for i := range connections {
		from, port := fmt.Sprintf("10.244.250.%d", 1+i%addresses), "30345"
		if i%25 == 0 {
			port = "8081"
		} else if i%25 == 1 {
			port = "8080"
		}
		attack.Go(func() {
			silentConnection(ctx, from, net.JoinHostPort(pod.Status.PodIP, port), port == "30345" && i%2 == 0, &opened, &open)
		})
	}
	health := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	worst := 0.0
	// Longer than the duration of the leader's lease.
	s.consistently("the leader leads, is healthy, and serves a caller", 25*time.Second, func() (bool, string) {
		now := a.leaderLease()
		if *now.Spec.HolderIdentity != *before.Spec.HolderIdentity || ptr.Deref(now.Spec.LeaseTransitions, 0) != ptr.Deref(before.Spec.LeaseTransitions, 0) {
			return false, fmt.Sprintf("%s leads, after %d transitions", *now.Spec.HolderIdentity, ptr.Deref(now.Spec.LeaseTransitions, 0))
		}
		response, err := health.Get("http://" + net.JoinHostPort(pod.Status.PodIP, "8081") + "/healthz")
		if err != nil {
			return false, err.Error()
		}
		_ = response.Body.Close()
		fresh := me.at(pod.Status.PodIP) // a new connection
		if err := fresh.call(s.Context(), "List", fields{"namespace": a.namespace}, nil); err != nil {
			return false, err.Error()
		}
		fresh.http.CloseIdleConnections()
		rss, err := a.metric(s.Context(), pod, "process_resident_memory_bytes", "")
		worst = max(worst, rss)
		return err == nil && response.StatusCode == http.StatusOK && rss < half, fmt.Sprintf("/healthz %s, %.0f MB, %d connections (%v)", response.Status, rss/1e6, open.Load(), err)
	})
	limited, err := a.metric(s.Context(), pod, "tms_limited_connections_total", `port="api"`)
	s.must(err)
	s.step("%d connections were opened, %.0f closed by limits; at most %.0f MB of memory", opened.Load(), limited, worst/1e6)
	if limited < connections/2 {
		s.fatal("the attack did not reach the limits")
	}
	now, err := h.Cluster.Client.CoreV1().Pods(a.release.Namespace).Get(s.Context(), pod.Name, metav1.GetOptions{})
	s.must(err)
	if restarts(now) != restarts(&pod) {
		s.fatal("the leader was restarted")
	}
}

func restarts(pod *corev1.Pod) (n int32) {
	for _, status := range pod.Status.ContainerStatuses {
		n += status.RestartCount
	}
	return n
}

// silentConnection opens a connection from an address, and reads until the server closes
// it or the context ends. With TLS it completes the handshake and begins HTTP/2.
func silentConnection(ctx context.Context, from, to string, secure bool, opened, open *atomic.Int64) {
	conn, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}).DialContext(ctx, "tcp", to)
	if err != nil {
		return
	}
	opened.Add(1)
	open.Add(1)
	defer open.Add(-1)
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	if secure {
		client := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}) //nolint:gosec // an attacker
		if client.HandshakeContext(ctx) != nil {
			return
		}
		if _, err := io.WriteString(client, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"); err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, client)
		return
	}
	_, _ = io.Copy(io.Discard, conn)
}
