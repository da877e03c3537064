package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// form is a form of the monitors of leases.
type form struct{ name, render, values string }

// forms are the forms that are compared: the first one is the base of the ratios.
func (o options) forms() []form {
	all := []form{
		{"perLease", o.render, "perLease"},
		{"shared", o.render, "shared"},
	}
	if o.before != "" {
		all = append([]form{{"perLease, before", o.before, ""}}, all...)
	}
	return all
}

// fleet is a number of leases, which are spread over namespaces.
type fleet struct{ leases, namespaces int }

// namespace returns the namespace of a lease.
func (f fleet) namespace(i int) string { return fmt.Sprintf("team-%02d", i%f.namespaces) }

// resources are the paths of the kinds that the measurements need. The Services are not
// among them.
var resources = map[string]struct{ path, plural string }{
	"Pod":                     {"/api/v1", "pods"},
	"Deployment":              {"/apis/apps/v1", "deployments"},
	"HorizontalPodAutoscaler": {"/apis/autoscaling/v2", "horizontalpodautoscalers"},
	"PodMonitor":              {"/apis/monitoring.coreos.com/v1", "podmonitors"},
	"PrometheusRule":          {"/apis/monitoring.coreos.com/v1", "prometheusrules"},
}

// objects renders the objects of leases, by kind.
func (e *environment) objects(ctx context.Context, fleet fleet, form form) (map[string][]unstructured.Unstructured, error) {
	values := "server: {autoscaling: {enable: true, metrics: {queueTime: {enabled: true}}}}\n"
	if form.values != "" {
		values = fmt.Sprintf("server: {autoscaling: {enable: true, metrics: {queueTime: {enabled: true}}, prometheus: {monitors: %s}}}\n", form.values)
	}
	var manifests strings.Builder
	for i := range fleet.leases {
		_, _ = fmt.Fprintf(&manifests, `---
apiVersion: tms.triton-leases.dev/v1alpha1
kind: TritonLease
metadata: {name: lease-%05d, namespace: %s}
spec: {models: [{name: model-%[1]d, uri: "s3://models/%[1]d"}], autoscaling: {enable: true, replicas: {maximum: 4}}}
`, i, fleet.namespace(i))
	}
	paths := []string{filepath.Join(e.dir, "values.yaml"), filepath.Join(e.dir, "leases.yaml")}
	for i, text := range []string{values, manifests.String()} {
		if err := os.WriteFile(paths[i], []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	cmd := exec.CommandContext(ctx, form.render, "-f", paths[0], "-f", paths[1], "-o", "json")
	var refused bytes.Buffer
	cmd.Stderr = &refused
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, refused.String())
	}
	var list struct{ Items []map[string]any }
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, err
	}
	objects := map[string][]unstructured.Unstructured{}
	for _, item := range list.Items {
		object := unstructured.Unstructured{Object: item}
		objects[object.GetKind()] = append(objects[object.GetKind()], object)
	}
	for i, d := range objects["Deployment"] {
		objects["Pod"] = append(objects["Pod"], podOf(d))
		_ = unstructured.SetNestedField(objects["Deployment"][i].Object, map[string]any{"replicas": int64(1), "readyReplicas": int64(1)}, "status")
	}
	return objects, nil
}

// podOf returns the pod of a Deployment with one replica.
func podOf(d unstructured.Unstructured) unstructured.Unstructured {
	template, _, _ := unstructured.NestedMap(d.Object, "spec", "template")
	pod := unstructured.Unstructured{Object: template}
	pod.SetAPIVersion("v1")
	pod.SetKind("Pod")
	pod.SetName(d.GetName() + "-0")
	pod.SetNamespace(d.GetNamespace())
	return pod
}

// grow creates the leases' pods and HorizontalPodAutoscalers that do not exist yet, and
// sets their status: there is no node. If scaled is true, it leaves the status of the
// HorizontalPodAutoscalers to their controller, and creates their Deployments.
func (e *environment) grow(ctx context.Context, objects map[string][]unstructured.Unstructured, scaled bool) error {
	pods, autoscalers := objects["Pod"], objects["HorizontalPodAutoscaler"]
	return concurrently(len(pods), func(i int) error {
		created, err := e.create(ctx, pods[i])
		if err != nil || !created { // what exists already has its status
			return err
		}
		ip := fmt.Sprintf("10.244.%d.%d", i/250, 1+i%250)
		if err := e.setStatus(ctx, pods[i], fmt.Sprintf(`{"status":{"phase":"Running","podIP":%q,"podIPs":[{"ip":%[1]q}],"conditions":[{"type":"Ready","status":"True"}]}}`, ip)); err != nil {
			return err
		}
		if _, err := e.create(ctx, autoscalers[i]); err != nil {
			return err
		}
		if !scaled {
			return e.setStatus(ctx, autoscalers[i], `{"status":{"currentReplicas":1,"desiredReplicas":1,"currentMetrics":[{"type":"Pods",`+
				`"pods":{"metric":{"name":"tms_avg_request_queue_duration"},"current":{"averageValue":"1k"}}}]}}`)
		}
		if _, err := e.create(ctx, objects["Deployment"][i]); err != nil {
			return err
		}
		return e.setStatus(ctx, objects["Deployment"][i], `{"status":{"replicas":1,"readyReplicas":1,"availableReplicas":1}}`)
	})
}

// replaceMonitors deletes all monitors, and creates those of the objects.
func (e *environment) replaceMonitors(ctx context.Context, fleet fleet, objects map[string][]unstructured.Unstructured) error {
	for _, kind := range []string{"PodMonitor", "PrometheusRule"} {
		r := resources[kind]
		for i := range fleet.namespaces {
			if err := e.api.Delete().AbsPath(r.path, "namespaces", fleet.namespace(i), r.plural).Do(ctx).Error(); err != nil {
				return err
			}
		}
		if err := concurrently(len(objects[kind]), func(i int) error {
			_, err := e.create(ctx, objects[kind][i])
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// create creates an object, and reports whether it did not exist.
func (e *environment) create(ctx context.Context, object unstructured.Unstructured) (bool, error) {
	body, err := json.Marshal(object.Object)
	if err != nil {
		return false, err
	}
	r := resources[object.GetKind()]
	err = e.api.Post().AbsPath(r.path, "namespaces", object.GetNamespace(), r.plural).SetHeader("Content-Type", "application/json").Body(body).Do(ctx).Error()
	if apierrors.IsAlreadyExists(err) {
		return false, nil
	}
	return err == nil, err
}

func (e *environment) setStatus(ctx context.Context, object unstructured.Unstructured, patch string) error {
	r := resources[object.GetKind()]
	return e.api.Patch(types.MergePatchType).AbsPath(r.path, "namespaces", object.GetNamespace(), r.plural, object.GetName(), "status").Body([]byte(patch)).Do(ctx).Error()
}

// list returns the metadata of all objects of a kind in the namespaces of the leases.
func (e *environment) list(ctx context.Context, kind string) ([]metav1.PartialObjectMetadata, error) {
	r := resources[kind]
	text, err := e.api.Get().AbsPath(r.path, r.plural).SetHeader("Accept", "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1").DoRaw(ctx)
	if err != nil {
		return nil, err
	}
	var list metav1.PartialObjectMetadataList
	err = json.Unmarshal(text, &list)
	return list.Items, err
}

// concurrently calls do for each number below n.
func concurrently(n int, do func(i int) error) error {
	var all sync.WaitGroup
	var lock sync.Mutex
	var failed error
	numbers := make(chan int)
	for range 16 {
		all.Go(func() {
			for i := range numbers {
				if err := do(i); err != nil {
					lock.Lock()
					failed = errors.Join(failed, err)
					lock.Unlock()
				}
			}
		})
	}
	for i := range n {
		numbers <- i
	}
	close(numbers)
	all.Wait()
	return failed
}
