package main

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
)

// podReady is the status that a kubelet would report for a pod that serves.
const podReady = `{"status":{"phase":"Running","conditions":[
  {"type":"Initialized","status":"True"},{"type":"ContainersReady","status":"True"},{"type":"Ready","status":"True"}]}}`

// runPods acts as the kubelet until the context is done: it reports each new pod as ready. So
// the leases serve, as in a cluster, and tms-server need not ask why they do not.
func (e *environment) runPods(ctx context.Context) {
	var patches sync.WaitGroup
	defer patches.Wait()
	const concurrent = 16
	slots := make(chan struct{}, concurrent)
	for ctx.Err() == nil {
		pods, err := e.Client.CoreV1().Pods("").Watch(ctx, metav1.ListOptions{FieldSelector: "status.phase=Pending"})
		if err != nil {
			_ = sleep(ctx, 100*time.Millisecond)
			continue
		}
		for event := range pods.ResultChan() {
			pod, ok := event.Object.(*corev1.Pod)
			if !ok || event.Type != watch.Added {
				continue
			}
			slots <- struct{}{}
			patches.Go(func() {
				defer func() { <-slots }()
				_, err := e.Client.CoreV1().Pods(pod.Namespace).Patch(ctx, pod.Name, types.StrategicMergePatchType, []byte(podReady), metav1.PatchOptions{}, "status")
				if err != nil && ctx.Err() == nil {
					fmt.Fprintf(os.Stderr, "report pod %s as ready: %v\n", pod.Name, err)
				}
			})
		}
	}
}
