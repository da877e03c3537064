package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/triton-leases/tms/test/e2e/cluster"
	"github.com/triton-leases/tms/test/e2e/netns"
	"github.com/triton-leases/tms/test/e2e/process"
)

// options are the paths and the servers of an environment.
type options struct {
	bins, server, chart string
	// monitors is the form of monitoring: shared, perLease, or empty for a server that has
	// no such setting. Its leases have their own monitors.
	monitors string
	// serveAPI enables the API. servers is the number of servers; several elect a leader.
	serveAPI bool
	servers  int
}

// environment is a control plane with one or more servers.
type environment struct {
	*cluster.Cluster
	options
	servers           []*process.Process
	api               rest.Interface
	config            string // the path of the server's configuration
	serversKubeconfig string
	// namespaces are the namespaces that have leases.
	namespaces map[string]bool
	lock       sync.Mutex

	dir       string
	processes *process.Group
}

// start starts a control plane and the servers. If it returns an environment with an
// error, the caller must stop it.
func (o options) start(ctx context.Context) (*environment, error) {
	dir, err := os.MkdirTemp("", "tms-load-*")
	if err != nil {
		return nil, err
	}
	e := &environment{
		options: o, namespaces: map[string]bool{},
		dir: dir, config: filepath.Join(dir, "values.yaml"), serversKubeconfig: filepath.Join(dir, "tms-server.kubeconfig"),
	}
	if e.processes, err = process.NewGroup(filepath.Join(dir, "logs")); err != nil {
		return e, err
	}
	// The controllers of Deployments and ReplicaSets must not slow down the measurement.
	managers := []string{"--kube-api-qps=1000", "--kube-api-burst=2000", "--concurrent-deployment-syncs=20", "--concurrent-replicaset-syncs=20"}
	controllers := "--controllers=*,-horizontal-pod-autoscaler-controller" // there are no metrics
	if o.serveAPI {                                                        // markReady acts as the Deployment controller
		controllers += ",-deployment-controller,-replicaset-controller"
	}
	managers = append(managers, controllers)
	if e.Cluster, err = cluster.Start(ctx, cluster.Config{
		Dir: dir, Bins: o.bins, NodeIP: netns.NodeIP, ServiceRange: netns.ServiceRange, APIServiceIP: netns.APIServiceIP,
		Loopback: "127.0.0.1", Processes: e.processes, NoScheduler: true,
		HPASync: time.Hour,
		Flags:   map[string][]string{"kube-controller-manager": managers},
	}); err != nil {
		return e, err
	}
	config, err := clientcmd.BuildConfigFromFlags("", e.Kubeconfig)
	if err != nil {
		return e, err
	}
	config.QPS = -1
	config.GroupVersion, config.NegotiatedSerializer = &leaseVersion, codecs
	config.APIPath = "/apis"
	if e.api, err = rest.RESTClientFor(config); err != nil {
		return e, err
	}
	if err := o.installKinds(ctx, e); err != nil {
		return e, err
	}
	if err := e.createAccount(ctx); err != nil {
		return e, err
	}
	if err := e.configure(firstThreshold, 0); err != nil {
		return e, err
	}
	for range max(1, o.servers) {
		if err := e.startServer(o.servers > 1); err != nil {
			return e, err
		}
	}
	return e, nil
}

// installKinds installs the CustomResourceDefinitions of TMS and of the Prometheus Operator,
// and the namespaces.
func (o options) installKinds(ctx context.Context, e *environment) error {
	ours, err := os.ReadFile(filepath.Join(o.chart, "files", "tritonleases.yaml"))
	if err != nil {
		return err
	}
	bundle, err := os.ReadFile(filepath.Join(o.bins, "bundle.yaml"))
	if err != nil {
		return err
	}
	manifests := []string{string(ours)}
	for part := range strings.SplitSeq(string(bundle), "\n---\n") {
		if strings.Contains(part, "name: podmonitors.monitoring.coreos.com") || strings.Contains(part, "name: prometheusrules.monitoring.coreos.com") {
			manifests = append(manifests, part)
		}
	}
	names := []string{serversNamespace, floodNamespace, aloneNamespace}
	for i := range namespaces {
		names = append(names, namespace(i))
	}
	for _, name := range names {
		manifests = append(manifests, fmt.Sprintf("{apiVersion: v1, kind: Namespace, metadata: {name: %s}}", name))
	}
	if err := e.Apply(ctx, strings.Join(manifests, "\n---\n")); err != nil {
		return err
	}
	_, err = e.Kubectl(ctx, "", "wait", "--for=condition=Established", "--timeout=120s", "crd", "--all")
	return err
}

// stop stops the processes and removes their folder. If the measurement failed, it keeps
// the logs.
func (e *environment) stop(failed bool) error {
	if e.Cluster != nil {
		e.Stop()
	}
	if e.processes != nil {
		e.processes.Stop()
	}
	errs := []error{os.RemoveAll(filepath.Join(e.dir, "etcd"))}
	if failed {
		fmt.Fprintln(os.Stderr, "the logs are in", e.dir)
	} else {
		errs = append(errs, os.RemoveAll(e.dir))
	}
	return errors.Join(errs...)
}
