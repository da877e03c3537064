package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/triton-leases/tms/test/e2e/monitoring"
	"github.com/triton-leases/tms/test/e2e/process"
	"github.com/triton-leases/tms/test/e2e/promtext"
)

// setting are flags of prometheus-adapter and of the controller manager. All others have
// their defaults.
type setting struct {
	name                string
	adapter, controller []string
}

var (
	fastAdapter = []string{"--client-qps=100", "--client-burst=200"}
	settings    = []setting{
		{"all defaults", nil, nil},
		{"adapter: `--client-qps=100 --client-burst=200`", fastAdapter, nil},
		{"and `--concurrent-horizontal-pod-autoscaler-syncs=20`", fastAdapter, []string{"--concurrent-horizontal-pod-autoscaler-syncs=20"}},
		{"and `--kube-api-qps=100 --kube-api-burst=150` instead", fastAdapter, []string{"--kube-api-qps=100", "--kube-api-burst=150"}},
		{"both", fastAdapter, []string{"--kube-api-qps=100", "--kube-api-burst=150", "--concurrent-horizontal-pod-autoscaler-syncs=20"}},
	}
)

// syncs are those of a number of HorizontalPodAutoscalers with a setting.
type syncs struct {
	setting     setting
	autoscalers int
	// period is the mean time in seconds between two syncs of a HorizontalPodAutoscaler.
	period float64
	// calls are the API calls of a sync, and worked is the mean time of a sync in seconds.
	calls, worked float64
}

// syncPeriod is the default of --horizontal-pod-autoscaler-sync-period in seconds.
const syncPeriod = 15

// behind reports whether the controller falls behind its period.
func (s syncs) behind() bool { return s.period > 1.2*syncPeriod }

const (
	controllerAddress = "127.0.0.1:10260"
	adapterIP         = "10.96.0.50"
)

// adapterObjects make the API server send requests for custom metrics to the adapter.
const adapterObjects = `
apiVersion: v1
kind: Service
metadata: {name: prometheus-adapter, namespace: monitoring}
spec: {clusterIP: ` + adapterIP + `, ports: [{port: 443, name: https}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: prometheus-adapter, namespace: monitoring, labels: {kubernetes.io/service-name: prometheus-adapter}}
addressType: IPv4
endpoints: [{addresses: [` + adapterIP + `], conditions: {ready: true}}]
ports: [{name: https, port: 443}]
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1beta1.custom.metrics.k8s.io}
spec:
  group: custom.metrics.k8s.io
  version: v1beta1
  insecureSkipTLSVerify: true
  groupPriorityMinimum: 100
  versionPriority: 100
  service: {name: prometheus-adapter, namespace: monitoring, port: 443}
`

// measureAutoscalers measures the controller of HorizontalPodAutoscalers with each setting,
// for growing numbers until the setting falls behind. Each HorizontalPodAutoscaler has one
// metric of the type Pods.
func (o options) measureAutoscalers(ctx context.Context, sizes []int) (all []syncs, err error) {
	e, err := o.start(ctx)
	if e != nil {
		defer func() { err = errors.Join(err, e.stop(err != nil)) }()
	}
	if err != nil {
		return nil, err
	}
	fleet := fleet{namespaces: 20}
	if err := e.createNamespaces(ctx, fleet); err != nil {
		return nil, err
	}
	rules, err := monitoring.AdapterRules(ctx, e.bins)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(e.dir, "adapter.yaml"), []byte(rules), 0o600); err != nil {
		return nil, err
	}
	if err := e.Apply(ctx, adapterObjects); err != nil {
		return nil, err
	}
	forms := o.forms()
	isBehind := make([]bool, len(settings))
	for _, n := range sizes {
		fleet.leases = n
		objects, err := e.objects(ctx, fleet, forms[len(forms)-1])
		if err != nil {
			return nil, err
		}
		if err := e.grow(ctx, objects, true); err != nil {
			return nil, err
		}
		if err := e.replaceMonitors(ctx, fleet, objects); err != nil {
			return nil, err
		}
		server, err := e.startPrometheus(ctx, objects)
		if err != nil {
			return nil, err
		}
		if err := waitSeries(ctx, "tms_avg_request_queue_duration", n); err != nil {
			return nil, err
		}
		for i, s := range settings {
			if isBehind[i] {
				continue
			}
			result, err := e.measureSyncs(ctx, s, n)
			if err != nil {
				return nil, fmt.Errorf("%d, %s: %w", n, s.name, err)
			}
			isBehind[i] = result.behind()
			all = append(all, result)
		}
		kill(server)
	}
	return all, nil
}

// measureSyncs measures one setting, with a new adapter and a new controller.
func (e *environment) measureSyncs(ctx context.Context, s setting, n int) (result syncs, err error) {
	adapter, err := e.processes.Start(process.Spec{Name: "adapter", Argv: append([]string{
		filepath.Join(e.bins, "adapter"), "--lister-kubeconfig=" + e.Kubeconfig, "--authentication-kubeconfig=" + e.Kubeconfig,
		"--authorization-kubeconfig=" + e.Kubeconfig, "--bind-address=" + adapterIP, "--secure-port=443", "--cert-dir=" + filepath.Join(e.dir, "adapter"),
		"--prometheus-url=http://" + prometheusAddress, "--metrics-relist-interval=1m", "--config=" + filepath.Join(e.dir, "adapter.yaml"),
	}, s.adapter...)})
	if err != nil {
		return result, err
	}
	defer kill(adapter)
	if err := waitUntil(ctx, "the adapter serves the metrics of all pods", func(ctx context.Context) error {
		_, err := e.api.Get().AbsPath("/apis/custom.metrics.k8s.io/v1beta1/namespaces", fleet{namespaces: 1}.namespace(0), "pods/*/tms_avg_request_queue_duration").DoRaw(ctx)
		return err
	}); err != nil {
		return result, err
	}
	controller, err := e.processes.Start(process.Spec{Name: "controller", Argv: append([]string{
		filepath.Join(e.bins, "kubestack"), "kube-controller-manager", "--controllers=horizontal-pod-autoscaler-controller", "--leader-elect=false",
		"--kubeconfig=" + e.Kubeconfig, "--authentication-kubeconfig=" + e.Kubeconfig, "--authorization-kubeconfig=" + e.Kubeconfig,
		"--use-service-account-credentials=true", "--bind-address=127.0.0.1", "--secure-port=10260", "--authorization-always-allow-paths=/metrics",
	}, s.controller...)})
	if err != nil {
		return result, err
	}
	defer kill(controller)
	before, err := waitSyncs(ctx, float64(2*n)) // the first sync of all changes more of the status
	if err != nil {
		return result, err
	}
	begin := time.Now()
	after, err := waitSyncs(ctx, before.Sum(reconciliations)+float64(periods*n))
	if err != nil {
		return result, err
	}
	delta := func(metric string, labels ...string) float64 {
		return after.Sum(metric, labels...) - before.Sum(metric, labels...)
	}
	const queue = `name="horizontalpodautoscaler"`
	done := delta(reconciliations)
	if failed := done - delta(reconciliations, `action="none"`, `error="none"`); failed > 0 {
		return result, fmt.Errorf("%g of %g syncs failed or scaled", failed, done)
	}
	result = syncs{
		setting: s, autoscalers: n, period: float64(n) * time.Since(begin).Seconds() / done, calls: delta("rest_client_requests_total") / done,
		worked: delta("workqueue_work_duration_seconds_sum", queue) / delta("workqueue_work_duration_seconds_count", queue),
	}
	logf("%d HorizontalPodAutoscalers, %s: a sync every %.1f s, takes %.3f s, %.1f API calls", n, s.name, result.period, result.worked, result.calls)
	return result, nil
}

const reconciliations = "horizontal_pod_autoscaler_controller_reconciliations_total"

// waitSyncs waits until the controller has done a number of syncs, and returns its metrics.
// The controller often syncs all HorizontalPodAutoscalers at once and then waits, so a
// measurement must begin and end after the same part of them.
func waitSyncs(ctx context.Context, n float64) (s promtext.Samples, err error) {
	err = waitUntil(ctx, fmt.Sprintf("the controller has done %g syncs", n), func(ctx context.Context) error {
		if s, err = promtext.Scrape(ctx, "https://"+controllerAddress+"/metrics"); err != nil {
			return err
		}
		if done := s.Sum(reconciliations); done < n {
			return fmt.Errorf("%g syncs", done)
		}
		return nil
	})
	return s, err
}

func kill(p *process.Process) {
	now, cancel := context.WithCancel(context.Background())
	cancel()
	p.Stop(now)
}
