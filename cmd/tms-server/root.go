package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/cobra"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/triton-leases/tms/internal/cli"
	"github.com/triton-leases/tms/internal/config"
	"github.com/triton-leases/tms/internal/controller"
	"github.com/triton-leases/tms/internal/hpaschedule"
	"github.com/triton-leases/tms/internal/server"
)

const longHelp = `tms-server reconciles TritonLease objects. It grants each lease what the
administrator's bounds allow, deploys its Deployment, Service, HorizontalPodAutoscaler,
PodMonitor and PrometheusRule, corrects drift, and deletes the lease when it expires.
With --api-bind-address it also serves the lease API.

The Helm chart tms installs it with server.enabled. All state is in the cluster: if one
replica dies, another takes over. It connects to the cluster like kubectl, or with its
service account if it runs in a pod.

Exit status: 0 stopped by a signal, 1 an error, 2 wrong usage.`

// options are the flags.
type options struct {
	config, release        string
	releaseNamespace       string
	kubeconfig             string
	namespaces             []string
	elect                  bool
	electionNamespace      string
	metricsAddress, probes string
	logLevel               string
	allowlist              allowlistName
	schedules              bool
	api                    apiOptions
}

func newRoot() *cobra.Command {
	var o options
	root := &cobra.Command{
		Use: "tms-server --config FILE", Short: "Reconcile leases of Triton Inference Server", Long: longHelp,
		Args: noArguments, SilenceErrors: true, SilenceUsage: true,
		PreRunE: func(command *cobra.Command, _ []string) error {
			return cli.NotEmpty(command.Flags(), "config", "release-name", "release-namespace", "namespaces", "kubeconfig", "tls-cert-file", "tls-private-key-file")
		},
		RunE: func(command *cobra.Command, _ []string) error { return o.run(command.Context()) },
	}
	root.SetFlagErrorFunc(cli.FlagError)
	cli.SetVersion(root)
	root.AddCommand(newVersion())
	flags := root.Flags()
	flags.StringVar(&o.config, "config", "", "file with the administrator's configuration: chart values, as in the ConfigMap of the chart, at most 16 MiB; tms-server reloads it when it changes")
	flags.StringVar(&o.release, "release-name", "tms", "name of the Helm release; the names of the objects of all leases begin with it")
	flags.StringVar(&o.releaseNamespace, "release-namespace", "default", "namespace of the Helm release, and the default namespace of API requests; release name and namespace together identify the leases of this server")
	flags.StringSliceVar(&o.namespaces, "namespaces", nil, "namespaces to watch (default all)")
	flags.BoolVar(&o.elect, "leader-elect", false, "elect a leader, so that only one of several replicas reconciles")
	flags.StringVar(&o.electionNamespace, "leader-elect-namespace", "", "namespace of the leader election Lease (default the namespace of the pod)")
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig file (default $KUBECONFIG, the service account of the pod, or ~/.kube/config)")
	flags.StringVar(&o.metricsAddress, "metrics-bind-address", ":8080", "address of /metrics; 0 disables it")
	flags.StringVar(&o.probes, "health-probe-bind-address", ":8081", "address of /healthz and /readyz; 0 disables them")
	flags.StringVar(&o.logLevel, "log-level", "info", "log level: debug, info or error")
	flags.Var(&o.allowlist, "allowlist", "ConfigMap with more Triton images that leases may use; AllowlistService updates it")
	flags.BoolVar(&o.schedules, "schedules", false, "apply the autoscalers of the leases with a schedule in the values of the release")
	o.api.addFlags(flags)
	root.AddCommand(newCheckAPI(), newFetch())
	_ = root.MarkFlagRequired("config") // fails only for a flag that does not exist
	_ = root.MarkFlagFilename("config", "yaml")
	return root
}

var noArguments = cli.NoArguments("")

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version of tms-server", Args: noArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(command.OutOrStdout(), "tms-server "+cli.Version())
			return err
		},
	}
}

// run runs the server until the context ends.
func (o *options) run(ctx context.Context) error {
	logger, err := o.logger()
	if err != nil {
		return err
	}
	if err := o.api.validate(); err != nil {
		return err
	}
	current, err := config.Read(o.config, o.release, o.releaseNamespace)
	if err != nil {
		return err
	}
	cluster, err := o.cluster()
	if err != nil {
		return err
	}
	namespaces, err := o.watched(ctx, cluster, logger)
	if err != nil {
		return err
	}
	managerOptions, err := o.managerOptions(cluster, namespaces, logger)
	if err != nil {
		return err
	}
	mgr, err := manager.New(cluster, managerOptions)
	if err != nil {
		return err
	}
	installation := client.ObjectKey{Namespace: o.releaseNamespace, Name: o.release}
	if err := controller.Setup(ctx, mgr, controller.Options{
		Configuration: current, Namespaces: namespaces, Allowlist: o.allowlist.key(), Installation: installation,
	}); err != nil {
		return err
	}
	if o.schedules {
		if err := hpaschedule.Setup(mgr, installation); err != nil {
			return err
		}
	}
	if err := o.api.add(ctx, mgr, installation, namespaces.Watched, current, o.allowlist, auditLogger()); err != nil {
		return err
	}
	if err := o.addPorts(ctx, mgr, logger); err != nil {
		return err
	}
	if err := mgr.Add(newMemoryReturner()); err != nil {
		return err
	}
	return mgr.Start(ctx)
}

// addPorts adds the ports of metrics and of probes to a manager. The manager's own servers
// do not limit their connections.
func (o *options) addPorts(ctx context.Context, mgr manager.Manager, logger logr.Logger) error {
	collected := http.NewServeMux()
	collected.Handle("/metrics", promhttp.HandlerFor(metrics.Registry, promhttp.HandlerOpts{ErrorHandling: promhttp.HTTPErrorOnError, MaxRequestsInFlight: 4}))
	probes := http.NewServeMux()
	for _, path := range []string{"/healthz", "/readyz"} {
		probes.Handle(path, http.StripPrefix(path, new(healthz.Handler))) // ready when the process serves
	}
	for _, port := range []struct {
		name, address string
		handler       http.Handler
	}{{"metrics", o.metricsAddress, collected}, {"health", o.probes, probes}} {
		if port.address == "" || port.address == "0" {
			continue
		}
		added, err := server.NewPort(ctx, port.name, port.address, port.handler, metrics.Registry, logger)
		if err != nil {
			return err
		}
		if err := mgr.Add(added); err != nil {
			return err
		}
	}
	return nil
}

// auditLogger returns the logger of the audit log, which has no level.
func auditLogger() logr.Logger {
	return logr.FromSlogHandler(slog.NewJSONHandler(os.Stderr, nil)).WithName("audit")
}

func (o *options) logger() (logr.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(o.logLevel)); err != nil {
		return logr.Logger{}, fmt.Errorf("--log-level %s: must be debug, info or error", o.logLevel)
	}
	handler := slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level})
	logger := logr.FromSlogHandler(handler)
	ctrl.SetLogger(logger)
	klog.SetLogger(logger) // for client-go
	return logger, nil
}

// cluster returns the client configuration of the cluster.
func (o *options) cluster() (*rest.Config, error) {
	var cluster *rest.Config
	var err error
	if o.kubeconfig == "" {
		cluster, err = ctrl.GetConfig()
	} else {
		cluster, err = clientcmd.BuildConfigFromFlags("", o.kubeconfig)
	}
	switch {
	case clientcmd.IsEmptyConfig(err):
		return nil, errors.New("no cluster is configured: set --kubeconfig or $KUBECONFIG to a kubeconfig file with a current context, or run tms-server in a pod with a service account")
	case err != nil && o.kubeconfig != "":
		return nil, fmt.Errorf("--kubeconfig: %w", err)
	case err != nil:
		return nil, fmt.Errorf("kubeconfig: %w", err)
	}
	cluster.QPS = -1 // priority and fairness of the API server limit the rate
	return cluster, nil
}

// watched returns the namespaces to watch, and logs those in which the server lacks rights.
func (o *options) watched(ctx context.Context, cluster *rest.Config, logger logr.Logger) (controller.Namespaces, error) {
	namespaces := controller.Namespaces{Configured: o.namespaces}
	clients, err := kubernetes.NewForConfig(cluster)
	if err != nil {
		return namespaces, fmt.Errorf("client: %w", err)
	}
	if namespaces.Watched, err = controller.Watchable(ctx, clients, o.namespaces); err != nil {
		return namespaces, err
	}
	if len(o.namespaces) > 0 && len(namespaces.Watched) == 0 {
		return namespaces, fmt.Errorf("--namespaces: the server lacks rights in all of %v", o.namespaces)
	}
	for _, namespace := range o.namespaces {
		if !slices.Contains(namespaces.Watched, namespace) {
			logger.Error(nil, "the server lacks rights in a namespace and does not watch it", "namespace", namespace)
		}
	}
	return namespaces, nil
}

// The other replicas read the leader's Lease every one to 2.2 retryPeriods. If the leader dies,
// they can see its last renewal 2.2 seconds later, wait for leaseDuration, and read the Lease
// up to 2.2 seconds after that: 19.4 seconds. With the retryPeriod that is usual in Kubernetes,
// two seconds, it is 23.8.
const (
	leaseDuration = 15 * time.Second
	retryPeriod   = time.Second
)

func (o *options) managerOptions(cluster *rest.Config, namespaces controller.Namespaces, logger logr.Logger) (manager.Options, error) {
	scheme, err := controller.Scheme()
	return manager.Options{
		Scheme: scheme, Cache: controller.Cache(namespaces, o.allowlist.key()), Client: controller.Client(), Logger: logger,
		LeaderElection: o.elect, LeaderElectionID: "tms-server." + o.release, LeaderElectionNamespace: o.electionNamespace,
		LeaderElectionConfig:          ownConnection(cluster),
		LeaseDuration:                 new(leaseDuration),
		RetryPeriod:                   new(retryPeriod),
		LeaderElectionReleaseOnCancel: true,                                    // safe, because the process ends with the manager
		Metrics:                       metricsserver.Options{BindAddress: "0"}, // see addPorts
	}, err
}

// ownConnection returns a client configuration whose connections no other client uses, so
// that the renewals of the leader do not wait for other requests. Clients whose
// configurations are equal share their connections; an own Dial makes it differ.
func ownConnection(cluster *rest.Config) *rest.Config {
	own := rest.CopyConfig(cluster)
	own.Dial = (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	return own
}
