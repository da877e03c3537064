//go:build e2e

package e2e

import (
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestBounds checks that a lease that asks for 50 replicas gets the administrator's
// maximum, and that a lease without autoscaling does not scale.
func TestBounds(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "bounds")
	namespace := s.namespace("", nil)
	s.install(3, namespace, "tms", `
server:
  autoscaling:
    replicas: {default: {maximum: 3}, limits: {maximum: 3}}
    metrics: {queueTime: {enabled: true, threshold: {default: 100000}}}
leases:
  greedy:
    models: [{name: resnet50, uri: "s3://models/vision"}]
    autoscaling: {enable: true, replicas: {maximum: 50}}
  plain:
    models: [{name: resnet50, uri: "s3://models/vision"}]
`)
	const greedy, plain = "tms-greedy", "tms-plain"
	s.record("A lease that asks for 50, under a maximum of 3", namespace, greedy, queueMetric, 100000)
	a, _ := hpa(s.Context(), namespace, greedy)
	if adjustments := a.Annotations["tms.triton-leases.dev/adjustments"]; !strings.Contains(adjustments, "asked 50, granted 3") {
		s.fatal("the annotation is %q", adjustments)
	}
	_, err := h.Cluster.Client.AutoscalingV2().HorizontalPodAutoscalers(namespace).Get(s.Context(), plain, metav1.GetOptions{})
	if !apierrors.IsNotFound(err) {
		s.fatal("the lease without autoscaling has an HPA (%v)", err)
	}
	s.reads(namespace, greedy, queueMetric)
	s.load(namespace+"/"+greedy, 300)
	s.load(namespace+"/"+plain, 300)
	s.becomes(namespace, greedy, 3)
	s.stays(namespace, greedy, 3, 20*time.Second)
	s.stays(namespace, plain, 1, time.Second)
}

// TestNeighbours checks that leases do not scale each other, and that a target lease
// scales a Deployment that the chart does not own.
func TestNeighbours(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "neighbours")
	one, other := s.namespace("-one", nil), s.namespace("-other", nil)
	two := queueLease("busy", 3, 100000) + `
  idle:
    models: [{name: resnet50, uri: "s3://models/vision"}]
    autoscaling: {enable: true, replicas: {maximum: 3}, metrics: {queueTime: {threshold: 100000}}}
`
	s.install(3, one, "tms", two)
	s.install(4, other, "tms", two)
	s.must(h.Cluster.Apply(s.Context(), strings.ReplaceAll(foreignTriton, "NAMESPACE", other)))
	s.install(3, other, "legacy", `
server: {autoscaling: {metrics: {queueTime: {enabled: true}}}}
leases:
  legacy:
    target: {kind: Deployment, name: triton-legacy, selector: {app: triton}, metricsPort: metrics, container: triton}
    autoscaling: {enable: true, replicas: {maximum: 3}, metrics: {queueTime: {threshold: 100000}}}
`)
	const busy, idle, target, autoscaler = "tms-busy", "tms-idle", "triton-legacy", "legacy-tms-legacy"
	s.reads(one, busy, queueMetric)
	s.reads(one, idle, queueMetric)
	s.reads(other, busy, queueMetric)
	s.reads(other, autoscaler, queueMetric)

	s.load(one+"/"+busy, 300)
	s.becomes(one, busy, 3)
	for _, quiet := range [][2]string{{one, idle}, {other, busy}, {other, idle}, {other, target}} {
		s.stays(quiet[0], quiet[1], 1, 5*time.Second)
	}
	s.load(one+"/"+busy, 1)
	s.load(other+"/"+target, 300)
	s.eventually("the target Deployment has 3 ready replicas", func() (bool, string) {
		_, ready, err := size(s.Context(), other, target)
		_, summary := hpa(s.Context(), other, autoscaler)
		return err == nil && ready == 3, summary
	})
	s.becomes(one, busy, 1)
	s.stays(other, busy, 1, 5*time.Second)
}

// foreignTriton is a Triton that no lease deployed, and that leases may have as a target.
const foreignTriton = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: triton-legacy, namespace: NAMESPACE, labels: {tms.triton-leases.dev/target: "true"}}
spec:
  selector: {matchLabels: {app: triton}}
  template:
    metadata: {labels: {app: triton}}
    spec:
      securityContext: {runAsNonRoot: true, runAsUser: 1000, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: triton
          image: nvcr.io/nvidia/tritonserver:24.01-py3
          args: [tritonserver, --model-control-mode=explicit, --load-model=old]
          ports: [{containerPort: 8000, name: http}, {containerPort: 8002, name: metrics}]
          readinessProbe: {httpGet: {path: /v2/health/ready, port: http}, periodSeconds: 1}
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
`
