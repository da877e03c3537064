//go:build e2e

package e2e

import "fmt"

// shortened are the values that all releases share. They change intervals and
// nothing else: scaling itself is what the chart does by default.
const shortened = `
server:
  autoscaling:
    enable: true
    behavior:
      scaleUp:
        stabilizationWindowSeconds: 0
        selectPolicy: Max
        policies: [{type: Percent, value: 100, periodSeconds: 3}, {type: Pods, value: 4, periodSeconds: 3}]
      scaleDown:
        stabilizationWindowSeconds: 15
        selectPolicy: Max
        policies: [{type: Pods, value: 1, periodSeconds: 3}]
    prometheus: {scrapeInterval: 2s, evaluationInterval: 1s, rateWindow: 8s}
triton:
  resources: {requests: {cpu: 1, memory: 1Gi}}
  terminationGracePeriodSeconds: 5
  probes:
    startup: {periodSeconds: 1, failureThreshold: 180}
    readiness: {periodSeconds: 1, failureThreshold: 3}
    liveness: {periodSeconds: 2, timeoutSeconds: 5, failureThreshold: 5}
`

// queueLease is a lease that scales by the time that requests wait.
func queueLease(name string, maximum, threshold int) string {
	return fmt.Sprintf(`
server: {autoscaling: {metrics: {queueTime: {enabled: true}}}}
leases:
  %s:
    models: [{name: %s, uri: "s3://models/vision"}]
    autoscaling: {enable: true, replicas: {maximum: %d}, metrics: {queueTime: {threshold: %d}}}
`, name, name, maximum, threshold)
}
