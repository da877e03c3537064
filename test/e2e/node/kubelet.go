package node

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"
)

const kubeletPort = 10250

// serve serves the parts of the kubelet's API that the tests need: the resource
// metrics for metrics-server, the logs for kubectl logs, and kubectl port-forward.
func (n *Node) serve(ctx context.Context) error {
	certificate, err := tls.LoadX509KeyPair(n.config.CertificateFile, n.config.KeyFile)
	if err != nil {
		return fmt.Errorf("certificate of the kubelet: %w", err)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(n.config.IP, strconv.Itoa(kubeletPort)))
	if err != nil {
		return fmt.Errorf("API of the kubelet: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics/resource", n.resources)
	mux.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", n.logs)
	mux.HandleFunc("/portForward/{namespace}/{pod}", n.portForward)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	go func() {
		_ = server.Serve(tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}))
	}()
	return nil
}

// resources serves the metrics that the kubelet reads from cgroups. The CPU time is
// that of the simulated Tritons; the memory is a constant.
func (n *Node) resources(w http.ResponseWriter, _ *http.Request) {
	n.mu.Lock()
	pods := make([]*pod, 0, len(n.pods))
	for _, p := range n.pods {
		pods = append(pods, p)
	}
	n.mu.Unlock()
	var cpu, memory, starts, podCPU, podMemory bytes.Buffer
	now, total := time.Now().UnixMilli(), 0.0
	for _, p := range pods {
		p.mu.Lock()
		sum := 0.0
		for _, c := range p.object.Spec.Containers {
			s := p.containers[c.Name]
			if s.running == nil {
				continue
			}
			used := s.container.usage()
			sum += used
			labels := fmt.Sprintf("{container=%q,namespace=%q,pod=%q}", c.Name, p.object.Namespace, p.object.Name)
			_, _ = fmt.Fprintf(&cpu, "container_cpu_usage_seconds_total%s %g %d\n", labels, used+1e-6, now)
			_, _ = fmt.Fprintf(&memory, "container_memory_working_set_bytes%s %d %d\n", labels, 256<<20, now)
			_, _ = fmt.Fprintf(&starts, "container_start_time_seconds%s %d\n", labels, s.running.Unix())
		}
		labels := fmt.Sprintf("{namespace=%q,pod=%q}", p.object.Namespace, p.object.Name)
		_, _ = fmt.Fprintf(&podCPU, "pod_cpu_usage_seconds_total%s %g %d\n", labels, sum, now)
		_, _ = fmt.Fprintf(&podMemory, "pod_memory_working_set_bytes%s %d %d\n", labels, 256<<20, now)
		p.mu.Unlock()
		total += sum
	}
	for _, family := range []struct {
		name, kind string
		text       string
	}{
		{"container_cpu_usage_seconds_total", "counter", cpu.String()},
		{"container_memory_working_set_bytes", "gauge", memory.String()},
		{"container_start_time_seconds", "gauge", starts.String()},
		{"node_cpu_usage_seconds_total", "counter", fmt.Sprintf("node_cpu_usage_seconds_total %g %d\n", total+float64(now)/1e6, now)},
		{"node_memory_working_set_bytes", "gauge", fmt.Sprintf("node_memory_working_set_bytes %d %d\n", 8<<30, now)},
		{"pod_cpu_usage_seconds_total", "counter", podCPU.String()},
		{"pod_memory_working_set_bytes", "gauge", podMemory.String()},
	} {
		_, _ = fmt.Fprintf(w, "# TYPE %s %s\n%s", family.name, family.kind, family.text)
	}
}

// logs serves kubectl logs, without --follow.
func (n *Node) logs(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range n.pods {
		if p.object.Namespace != r.PathValue("namespace") || p.object.Name != r.PathValue("pod") {
			continue
		}
		text, err := os.ReadFile(p.logFile(r.PathValue("container")))
		if err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
		if lines, err := strconv.Atoi(r.URL.Query().Get("tailLines")); err == nil {
			text = tail(text, lines)
		}
		_, _ = w.Write(text)
		return
	}
	http.NotFound(w, r)
}

func tail(text []byte, lines int) []byte {
	for i := len(text) - 1; i > 0; i-- {
		if text[i-1] == '\n' {
			if lines--; lines == 0 {
				return text[i:]
			}
		}
	}
	return text
}
