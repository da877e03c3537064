// Package cluster runs a Kubernetes control plane: the real etcd, API server,
// controller manager and scheduler, as child processes.
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

// Config says where a cluster lives.
type Config struct {
	// Dir is the folder of its state.
	Dir string
	// Bins is the folder of the components: see bins.sh.
	Bins string
	// NodeIP is the address that the API server listens on.
	NodeIP string
	// ServiceRange is the CIDR of Services, APIServiceIP its first address, where
	// pods find the API server.
	ServiceRange, APIServiceIP string
	// Loopback is the address of what only the control plane itself talks to.
	Loopback string
	// Name begins the names of its processes where there is another control plane.
	Name      string
	Processes *process.Group
	// HPASync is how often the HorizontalPodAutoscaler controller looks.
	HPASync time.Duration
	// Flags are added to those of a component.
	Flags map[string][]string
	// NoScheduler leaves the scheduler out, where there is no node either.
	NoScheduler bool
}

// Cluster is a control plane that runs.
type Cluster struct {
	Client     *kubernetes.Clientset
	Kubeconfig string

	config     Config
	components map[string]*process.Process
}

// Start starts the control plane and returns once it can take pods.
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
	if err := c.until(ctx, "the API server is ready", func(ctx context.Context) error {
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
	// Pods are refused until the controller of service accounts has come round, which takes some six seconds.
	return c, c.until(ctx, "the default service account exists", func(ctx context.Context) error {
		_, err := c.Client.CoreV1().ServiceAccounts("default").Get(ctx, "default", metav1.GetOptions{})
		return err
	})
}

func (c *Cluster) until(ctx context.Context, what string, try func(context.Context) error) error {
	var last error
	err := wait.PollUntilContextTimeout(ctx, 200*time.Millisecond, 2*time.Minute, true, func(ctx context.Context) (bool, error) {
		last = try(ctx)
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("wait until %s (%w), last seen: %w", what, err, last)
	}
	return nil
}

// APIHost and APIPort are what pods find in their environment.
func (c *Cluster) APIHost() string { return c.config.APIServiceIP }

// APIPort is the port that goes with APIHost.
func (c *Cluster) APIPort() string { return "443" }

// CertificateFiles are a certificate for the kubelet's own API, and its key.
func (c *Cluster) CertificateFiles() (certificate, key string) {
	return c.pki("kubelet.crt"), c.pki("kubelet.key")
}

// Crash kills a component of the control plane without a warning. It comes back by itself.
func (c *Cluster) Crash(component string) error {
	p, ok := c.components[component]
	if !ok {
		return fmt.Errorf("no component %q", component)
	}
	return p.Crash()
}

// Stop ends the control plane. There is nothing to save.
func (c *Cluster) Stop() {
	now, cancel := context.WithCancel(context.Background())
	cancel()
	for _, p := range c.components {
		p.Stop(now)
	}
}

// Output is what a command printed.
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
