package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/triton-leases/tms/test/e2e/monitoring"
	"github.com/triton-leases/tms/test/e2e/process"
)

const prometheusAddress = "127.0.0.1:9090"

var prometheus = monitoring.Prometheus{Address: func() (string, error) { return prometheusAddress, nil }}

// startPrometheus starts a Prometheus with an empty storage, with the configuration and the
// rules that the operator made of the objects.
func (e *environment) startPrometheus(ctx context.Context, objects map[string][]unstructured.Unstructured) (*process.Process, error) {
	if err := waitUntil(ctx, "the operator has made the configuration", func(ctx context.Context) error {
		return e.writeConfiguration(ctx, objects)
	}); err != nil {
		return nil, err
	}
	storage := filepath.Join(e.dir, "prometheus")
	if err := os.RemoveAll(storage); err != nil {
		return nil, err
	}
	return e.processes.Start(process.Spec{Name: "prometheus", Argv: []string{
		filepath.Join(e.bins, "prometheus"), "--config.file=" + filepath.Join(e.dir, "prometheus.yaml"), "--storage.tsdb.path=" + storage,
		"--web.listen-address=" + prometheusAddress,
	}})
}

// writeConfiguration writes the files of a Prometheus. It returns an error if the operator
// has not yet made them of all objects.
func (e *environment) writeConfiguration(ctx context.Context, objects map[string][]unstructured.Unstructured) error {
	secret, err := e.Client.CoreV1().Secrets("monitoring").Get(ctx, "prometheus-load", metav1.GetOptions{})
	if err != nil {
		return err
	}
	compressed, err := gzip.NewReader(bytes.NewReader(secret.Data["prometheus.yaml.gz"]))
	if err != nil {
		return err
	}
	text, err := io.ReadAll(compressed)
	if err != nil {
		return err
	}
	config := string(text)
	if jobs := strings.Count(config, "job_name: podMonitor/"); jobs != len(objects["PodMonitor"]) {
		return fmt.Errorf("%d jobs for %d PodMonitors", jobs, len(objects["PodMonitor"]))
	}
	for _, monitor := range objects["PodMonitor"] {
		if job := fmt.Sprintf("job_name: podMonitor/%s/%s/0\n", monitor.GetNamespace(), monitor.GetName()); !strings.Contains(config, job) {
			return errors.New("missing: " + job)
		}
	}
	rules := filepath.Join(e.dir, "rules")
	maps, err := e.writeRules(ctx, rules)
	if err != nil {
		return err
	}
	// The operator writes the ConfigMaps before the configuration that names them.
	if named := strings.Count(config, "/etc/prometheus/rules/"); named != maps {
		return fmt.Errorf("the configuration names %d of %d ConfigMaps with rules", named, maps)
	}
	// Prometheus runs as a process, without the files and variables of a pod.
	config = strings.NewReplacer("/etc/prometheus/rules", rules, "$(POD_NAME)", "prometheus-load-0", "$(SHARD)", "0",
		"  - role: pod\n", "  - role: pod\n    kubeconfig_file: "+e.Kubeconfig+"\n").Replace(config)
	return os.WriteFile(filepath.Join(e.dir, "prometheus.yaml"), []byte(config), 0o600)
}

// writeRules writes the rule files of the operator's ConfigMaps. It returns an error if
// they are not those of the current PrometheusRules.
func (e *environment) writeRules(ctx context.Context, folder string) (n int, err error) {
	current, err := e.list(ctx, "PrometheusRule")
	if err != nil {
		return 0, err
	}
	maps, err := e.Client.CoreV1().ConfigMaps("monitoring").List(ctx, metav1.ListOptions{LabelSelector: "prometheus-name=load"})
	if err != nil {
		return 0, err
	}
	if err := os.RemoveAll(folder); err != nil {
		return 0, err
	}
	files := map[string]bool{}
	for _, m := range maps.Items {
		if err := os.MkdirAll(filepath.Join(folder, m.Name), 0o755); err != nil {
			return 0, err
		}
		for file, text := range m.Data {
			files[file] = true
			if err := os.WriteFile(filepath.Join(folder, m.Name, file), []byte(text), 0o600); err != nil {
				return 0, err
			}
		}
	}
	if len(files) != len(current) {
		return 0, fmt.Errorf("%d rule files for %d PrometheusRules", len(files), len(current))
	}
	for _, rule := range current {
		if file := fmt.Sprintf("%s-%s-%s.yaml", rule.Namespace, rule.Name, rule.UID); !files[file] {
			return 0, errors.New("missing rule file: " + file)
		}
	}
	return len(maps.Items), nil
}
