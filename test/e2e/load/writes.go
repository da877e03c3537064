package main

import (
	"context"
	"fmt"
	"time"
)

// writeAlone makes the writes of a new lease without tms-server, and returns how long they
// take. A ConfigMap stands for the lease. The Deployment has no replicas.
func (e *environment) writeAlone(ctx context.Context, name string) (time.Duration, error) {
	const (
		core, apps, autoscaling = "/api/v1", "/apis/apps/v1", "/apis/autoscaling/v2"
		plain, merge, apply     = "application/json", "application/merge-patch+json", "application/apply-patch+yaml"
	)
	begin := time.Now()
	for _, write := range []struct{ verb, api, path, format, body string }{
		{"POST", core, "configmaps", plain, `{"metadata":{"name":%q}}`},
		{"POST", apps, "deployments", plain, `{"metadata":{"name":%q},"spec":{"replicas":0,"selector":{"matchLabels":{"app":%[1]q}},
  "template":{"metadata":{"labels":{"app":%[1]q}},"spec":{"containers":[{"name":"triton","image":"triton"}]}}}}`},
		{"POST", core, "services", plain, `{"metadata":{"name":%q},"spec":{"ports":[{"port":8000}]}}`},
		{"POST", core, "services", plain, `{"metadata":{"name":"headless-%s"},"spec":{"clusterIP":"None","ports":[{"port":8000}]}}`},
		{"PATCH", autoscaling, "horizontalpodautoscalers/" + name + "?fieldManager=load", apply, `{"apiVersion":"autoscaling/v2",
  "kind":"HorizontalPodAutoscaler","metadata":{"name":%q},"spec":{"scaleTargetRef":{"apiVersion":"apps/v1","kind":"Deployment","name":%[1]q},"maxReplicas":2}}`},
		{"PATCH", apps, "deployments/" + name + "/status", merge, `{"metadata":{"name":%q},"status":{"observedGeneration":1}}`},
	} {
		err := e.api.Verb(write.verb).RequestURI(write.api+"/namespaces/"+aloneNamespace+"/"+write.path).SetHeader("Content-Type", write.format).
			Body(fmt.Appendf(nil, write.body, name)).Do(ctx).Error()
		if err != nil {
			return 0, fmt.Errorf("%s %s without tms-server: %w", write.verb, write.path, err)
		}
	}
	return time.Since(begin), nil
}
