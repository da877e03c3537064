package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/triton-leases/tms/test/e2e/cluster"
	"github.com/triton-leases/tms/test/e2e/monitoring"
	"github.com/triton-leases/tms/test/e2e/netns"
	"github.com/triton-leases/tms/test/e2e/process"
)

// options are the paths of the programs.
type options struct {
	bins string
	// render is tms-render. before is an earlier one, to compare with, or empty.
	render, before string
}

// environment is a control plane with the Prometheus Operator and kube-state-metrics.
type environment struct {
	options
	*cluster.Cluster
	config    *rest.Config
	api       rest.Interface
	dir       string
	processes *process.Group
}

// monitoringObjects are a Prometheus that selects what kube-prometheus-stack selects.
// kube-state-metrics is scraped as a static target.
const monitoringObjects = `
apiVersion: monitoring.coreos.com/v1
kind: Prometheus
metadata: {name: load, namespace: monitoring}
spec:
  replicas: 1
  version: v3.16.0
  podMonitorSelector: &selector {matchLabels: {release: prometheus}}
  ruleSelector: *selector
  podMonitorNamespaceSelector: {}
  ruleNamespaceSelector: {}
  additionalScrapeConfigs: {name: additional, key: jobs.yaml}
---
apiVersion: v1
kind: Secret
metadata: {name: additional, namespace: monitoring}
stringData:
  jobs.yaml: |
    - job_name: kube-state-metrics
      honor_labels: true
      static_configs: [{targets: ["` + stateMetricsAddress + `"]}]
`

const stateMetricsAddress = "127.0.0.1:18081"

// start starts an environment. If it returns an environment with an error, the caller must
// stop it.
func (o options) start(ctx context.Context) (*environment, error) {
	dir, err := os.MkdirTemp("", "tms-load-monitoring-*")
	if err != nil {
		return nil, err
	}
	e := &environment{options: o, dir: dir}
	if e.processes, err = process.NewGroup(filepath.Join(dir, "logs")); err != nil {
		return e, err
	}
	// Other controllers would create pods, or delete those without a node.
	const controllers = "--controllers=namespace-controller,serviceaccount-controller"
	if e.Cluster, err = cluster.Start(ctx, cluster.Config{
		Dir: dir, Bins: o.bins, NodeIP: netns.NodeIP, ServiceRange: netns.ServiceRange, APIServiceIP: netns.APIServiceIP,
		Loopback: "127.0.0.1", Processes: e.processes, NoScheduler: true, HPASync: time.Hour,
		Flags: map[string][]string{"kube-controller-manager": {controllers}},
	}); err != nil {
		return e, err
	}
	if e.config, err = clientcmd.BuildConfigFromFlags("", e.Kubeconfig); err != nil {
		return e, err
	}
	e.config.QPS = -1
	e.config.GroupVersion, e.config.NegotiatedSerializer = &corev1.SchemeGroupVersion, scheme.Codecs.WithoutConversion()
	if e.api, err = rest.RESTClientFor(e.config); err != nil {
		return e, err
	}
	return e, e.install(ctx)
}

// install installs the kinds and the processes of the monitoring.
func (e *environment) install(ctx context.Context) error {
	kinds, err := monitoring.CustomResourceDefinitions(e.bins)
	if err != nil {
		return err
	}
	if err := e.Apply(ctx, "{apiVersion: v1, kind: Namespace, metadata: {name: monitoring}}\n---\n"+kinds); err != nil {
		return err
	}
	if _, err := e.Kubectl(ctx, "", "wait", "--for=condition=Established", "--timeout=120s", "crd", "--all"); err != nil {
		return err
	}
	if err := e.Apply(ctx, monitoringObjects); err != nil {
		return err
	}
	operator, err := monitoring.OperatorProcess(e.Cluster, e.bins, "prometheus-operator", "127.0.0.1:18080")
	if err != nil {
		return err
	}
	for _, spec := range []process.Spec{operator, {Name: "kube-state-metrics", Argv: []string{
		filepath.Join(e.bins, "kube-state-metrics"), "--kubeconfig=" + e.Kubeconfig, "--resources=horizontalpodautoscalers",
		"--host=127.0.0.1", "--port=18081", "--telemetry-host=127.0.0.1", "--telemetry-port=18082",
	}}} {
		if _, err := e.processes.Start(spec); err != nil {
			return err
		}
	}
	return nil
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

// createNamespaces creates namespaces, and waits for the service accounts of their pods.
func (e *environment) createNamespaces(ctx context.Context, f fleet) error {
	for i := range f.namespaces {
		if err := e.Apply(ctx, fmt.Sprintf("{apiVersion: v1, kind: Namespace, metadata: {name: %s}}", f.namespace(i))); err != nil {
			return err
		}
	}
	return waitUntil(ctx, "the service accounts exist", func(ctx context.Context) error {
		for i := range f.namespaces {
			if _, err := e.Client.CoreV1().ServiceAccounts(f.namespace(i)).Get(ctx, "default", metav1.GetOptions{}); err != nil {
				return err
			}
		}
		return nil
	})
}

// waitUntil retries until there is no error.
func waitUntil(ctx context.Context, what string, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	var err error
	for {
		now := try(ctx)
		if now == nil {
			return nil
		}
		if err == nil || ctx.Err() == nil { // the last error is that of ctx
			err = now
		}
		if sleep(ctx, 500*time.Millisecond) != nil { // ctx is done
			return fmt.Errorf("wait until %s: %w", what, err)
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

func logf(format string, args ...any) {
	fmt.Fprintf(os.Stderr, time.Now().Format(time.TimeOnly)+" "+format+"\n", args...)
}
