package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/triton-leases/tms/test/e2e/process"
)

const (
	serversNamespace = "tms"
	// electionID is the beginning of the name of the Lease through which servers elect a
	// leader.
	electionID = "tms-server."
)

// The values of server.autoscaling.prometheus.monitors.
const (
	shared   = "shared"
	perLease = "perLease"
)

// firstThreshold is the threshold of the leases before the configuration changes.
const firstThreshold = 100_000

// createAccount creates the service account of the servers, and its kubeconfig. The audit
// log has the requests of service accounts only.
func (e *environment) createAccount(ctx context.Context) error {
	for _, args := range [][]string{
		{"create", "serviceaccount", "tms-server", "-n", serversNamespace},
		{"create", "clusterrolebinding", "tms-server", "--clusterrole=cluster-admin", "--serviceaccount=" + account},
	} {
		if _, err := e.Kubectl(ctx, "", args...); err != nil {
			return err
		}
	}
	const day = 24 * 60 * 60
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: new(int64(day))}}
	granted, err := e.Client.CoreV1().ServiceAccounts(serversNamespace).CreateToken(ctx, "tms-server", request, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	config, err := clientcmd.LoadFromFile(e.Kubeconfig)
	if err != nil {
		return err
	}
	for _, user := range config.AuthInfos {
		user.ClientCertificate, user.ClientKey, user.Token = "", "", granted.Status.Token
	}
	return clientcmd.WriteToFile(*config, e.serversKubeconfig)
}

// startServer starts one more server, with the memory limit of the chart. Servers that
// elect a leader have another setting than one that does not.
func (e *environment) startServer(elect bool) error {
	binary := e.server
	if info, err := os.Stat(binary); err == nil && info.IsDir() {
		binary = filepath.Join(binary, "tms-server")
	}
	i := len(e.servers)
	spec := process.Spec{
		// Callers of the API see that a killed server restarts.
		Name: fmt.Sprintf("tms-server-%d", i), Env: []string{"GOMEMLIMIT=966367641"}, Restart: e.serveAPI && elect, Argv: []string{
			binary, "--config=" + e.config, "--kubeconfig=" + e.serversKubeconfig, "--health-probe-bind-address=0",
			"--metrics-bind-address=" + metricsAddress(i),
		},
	}
	if elect {
		spec.Argv = append(spec.Argv, "--leader-elect", "--leader-elect-namespace="+serversNamespace)
	}
	if e.serveAPI {
		spec.Argv = append(spec.Argv, "--api-bind-address="+apiAddress(i), "--insecure-no-tls", "--calls-per-second=10000", "--calls-burst=10000",
			"--open-calls-per-user=10000", "--open-calls=10000", "--max-connections-per-address=10000", "--max-connections=10000")
	}
	server, err := e.processes.Start(spec)
	if err == nil {
		e.servers = append(e.servers, server)
	}
	return err
}

// killServers kills all servers, and waits until they have ended.
func (e *environment) killServers() error {
	for _, server := range e.servers {
		select {
		case <-server.Done(): // killed before
		default:
			if err := server.Crash(); err != nil {
				return err
			}
			<-server.Done()
		}
	}
	return nil
}

// configure writes the configuration of the servers. A new threshold changes the objects of
// every lease. A new maximum, a bound for leases that choose a threshold, changes none.
func (e *environment) configure(threshold, maximum int) error {
	monitors := ""
	if e.monitors != "" {
		monitors = fmt.Sprintf(", prometheus: {monitors: %s}", e.monitors)
	}
	text := fmt.Sprintf("server: {autoscaling: {enable: true, metrics: {queueTime: {enabled: true, threshold: {default: %d, maximum: %d}}}%s}}\n", threshold, maximum, monitors)
	if err := os.WriteFile(e.config+".new", []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(e.config+".new", e.config)
}
