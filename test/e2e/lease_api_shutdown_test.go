//go:build e2e

package e2e

import (
	"context"
	"crypto/tls"
	"fmt"
	"math/big"
	"net"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/triton-leases/tms/test/e2e/call"
	"github.com/triton-leases/tms/test/e2e/triton"
)

// TestAPIShutdown checks that a server that shuts down sends its callers to another server,
// and that servers reload their certificate without a restart.
func TestAPIShutdown(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "api-shutdown")
	a := s.ownAPI(4)
	me := a.user("me", allVerbs...)
	a.waitAuthorized(me, "List", fields{"namespace": a.namespace})
	const name = "slow"
	workload := a.namespace + "/" + objectName(name)
	h.Fleet.Change(workload, func(b *triton.Behavior) { b.LoadTime = time.Hour })
	request := a.acquireRequest(fields{"name": name, "request_id": "always the same"})
	ctx, cancel := context.WithTimeout(s.Context(), limit)
	defer cancel()
	leader := a.waitLeader("")
	pods, err := a.serverPods(s.Context())
	s.must(err)
	for pod, object := range pods { // delete each pod while it serves a call that waits
		here := me.at(object.Status.PodIP)
		began, ended := make(chan bool, 1), make(chan error, 1)
		go func() {
			_, err := here.acquire(ctx, request, func(apiLease) {
				select {
				case began <- true:
				default:
				}
			})
			ended <- err
		}()
		select {
		case <-began:
		case err := <-ended:
			s.fatal("Acquire at %s: %v", pod, err)
		case <-ctx.Done():
			s.fatal("Acquire at %s does not answer", pod)
		}
		s.must(h.Cluster.Client.CoreV1().Pods(a.namespace).Delete(s.Context(), pod, metav1.DeleteOptions{GracePeriodSeconds: ptr.To[int64](10)}))
		s.step("deleted %s, leader: %t", pod, pod == leader.pod())
		err := <-ended
		if code, _ := codeOf(err); code != "unavailable" {
			s.fatal("the call ends with %v", err)
		} else if failure, ok := err.(*call.Error); !ok {
			s.fatal("the call ends without an error of the API: %v", err)
		} else {
			s.step("the call ends with %v", failure)
		}
		s.eventually("another pod has replaced it", func() (bool, string) {
			now, err := a.serverPods(s.Context())
			_, exists := now[pod]
			return err == nil && !exists && len(now) == 2, fmt.Sprint(len(now), err)
		})
		s.becomes(a.namespace, "tms-server", 2)
	}
	s.eventually("the pod of the lease is running", func() (bool, string) {
		pods, err := a.pods(name)
		return err == nil && len(pods) == 1 && pods[0].Status.Phase == corev1.PodRunning, fmt.Sprint(len(pods), err)
	})
	uid := a.mustGet(name).UID
	again := a.caller(name, me.token)
	result := make(chan error, 1)
	go func() {
		id, tries, err := again.acquireWithRetries(ctx, request)
		if err == nil && id != name {
			err = fmt.Errorf("got the lease %q", id)
		}
		s.step("the client got the lease %s after %d tries: %v", id, tries, err)
		result <- err
	}()
	h.Fleet.Change(workload, func(b *triton.Behavior) { b.LoadTime = 0 })
	tritons, err := a.pods(name)
	s.must(err)
	s.must(h.Node.CrashContainer(a.namespace, tritons[0].Name, "triton")) // so that it loads again
	s.must(<-result)
	if lease := a.mustGet(name); lease.UID != uid || lease.Spec.AcquireBy != nil {
		s.fatal("the lease was replaced, or spec.acquireBy is still set: %+v", lease)
	}
	a.checkCertificateRenewal(me)
}

// checkCertificateRenewal replaces the certificate twice, and checks that the servers
// present the new one.
func (a *api) checkCertificateRenewal(me *caller) {
	a.Helper()
	pods, err := a.serverPods(a.Context())
	a.must(err)
	shown := func(address string) (*big.Int, error) {
		dialer := tls.Dialer{Config: &tls.Config{RootCAs: a.pool, ServerName: a.host, MinVersion: tls.VersionTLS12}}
		conn, err := dialer.DialContext(a.Context(), "tcp", net.JoinHostPort(address, "30345"))
		if err != nil {
			return nil, err
		}
		defer func() { _ = conn.Close() }()
		return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber, nil
	}
	list := fields{"namespace": a.namespace}
	connected := map[string]*caller{} // on connections that exist before the change
	for name, pod := range pods {
		connected[name] = me.at(pod.Status.PodIP)
		a.expectCode(connected[name], "List", list, "ok")
	}
	before := a.serverRestarts()
	for range 2 {
		serial := a.certify(a.authority, a.namespace)
		for name, pod := range pods {
			a.eventually(name+" presents the new certificate", func() (bool, string) {
				now, err := shown(pod.Status.PodIP)
				return err == nil && now.Cmp(serial) == 0, fmt.Sprint(now, err)
			})
			a.must(connected[name].call(a.Context(), "List", list, nil))
		}
	}
	a.expectCode(a.caller("new", me.token), "List", list, "ok")
	if now := a.serverRestarts(); now != before {
		a.fatal("servers were restarted: before %s, now %s", before, now)
	}
}
