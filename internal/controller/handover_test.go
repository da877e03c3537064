package controller

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/pkg/render"
)

// own are the kinds of an autoscaled lease with monitors of its own, and sharing those of a
// lease that shares them. The rules go first.
var (
	own          = []string{"Deployment", "Service", "PodMonitor", "PrometheusRule", "HorizontalPodAutoscaler"}
	withoutRules = []string{"Deployment", "Service", "PodMonitor", "HorizontalPodAutoscaler"}
	sharing      = []string{"Deployment", "Service", "HorizontalPodAutoscaler"}
)

// sharedKinds are the kinds of shared monitors.
var sharedKinds = []string{"PodMonitor", "PrometheusRule"}

// switchTo changes the configuration to another form of monitors.
func (e *environment) switchTo(form string) {
	e.t.Helper()
	e.configuration = configuration(e.t, monitors(form))
}

// handover is the handover time of leases that are not renewed.
func (e *environment) handover() time.Duration {
	return e.configuration.LeaseRenderer().MonitorsHandover(render.MonitoringNeeds{Autoscaled: true})
}

// TestHandoverToShared checks that leases keep their own monitors until the shared ones have
// existed for the handover time.
func TestHandoverToShared(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, monitors("perLease"), newLease(t, "a", scaledBy("kvCache")), newLease(t, "b", scaled))
	e.reconcile("a")
	e.reconcile("b")
	e.monitor()
	require.Equal(t, own, e.objects("tms-a"))
	require.Empty(t, e.objects(sharedName))

	e.clock = e.clock.Add(time.Hour)
	e.switchTo("shared")
	require.Equal(t, e.handover(), e.reconcile("a").RequeueAfter, "the shared ones do not exist")
	require.Zero(t, e.monitor())
	e.reconcile("b")
	require.Equal(t, own, e.objects("tms-a"))
	require.Equal(t, sharedKinds, e.objects(sharedName))
	require.Equal(t, []string{"PrometheusRule"}, e.objects(sharedName+".metrics"))
	require.Equal(t, []string{"PrometheusRule"}, e.objects("tms-a.metrics"))

	e.clock = e.clock.Add(e.handover() - time.Second)
	e.recorded()
	require.Equal(t, time.Second, e.reconcile("a").RequeueAfter)
	require.Equal(t, own, e.objects("tms-a"))
	require.NoError(t, e.cluster.Delete(t.Context(), e.sharedMonitor("PrometheusRule", sharedName+".metrics")))
	e.monitor()
	e.clock = e.clock.Add(time.Second)
	require.Equal(t, e.handover()-time.Second, e.reconcile("a").RequeueAfter, "one of the shared ones is younger")
	require.Equal(t, own, e.objects("tms-a"))
	require.Equal(t, render.MonitorsInForce, e.reconcile("b").RequeueAfter)
	require.Equal(t, withoutRules, e.objects("tms-b"), "it does not need that one")
	e.clock = e.clock.Add(e.handover())
	require.Equal(t, render.MonitorsInForce-time.Second, e.reconcile("a").RequeueAfter)
	require.Equal(t, withoutRules, e.objects("tms-a"))
	require.Empty(t, e.objects("tms-a.metrics"))
	e.clock = e.clock.Add(render.MonitorsInForce - time.Second)
	for _, lease := range []string{"a", "b"} {
		e.reconcile(lease)
		require.Equal(t, sharing, e.objects("tms-"+lease))
	}
	require.Contains(t, e.recorded(), "Normal Pruned: PodMonitor tms-a is deleted: the lease no longer has one")
	e.isQuiet("a", "b")
}

// TestHandoverOfRenewed checks that a lease that is reconciled again earlier for another
// reason, here before its expiry, does not keep its own monitors for longer. The handover of a
// lease that is renewed takes the renewal interval longer.
func TestHandoverOfRenewed(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, monitors("perLease"), newLease(t, "a", `{models: [{name: m, uri: /m}], duration: 2h, autoRenew: true, autoscaling: {enable: true}}`))
	e.reconcile("a")
	e.clock = epoch.Add(30 * time.Minute)
	e.switchTo("shared")
	e.monitor()
	e.clock = epoch.Add(time.Hour + time.Minute)
	for range 3 { // the first one writes the status
		require.Equal(t, time.Minute, e.reconcile("a").RequeueAfter, "it counts requests")
		require.Equal(t, own, e.objects("tms-a"))
	}
	e.clock = epoch.Add(30*time.Minute + time.Hour + e.handover())
	e.reconcile("a")
	require.Equal(t, withoutRules, e.objects("tms-a"))
	e.clock = e.clock.Add(render.MonitorsInForce)
	e.reconcile("a")
	require.Equal(t, sharing, e.objects("tms-a"))
}

// TestHandoverOfUnneeded checks that a lease that needs no monitors does not keep its own.
func TestHandoverOfUnneeded(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, monitors("perLease"), newLease(t, "a", scaled))
	e.reconcile("a")
	e.switchTo("shared")
	e.editSpec("a", fixed)
	e.reconcile("a")
	require.Equal(t, []string{"Deployment", "Service"}, e.objects("tms-a"))
}

// TestHandoverToOwn checks that the shared monitors stay until every lease that needs
// monitors has had its own for the handover time. A new lease does not extend it.
func TestHandoverToOwn(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, monitors("shared"), newLease(t, "a", scaled), newLease(t, "b", scaledBy("kvCache")), newLease(t, "plain", fixed))
	for _, name := range []string{"a", "b", "plain"} {
		e.reconcile(name)
	}
	e.monitor()

	e.clock = e.clock.Add(time.Hour)
	e.switchTo("perLease")
	require.Equal(t, e.handover(), e.monitor().RequeueAfter, "no lease has its own")
	e.reconcile("a")
	e.clock = e.clock.Add(e.handover())
	require.Equal(t, e.handover(), e.monitor().RequeueAfter, "one has none")
	e.reconcile("b")
	require.Equal(t, own, e.objects("tms-b"))
	require.NoError(t, e.cluster.Delete(t.Context(), e.sharedMonitor("PrometheusRule", "tms-b.metrics")))
	e.clock = e.clock.Add(e.handover())
	require.Equal(t, e.handover(), e.monitor().RequeueAfter, "one lacks a PrometheusRule")
	e.reconcile("b")
	e.clock = e.clock.Add(e.handover() - time.Second)
	require.NoError(t, e.cluster.Create(t.Context(), func() *v1alpha1.TritonLease {
		lease := newLease(t, "new", scaled)
		lease.CreationTimestamp.Time = e.clock
		return lease
	}()))
	e.reconcile("new")
	require.Equal(t, time.Second, e.monitor().RequeueAfter)
	require.Equal(t, sharedKinds, e.objects(sharedName))
	e.clock = e.clock.Add(time.Second)
	e.written()
	require.Equal(t, render.MonitorsInForce, e.monitor().RequeueAfter, "the rules go first")
	require.ElementsMatch(t, []string{"delete Background PrometheusRule " + sharedName, "delete Background PrometheusRule " + sharedName + ".metrics"}, e.written())
	e.clock = e.clock.Add(render.MonitorsInForce)
	require.Zero(t, e.monitor())
	require.Equal(t, []string{"delete Background PodMonitor " + sharedName}, e.written())
	e.isQuiet("a", "b", "plain", "new")
}

// TestHandoverToOwnEarly checks that the shared monitors stay also if the lease was new when
// the form changed.
func TestHandoverToOwnEarly(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, monitors("shared"), newLease(t, "a", scaled))
	e.reconcile("a")
	e.monitor()
	e.clock = e.clock.Add(maxCreationDelay / 2)
	e.switchTo("perLease")
	e.reconcile("a")
	require.Equal(t, e.handover(), e.monitor().RequeueAfter)
	require.Equal(t, sharedKinds, e.objects(sharedName))
}

// TestHandoverOfRefused checks that the shared monitors stay while a refused lease, to which
// nothing is applied, scales by them, and go with the last lease.
func TestHandoverOfRefused(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, monitors("shared"), newLease(t, "a", scaled))
	e.reconcile("a")
	e.monitor()
	e.editSpec("a", `{models: [{name: m, uri: /m}], image: "example.com/other:1", autoscaling: {enable: true}}`)
	e.switchTo("perLease")
	for range 2 {
		e.clock = e.clock.Add(time.Hour)
		e.reconcile("a")
		require.Equal(t, e.handover(), e.monitor().RequeueAfter)
		require.Equal(t, sharedKinds, e.objects(sharedName))
	}
	require.NoError(t, e.cluster.Delete(t.Context(), e.lease("a")))
	e.monitor()
	require.Empty(t, e.objects(sharedName))
}

// TestHandoverBoth checks that leases have both forms if the administrator says so.
func TestHandoverBoth(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, monitors("both"), newLease(t, "a", scaled))
	e.reconcile("a")
	e.monitor()
	e.clock = e.clock.Add(time.Hour)
	e.isQuiet("a")
	require.Equal(t, own, e.objects("tms-a"))
	require.Equal(t, sharedKinds, e.objects(sharedName))
}

// TestHandoverFails checks that nothing is deleted while the monitors cannot be read.
func TestHandoverFails(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, monitors("shared"), newLease(t, "a", scaled))
	e.reconcile("a")
	e.monitor()
	e.written()
	working := e.Client
	e.switchTo("perLease")
	for _, fail := range []string{"owned", "same target"} {
		e.Client = &failingReader{Client: working, fail: fail, err: errors.New("no connection")}
		_, err := e.tryMonitor()
		require.ErrorContains(t, err, "no connection")
	}
	require.Empty(t, e.written())
}
