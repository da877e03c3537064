//go:build e2e

package e2e

import "fmt"

// shortened is the values that all releases share. They shorten the intervals and reduce
// the resources; everything else is the chart's default.
var shortened = `
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
  lifecycle: {preStop: {sleep: {seconds: 1}}}
  terminationGracePeriodSeconds: 8
  probes:
    startup: {periodSeconds: 1, failureThreshold: 180}
    readiness: {periodSeconds: 1, failureThreshold: 3}
    liveness: {periodSeconds: 2, timeoutSeconds: 5, failureThreshold: 5}
`

// queueLease returns values with a lease that scales on queueTime.
func queueLease(name string, maximum, threshold int) string {
	return fmt.Sprintf(`
server: {autoscaling: {metrics: {queueTime: {enabled: true}}}}
leases:
  %s:
    models: [{name: %s, uri: "s3://models/vision"}]
    autoscaling: {enable: true, replicas: {maximum: %d}, metrics: {queueTime: {threshold: %d}}}
`, name, name, maximum, threshold)
}
