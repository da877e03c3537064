package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/triton-leases/tms/test/e2e/cluster"
	"github.com/triton-leases/tms/test/e2e/netns"
	"github.com/triton-leases/tms/test/e2e/process"
)

// places are where things are.
type places struct {
	bins, server, chart string
	// api has servers serve the API: so many, of which one leads.
	api     bool
	servers int
}

// place is a control plane with a server.
type place struct {
	*cluster.Cluster
	api    rest.Interface
	config string // file of the server's configuration

	servers   []*process.Process
	dir       string
	processes *process.Group
}

// start starts a control plane and a server, which has nothing to do yet.
func (p places) start(ctx context.Context) (*place, error) {
	dir, err := os.MkdirTemp("", "tms-load-*")
	if err != nil {
		return nil, err
	}
	a := &place{dir: dir, config: filepath.Join(dir, "values.yaml")}
	if a.processes, err = process.NewGroup(filepath.Join(dir, "logs")); err != nil {
		return a, err
	}
	// What makes ReplicaSets and pods of Deployments is not what is measured.
	managers := []string{"--kube-api-qps=1000", "--kube-api-burst=2000", "--concurrent-deployment-syncs=20", "--concurrent-replicaset-syncs=20"}
	if p.api { // or is not there, because we say which Deployments are ready
		managers = append(managers, "--controllers=*,-deployment-controller,-replicaset-controller,-horizontal-pod-autoscaler-controller")
	}
	if a.Cluster, err = cluster.Start(ctx, cluster.Config{
		Dir: dir, Bins: p.bins, NodeIP: netns.NodeIP, ServiceRange: netns.ServiceRange, APIServiceIP: netns.APIServiceIP,
		Loopback: "127.0.0.1", Processes: a.processes, NoScheduler: true,
		HPASync: time.Hour, // there are no metrics to look at
		Flags:   map[string][]string{"kube-controller-manager": managers},
	}); err != nil {
		return a, err
	}
	config, err := clientcmd.BuildConfigFromFlags("", a.Kubeconfig)
	if err != nil {
		return a, err
	}
	config.QPS = -1
	config.GroupVersion, config.NegotiatedSerializer = &leaseVersion, codecs
	config.APIPath = "/apis"
	if a.api, err = rest.RESTClientFor(config); err != nil {
		return a, err
	}
	if err := p.kinds(ctx, a); err != nil {
		return a, err
	}
	return a, p.serve(a)
}

// kinds installs the kinds of objects: ours, and those of the Prometheus Operator.
func (p places) kinds(ctx context.Context, a *place) error {
	ours, err := os.ReadFile(filepath.Join(p.chart, "files", "tritonleases.yaml"))
	if err != nil {
		return err
	}
	bundle, err := os.ReadFile(filepath.Join(p.bins, "bundle.yaml"))
	if err != nil {
		return err
	}
	manifests := []string{string(ours)}
	for part := range strings.SplitSeq(string(bundle), "\n---\n") {
		if strings.Contains(part, "name: podmonitors.monitoring.coreos.com") || strings.Contains(part, "name: prometheusrules.monitoring.coreos.com") {
			manifests = append(manifests, part)
		}
	}
	for i := range namespaces {
		manifests = append(manifests, fmt.Sprintf("{apiVersion: v1, kind: Namespace, metadata: {name: %s}}", namespace(i)))
	}
	if err := a.Apply(ctx, strings.Join(manifests, "\n---\n")); err != nil {
		return err
	}
	_, err = a.Kubectl(ctx, "", "wait", "--for=condition=Established", "--timeout=120s", "crd", "--all")
	return err
}

// serve starts the server, with the memory limit that the chart gives it.
func (p places) serve(a *place) error {
	if err := a.configure(100_000); err != nil {
		return err
	}
	binary := p.server
	if info, err := os.Stat(binary); err == nil && info.IsDir() {
		binary = filepath.Join(binary, "tms-server")
	}
	for i := range max(1, p.servers) {
		spec := process.Spec{
			Name: fmt.Sprintf("tms-server-%d", i), Env: []string{"GOMEMLIMIT=966367641"}, Restart: p.servers > 1, Argv: []string{
				binary, "--config=" + a.config, "--kubeconfig=" + a.Kubeconfig, "--health-probe-bind-address=0",
			},
		}
		metrics := metricsAddress
		if i > 0 {
			metrics = "0"
		}
		spec.Argv = append(spec.Argv, "--metrics-bind-address="+metrics)
		if p.servers > 1 {
			spec.Argv = append(spec.Argv, "--leader-elect", "--leader-elect-namespace=default")
		}
		if p.api {
			spec.Argv = append(spec.Argv, "--api-bind-address="+apiAddress(i), "--insecure-no-tls", "--calls-per-second=10000", "--calls-burst=10000")
		}
		server, err := a.processes.Start(spec)
		if err != nil {
			return err
		}
		a.servers = append(a.servers, server)
	}
	return nil
}

// configure writes the configuration of the server, in which every lease has another
// threshold.
func (a *place) configure(threshold int) error {
	text := fmt.Sprintf("server: {autoscaling: {enable: true, metrics: {queueTime: {enabled: true, threshold: {default: %d}}}}}\n", threshold)
	if err := os.WriteFile(a.config+".new", []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(a.config+".new", a.config)
}

// stop ends everything, and removes it where it was of use.
func (a *place) stop(failed bool) error {
	if a.Cluster != nil {
		a.Stop()
	}
	if a.processes != nil {
		a.processes.Stop()
	}
	errs := []error{os.RemoveAll(filepath.Join(a.dir, "etcd"))}
	if failed {
		fmt.Fprintln(os.Stderr, "the logs are in", a.dir)
	} else {
		errs = append(errs, os.RemoveAll(a.dir))
	}
	return errors.Join(errs...)
}
