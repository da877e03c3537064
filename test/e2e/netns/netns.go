// Package netns runs the harness in a private network namespace, without a
// connection to other networks.
package netns

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/vishvananda/netlink"
)

// The addresses of the cluster. All are on the loopback device.
const (
	// NodeIP is the address of the node, and of the API server.
	NodeIP = "10.9.0.1"
	// PodRange and ServiceRange are routed to the loopback device (AnyIP), so
	// processes can listen on every address in them without adding it.
	PodRange     = "10.244.0.0/16"
	ServiceRange = "10.96.0.0/16"
	// OtherRange contains the addresses of other control planes in the same namespace.
	// Nothing connects to their Services.
	OtherRange        = "10.9.1.0/24"
	OtherServiceRange = "10.97.0.0/16"
	OtherAPIServiceIP = "10.97.0.1"
	// APIServiceIP is the address of the API server for pods.
	APIServiceIP = "10.96.0.1"
)

// OtherIP returns the address of the nth other control plane.
func OtherIP(n int32) string { return fmt.Sprintf("10.9.1.%d", n) }

// inside is the environment variable that marks the process in the namespace.
const inside = "TMS_E2E_INSIDE"

// Inside reports whether this process runs in the private namespace.
func Inside() bool { return os.Getenv(inside) != "" }

// ErrImpossible is the error of Run if it cannot create a namespace.
var ErrImpossible = errors.New(`cannot create a private network namespace.
Run as root, or allow unprivileged user namespaces:
  sysctl -w kernel.unprivileged_userns_clone=1 user.max_user_namespaces=10000
  sysctl -w kernel.apparmor_restrict_unprivileged_userns=0   # Ubuntu
A container needs --privileged, or --cap-add SYS_ADMIN with seccomp and AppArmor unconfined`)

// Run runs this program again, with the same arguments, in a new network
// namespace, and returns its exit code. If the user is not root, it also creates a
// user namespace.
func Run() (int, error) {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	// The child receives Ctrl-C too, and cleans up. This process waits for it.
	signal.Ignore(syscall.SIGINT)
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("%w\n(%w)", ErrImpossible, err)
	}
	var ended *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &ended) {
		return 0, fmt.Errorf("the process in the namespace: %w", err)
	}
	return cmd.ProcessState.ExitCode(), nil
}

// Configure brings the loopback device up, with the addresses of the cluster.
func Configure() error {
	loopback, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("loopback device: %w", err)
	}
	if err := netlink.LinkSetUp(loopback); err != nil {
		return fmt.Errorf("bring the loopback device up: %w", err)
	}
	node, err := netlink.ParseAddr(NodeIP + "/32")
	if err != nil {
		return fmt.Errorf("address of the node: %w", err)
	}
	if err := netlink.AddrAdd(loopback, node); err != nil {
		return fmt.Errorf("add %s: %w", NodeIP, err)
	}
	for _, cidr := range []string{PodRange, ServiceRange, OtherRange} {
		_, network, err := net.ParseCIDR(cidr)
		if err != nil {
			return fmt.Errorf("range: %w", err)
		}
		route := &netlink.Route{
			LinkIndex: loopback.Attrs().Index, Dst: network, Scope: netlink.SCOPE_HOST,
			Type: syscall.RTN_LOCAL, Table: syscall.RT_TABLE_LOCAL,
		}
		if err := netlink.RouteAdd(route); err != nil {
			return fmt.Errorf("route %s to the loopback device: %w", cidr, err)
		}
	}
	return nil
}

// Resolve mounts a file over /etc/resolv.conf for this process and the processes that
// it starts from now on.
func Resolve(file string) error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make the mounts private: %w", err)
	}
	if err := syscall.Mount(file, "/etc/resolv.conf", "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount %s over /etc/resolv.conf: %w", file, err)
	}
	return nil
}
