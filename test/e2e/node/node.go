// Package node simulates a node and its kubelet: it registers, watches the pods that
// the scheduler binds to it, gives each pod an address on the loopback device, mounts
// volumes, runs and probes containers, and writes the status of the pods.
//
// It terminates pods as a kubelet does: the preStop hook, SIGTERM and SIGKILL, all within
// the grace period.
//
// It does not support images, cgroups, limits, capabilities and seccomp (the API
// server's Pod Security admission checks those), exec and attach.
package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/ptr"
)

// Config is the configuration of a node.
type Config struct {
	Name, IP string
	Client   kubernetes.Interface
	// Dir is the folder of the pods' volumes, Logs that of the containers' logs.
	Dir, Logs string
	// Images has the runners of images, by repository.
	Images map[string]Runner
	// Registry has the images of image volumes.
	Registry *Registry
	// APIHost and APIPort are the address of the API server for pods.
	APIHost, APIPort string
	// CertificateFile and KeyFile are those of the kubelet's API on port 10250.
	CertificateFile, KeyFile string
	Report                   func(format string, args ...any)
}

// Node is a running node.
type Node struct {
	config Config
	mu     sync.Mutex
	pods   map[types.UID]*pod
	next   int // number of the next pod address
	since  metav1.Time
}

// Start registers the node and runs pods until the context is done.
func Start(ctx context.Context, config Config) (*Node, error) {
	n := &Node{config: config, pods: map[types.UID]*pod{}, since: metav1.Now()}
	for _, dir := range []string{config.Dir, config.Logs} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("folder of pods: %w", err)
		}
	}
	if err := n.register(ctx); err != nil {
		return nil, err
	}
	if err := n.serve(ctx); err != nil {
		return nil, err
	}
	factory := informers.NewSharedInformerFactoryWithOptions(config.Client, 0, informers.WithTweakListOptions(func(o *metav1.ListOptions) {
		o.FieldSelector = "spec.nodeName=" + config.Name
	}))
	pods := factory.Core().V1().Pods().Informer()
	if _, err := pods.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { n.sync(ctx, o.(*corev1.Pod)) },
		UpdateFunc: func(_, o any) { n.sync(ctx, o.(*corev1.Pod)) },
		DeleteFunc: func(o any) {
			if gone, ok := o.(cache.DeletedFinalStateUnknown); ok {
				o = gone.Obj
			}
			n.remove(o.(*corev1.Pod).UID)
		},
	}); err != nil {
		return nil, fmt.Errorf("watch pods: %w", err)
	}
	factory.Start(ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), pods.HasSynced) {
		return nil, errors.New("pods: the cache did not sync")
	}
	return n, nil
}

func (n *Node) register(ctx context.Context) error {
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: n.config.Name, Labels: map[string]string{
		corev1.LabelHostname: n.config.Name, corev1.LabelOSStable: "linux", corev1.LabelArchStable: "amd64",
	}}}
	if _, err := n.config.Client.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("register the node: %w", err)
	}
	if err := n.heartbeat(ctx); err != nil {
		return err
	}
	go func() {
		for ctx.Err() == nil {
			sleep(ctx, 5*time.Second)
			if err := n.heartbeat(ctx); err != nil && ctx.Err() == nil {
				n.config.Report("%v", err)
			}
		}
	}()
	return nil
}

// heartbeat updates the status and the lease of the node. Otherwise the node controller
// would mark the node as unreachable.
func (n *Node) heartbeat(ctx context.Context) error {
	capacity := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("512"), corev1.ResourceMemory: resource.MustParse("2Ti"), corev1.ResourcePods: resource.MustParse("500"),
		corev1.ResourceEphemeralStorage: resource.MustParse("1Ti"), "nvidia.com/gpu": resource.MustParse("128"),
	}
	status := corev1.NodeStatus{
		Capacity: capacity, Allocatable: capacity,
		Addresses:       []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: n.config.IP}, {Type: corev1.NodeHostName, Address: n.config.Name}},
		NodeInfo:        corev1.NodeSystemInfo{KubeletVersion: "v1.37.2", OperatingSystem: "linux", Architecture: "amd64"},
		DaemonEndpoints: corev1.NodeDaemonEndpoints{KubeletEndpoint: corev1.DaemonEndpoint{Port: kubeletPort}},
		Conditions: []corev1.NodeCondition{{
			Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady", LastHeartbeatTime: metav1.Now(), LastTransitionTime: n.since,
		}},
	}
	patch, err := json.Marshal(map[string]any{"status": status})
	if err != nil {
		return fmt.Errorf("status of the node: %w", err)
	}
	if _, err := n.config.Client.CoreV1().Nodes().Patch(ctx, n.config.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status"); err != nil {
		return fmt.Errorf("status of the node: %w", err)
	}
	lease, err := json.Marshal(coordinationv1.Lease{
		TypeMeta:   metav1.TypeMeta{APIVersion: "coordination.k8s.io/v1", Kind: "Lease"},
		ObjectMeta: metav1.ObjectMeta{Name: n.config.Name, Namespace: corev1.NamespaceNodeLease},
		Spec:       coordinationv1.LeaseSpec{HolderIdentity: &n.config.Name, LeaseDurationSeconds: ptr.To[int32](40), RenewTime: ptr.To(metav1.NowMicro())},
	})
	if err != nil {
		return fmt.Errorf("lease of the node: %w", err)
	}
	_, err = n.config.Client.CoordinationV1().Leases(corev1.NamespaceNodeLease).Patch(ctx, n.config.Name, types.ApplyPatchType, lease,
		metav1.PatchOptions{FieldManager: "kubelet", Force: ptr.To(true)})
	if err != nil {
		return fmt.Errorf("lease of the node: %w", err)
	}
	return nil
}

// sync starts a new pod, and terminates a pod with a deletion timestamp.
func (n *Node) sync(ctx context.Context, object *corev1.Pod) {
	n.mu.Lock()
	defer n.mu.Unlock()
	known := n.pods[object.UID]
	over := object.Status.Phase == corev1.PodFailed || object.Status.Phase == corev1.PodSucceeded
	switch {
	case known == nil && object.DeletionTimestamp == nil && !over:
		n.next++
		p := newPod(n, object, fmt.Sprintf("10.244.%d.%d", n.next/250, n.next%250+2))
		n.pods[object.UID] = p
		go p.run(ctx)
	case object.DeletionTimestamp != nil:
		if known != nil {
			known.end(ptr.Deref(object.DeletionGracePeriodSeconds, 0))
		}
		go n.confirm(ctx, object, known)
	}
}

// confirm deletes the object of a pod when its containers have ended.
func (n *Node) confirm(ctx context.Context, object *corev1.Pod, p *pod) {
	if p != nil {
		if p.confirmed.Swap(true) {
			return
		}
		select {
		case <-p.ended:
		case <-ctx.Done():
			return
		}
	}
	for ctx.Err() == nil {
		err := n.config.Client.CoreV1().Pods(object.Namespace).Delete(ctx, object.Name, metav1.DeleteOptions{
			GracePeriodSeconds: ptr.To[int64](0), Preconditions: &metav1.Preconditions{UID: &object.UID},
		})
		if err == nil || apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
			return
		}
		sleep(ctx, 500*time.Millisecond)
	}
}

func (n *Node) remove(uid types.UID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if p := n.pods[uid]; p != nil {
		p.end(0)
		delete(n.pods, uid)
	}
}

// CrashContainer kills a container with SIGKILL, as the kernel does when memory runs
// out. The node restarts it.
func (n *Node) CrashContainer(namespace, name, container string) error {
	p, err := n.pod(namespace, name)
	if err != nil {
		return err
	}
	return p.crash(container)
}

// SignalContainer sends a signal to the process of a container. SIGSTOP pauses it
// until SIGCONT.
func (n *Node) SignalContainer(namespace, name, container string, signal syscall.Signal) error {
	p, err := n.pod(namespace, name)
	if err != nil {
		return err
	}
	return p.signal(container, signal)
}

func (n *Node) pod(namespace, name string) (*pod, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range n.pods {
		if p.object.Namespace == namespace && p.object.Name == name {
			return p, nil
		}
	}
	return nil, fmt.Errorf("no pod %s/%s on the node", namespace, name)
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
