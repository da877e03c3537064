package cluster

import (
	"fmt"
	"path/filepath"

	"github.com/triton-leases/tms/test/e2e/process"
)

// run starts components. They restart when they exit.
func (c *Cluster) run(names ...string) error {
	for _, name := range names {
		flags, err := c.flags(name)
		if err != nil {
			return err
		}
		argv := append(append([]string{filepath.Join(c.config.Bins, "kubestack"), name}, flags...), c.config.Flags[name]...)
		p, err := c.config.Processes.Start(process.Spec{Name: c.config.Name + name, Argv: argv, Restart: true})
		if err != nil {
			return err
		}
		c.components[name] = p
	}
	return nil
}

func (c *Cluster) flags(component string) ([]string, error) {
	client, peer := "http://"+c.config.Loopback+":2379", "http://"+c.config.Loopback+":2380"
	switch component {
	case "etcd":
		return []string{
			"--data-dir=" + filepath.Join(c.config.Dir, "etcd"), "--log-level=warn",
			"--unsafe-no-fsync", // the data survives a kill of the process
			"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
			"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=default=" + peer,
		}, nil
	case "kube-apiserver":
		return []string{
			"--etcd-servers=" + client, "--authorization-mode=Node,RBAC", "--allow-privileged=true",
			"--bind-address=" + c.config.NodeIP, "--advertise-address=" + c.config.NodeIP, "--secure-port=" + apiPort,
			"--service-cluster-ip-range=" + c.config.ServiceRange,
			"--tls-cert-file=" + c.pki("apiserver.crt"), "--tls-private-key-file=" + c.pki("apiserver.key"),
			"--client-ca-file=" + c.pki("ca.crt"),
			"--kubelet-preferred-address-types=InternalIP",
			"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
			"--service-account-key-file=" + c.pki("sa.pub"), "--service-account-signing-key-file=" + c.pki("sa.key"),
			// The aggregation layer, which serves custom.metrics.k8s.io and metrics.k8s.io.
			"--requestheader-client-ca-file=" + c.pki("front-proxy-ca.crt"), "--requestheader-allowed-names=front-proxy-client",
			"--requestheader-extra-headers-prefix=X-Remote-Extra-", "--requestheader-group-headers=X-Remote-Group",
			"--requestheader-username-headers=X-Remote-User",
			"--proxy-client-cert-file=" + c.pki("front-proxy.crt"), "--proxy-client-key-file=" + c.pki("front-proxy.key"),
			"--audit-policy-file=" + filepath.Join(c.config.Dir, auditPolicyFile), "--audit-log-path=" + filepath.Join(c.config.Dir, auditLog),
			"--audit-log-maxsize=4096", // no rotation: a Mark is an offset in the file
		}, nil
	case "kube-controller-manager":
		kubeconfig, err := c.kubeconfig(component)
		return []string{
			"--kubeconfig=" + kubeconfig, "--authentication-kubeconfig=" + kubeconfig, "--authorization-kubeconfig=" + kubeconfig,
			"--bind-address=" + c.config.Loopback, "--leader-elect=false", "--use-service-account-credentials=true", "--allocate-node-cidrs=false",
			"--root-ca-file=" + c.pki("ca.crt"), "--service-account-private-key-file=" + c.pki("sa.key"),
			fmt.Sprintf("--horizontal-pod-autoscaler-sync-period=%s", c.config.HPASync),
			"--horizontal-pod-autoscaler-initial-readiness-delay=1s",
			"--horizontal-pod-autoscaler-cpu-initialization-period=5s",
		}, err
	case "kube-scheduler":
		kubeconfig, err := c.kubeconfig(component)
		return []string{
			"--kubeconfig=" + kubeconfig, "--authentication-kubeconfig=" + kubeconfig, "--authorization-kubeconfig=" + kubeconfig,
			"--bind-address=" + c.config.Loopback, "--leader-elect=false",
		}, err
	}
	return nil, fmt.Errorf("no component %q", component)
}
