// Package cluster runs a Kubernetes control plane as child processes: the real etcd,
// API server, controller manager and scheduler.
package cluster

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/triton-leases/tms/test/e2e/process"
)

const apiPort = "16443"

// Config is the configuration of a cluster.
type Config struct {
	// Dir is the folder of the state.
	Dir string
	// Bins is the folder of the components: see bins.sh.
	Bins string
	// NodeIP is the address that the API server listens on.
	NodeIP string
	// ServiceRange is the CIDR of Services, APIServiceIP its first address, which is
	// that of the API server for pods.
	ServiceRange, APIServiceIP string
	// Loopback is the address of the ports that only the control plane uses.
	Loopback string
	// Name is the prefix of the names of the processes, if there are several control
	// planes.
	Name      string
	Processes *process.Group
	// HPASync is the sync period of the HorizontalPodAutoscaler controller.
	HPASync time.Duration
	// Flags are additional flags, by component.
	Flags map[string][]string
	// NoScheduler omits the scheduler. It is for clusters without a node.
	NoScheduler bool
}

// Cluster is a running control plane.
type Cluster struct {
	Client     *kubernetes.Clientset
	Kubeconfig string

	config     Config
	components map[string]*process.Process
}

// Start starts the control plane, and returns when it accepts pods.
func Start(ctx context.Context, config Config) (*Cluster, error) {
	if err := os.MkdirAll(config.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("folder of the control plane: %w", err)
	}
	if err := makePKI(filepath.Join(config.Dir, "pki"), config.NodeIP, config.APIServiceIP); err != nil {
		return nil, fmt.Errorf("certificates: %w", err)
	}
	if err := os.WriteFile(filepath.Join(config.Dir, auditPolicyFile), []byte(auditPolicy), 0o644); err != nil {
		return nil, fmt.Errorf("audit policy: %w", err)
	}
	c := &Cluster{config: config, components: map[string]*process.Process{}}
	var err error
	if c.Kubeconfig, err = c.kubeconfig("admin"); err != nil {
		return nil, err
	}
	rest, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("kubeconfig: %w", err)
	}
	rest.QPS, rest.Burst, rest.Timeout = 500, 1000, 0
	if c.Client, err = kubernetes.NewForConfig(rest); err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	if err := c.run("etcd", "kube-apiserver"); err != nil {
		return nil, err
	}
	if err := c.waitUntil(ctx, "the API server is ready", func(ctx context.Context) error {
		_, err := c.Client.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx)
		return err
	}); err != nil {
		return nil, err
	}
	managers := []string{"kube-controller-manager", "kube-scheduler"}
	if config.NoScheduler {
		managers = managers[:1]
	}
	if err := c.run(managers...); err != nil {
		return nil, err
	}
	// Pods are refused until the default service account exists. The controller takes about
	// six seconds to create it.
	return c, c.waitUntil(ctx, "the default service account exists", func(ctx context.Context) error {
		_, err := c.Client.CoreV1().ServiceAccounts("default").Get(ctx, "default", metav1.GetOptions{})
		return err
	})
}

func (c *Cluster) waitUntil(ctx context.Context, what string, try func(context.Context) error) error {
	var last error
	err := wait.PollUntilContextTimeout(ctx, 200*time.Millisecond, 2*time.Minute, true, func(ctx context.Context) (bool, error) {
		last = try(ctx)
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("wait until %s (%w), last error: %w", what, err, last)
	}
	return nil
}

// APIHost returns the address of the API server for pods.
func (c *Cluster) APIHost() string { return c.config.APIServiceIP }

// APIPort returns the port of the API server for pods.
func (c *Cluster) APIPort() string { return "443" }

// Loopback returns the address of the ports that only the control plane uses.
func (c *Cluster) Loopback() string { return c.config.Loopback }

// CertificateFiles returns the files of a certificate for the kubelet's API, and its key.
func (c *Cluster) CertificateFiles() (certificate, key string) {
	return c.pki("kubelet.crt"), c.pki("kubelet.key")
}

// KEDACertificateFiles returns the files of a certificate for the Services of KEDA, by their
// keys in its Secret.
func (c *Cluster) KEDACertificateFiles() map[string]string {
	return map[string]string{"ca.crt": c.pki("ca.crt"), "tls.crt": c.pki("keda.crt"), "tls.key": c.pki("keda.key")}
}

// Crash kills a component of the control plane with SIGKILL. The component restarts.
func (c *Cluster) Crash(component string) error {
	p, ok := c.components[component]
	if !ok {
		return fmt.Errorf("no component %q", component)
	}
	return p.Crash()
}

// Stop kills the control plane at once. Its state is not needed any more.
func (c *Cluster) Stop() {
	now, cancel := context.WithCancel(context.Background())
	cancel()
	for _, p := range c.components {
		p.Stop(now)
	}
}

// Output is the output of a command.
type Output struct{ Stdout, Stderr string }

// Kubectl runs the real kubectl.
func (c *Cluster) Kubectl(ctx context.Context, stdin string, args ...string) (Output, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(c.config.Bins, "kubestack"), append([]string{"kubectl", "--kubeconfig", c.Kubeconfig}, args...)...)
	var out, err bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &err
	cmd.Env = []string{"HOME=" + c.config.Dir, "PATH=/usr/bin:/bin"}
	failed := cmd.Run()
	output := Output{out.String(), err.String()}
	if failed != nil {
		return output, fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), failed, strings.TrimSpace(err.String()))
	}
	return output, nil
}

// Apply applies manifests server-side.
func (c *Cluster) Apply(ctx context.Context, manifests string) error {
	_, err := c.Kubectl(ctx, manifests, "apply", "--server-side", "--force-conflicts", "-f", "-")
	return err
}

func (c *Cluster) pki(file string) string { return filepath.Join(c.config.Dir, "pki", file) }

func (c *Cluster) kubeconfig(user string) (string, error) {
	path := filepath.Join(c.config.Dir, user+".kubeconfig")
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: e2e, cluster: {server: "https://%s:%s", certificate-authority: %s}}]
users: [{name: %s, user: {client-certificate: %s, client-key: %s}}]
contexts: [{name: e2e, context: {cluster: e2e, user: %s}}]
current-context: e2e
`, c.config.NodeIP, apiPort, c.pki("ca.crt"), user, c.pki(user+".crt"), c.pki(user+".key"), user)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return "", fmt.Errorf("write kubeconfig: %w", err)
	}
	return path, nil
}
