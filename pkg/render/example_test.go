package render_test

import (
	"errors"
	"fmt"
	"strings"

	"github.com/triton-leases/tms/pkg/policy"
	"github.com/triton-leases/tms/pkg/render"
)

const exampleValues = `
server:
  autoscaling:
    enable: true
    metrics: {queueTime: {enabled: true}}
leases:
  resnet50:
    models: [{name: resnet50, uri: "s3://models/vision"}]
    autoscaling: {enable: true, replicas: {maximum: 50}}
`

func ExampleRenderer_Render() {
	renderer, err := render.New(render.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := renderer.Render(render.Release{Name: "tms", Namespace: "inference"}, []byte(exampleValues))
	if err != nil {
		fmt.Println(err)
		return
	}
	for document := range result.Documents() {
		fmt.Println(document.Kind)
	}
	for _, warning := range result.Warnings {
		fmt.Println(warning)
	}
	// Output:
	// Service
	// Service
	// Deployment
	// HorizontalPodAutoscaler
	// PodMonitor
	// PrometheusRule
	// Pod
	// leases.resnet50.autoscaling.replicas.maximum: asked 50, granted 10 (server.autoscaling.replicas.limits.maximum)
}

func ExampleRenderer_Render_refused() {
	renderer, err := render.New(render.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = renderer.Render(render.Release{Name: "tms", Namespace: "inference"}, []byte(exampleValues),
		[]byte(`leases: {resnet50: {autoscaling: {replicas: {minimum: 60}}}}`))
	var refusal policy.Refusal
	if errors.As(err, &refusal) {
		for _, reason := range refusal {
			fmt.Println(reason.Field)
			fmt.Println(reason.Detail)
		}
	}
	// Output:
	// leases.resnet50.autoscaling.replicas.minimum
	// must not exceed maximum (50)
}

func ExampleRenderer_Lease() {
	renderer, err := render.New(render.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	objects, err := renderer.Lease(render.Release{Name: "tms", Namespace: "inference"}, "resnet50", []byte(exampleValues))
	if err != nil {
		fmt.Println(err)
		return
	}
	hpa := objects.HorizontalPodAutoscaler
	fmt.Println(hpa.Name, *hpa.Spec.MinReplicas, hpa.Spec.MaxReplicas)
	fmt.Println(objects.Deployment.Spec.Template.Spec.Containers[0].Args)
	// Output:
	// tms-resnet50 1 10
	// [tritonserver --model-repository=s3://models/vision --model-control-mode=explicit --load-model=resnet50 --exit-timeout-secs=45 --grpc-max-connection-age=30000]
}

func ExampleResult_WriteTo() {
	renderer, err := render.New(render.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := renderer.Render(render.Release{Name: "tms", Namespace: "inference"}, []byte(exampleValues))
	if err != nil {
		fmt.Println(err)
		return
	}
	var text strings.Builder
	if _, err := result.WriteTo(&text); err != nil {
		fmt.Println(err)
	}
	first, _, _ := strings.Cut(text.String()[1:], "\n---")
	fmt.Println("-" + first)
	// Output:
	// ---
	// # Source: tms/templates/service.yaml
	// apiVersion: v1
	// kind: Service
	// metadata:
	//   name: "tms-resnet50"
	//   namespace: "inference"
	//   labels:
	//     app.kubernetes.io/name: "tms"
	//     app.kubernetes.io/instance: "tms"
	//     tms.triton-leases.dev/lease: "resnet50"
	//     app.kubernetes.io/component: "triton"
	//     app.kubernetes.io/managed-by: "Helm"
	//     app.kubernetes.io/version: "0.1.0"
	//     helm.sh/chart: "tms-0.1.0"
	// spec:
	//   selector:
	//     app.kubernetes.io/name: "tms"
	//     app.kubernetes.io/instance: "tms"
	//     tms.triton-leases.dev/lease: "resnet50"
	//   ports:
	//     - name: http
	//       port: 8000
	//       targetPort: http
	//     - name: grpc
	//       port: 8001
	//       targetPort: grpc
}
