package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"slices"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/triton-leases/tms/internal/config"
	"github.com/triton-leases/tms/internal/controller"
)

const longHelp = `tms-server looks after leases at run time: objects of the kind TritonLease. It
grants each what the administrator's bounds allow, makes the Deployment, Service,
HorizontalPodAutoscaler, PodMonitor and PrometheusRule that it consists of, keeps
them so, and deletes it when its time is over. With --api-bind-address it serves an
API to acquire leases by.

The chart tms installs it with server.enabled. It keeps no state: end it at any
moment, and another one goes on. It connects to the cluster as kubectl does, or to
the one that it runs in.`

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
	api                    apiOptions
}

func newRoot() *cobra.Command {
	var o options
	root := &cobra.Command{
		Use: "tms-server --config FILE", Short: "Look after leases of Triton Inference Server", Long: longHelp,
		Args: cobra.NoArgs, SilenceErrors: true, SilenceUsage: true, Version: version(),
		RunE: func(command *cobra.Command, _ []string) error { return o.run(command.Context()) },
	}
	flags := root.Flags()
	flags.StringVar(&o.config, "config", "", "file with the administrator's configuration: values of the chart, as in its ConfigMap; it is read again when it changes")
	flags.StringVar(&o.release, "release-name", "tms", "name of the release that the server belongs to, which begins the names of what leases consist of")
	flags.StringVar(&o.releaseNamespace, "release-namespace", "default", "namespace of that release: the two together tell the leases of other installations apart; it is that of API requests which name none")
	flags.StringSliceVar(&o.namespaces, "namespaces", nil, "namespaces whose leases to look after; all where none is named")
	flags.BoolVar(&o.elect, "leader-elect", false, "make sure that one of several replicas acts at a time")
	flags.StringVar(&o.electionNamespace, "leader-elect-namespace", "", "namespace of the object by which the leader is elected; that of the pod where it runs in a cluster")
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "file that says how to reach the cluster; $KUBECONFIG, the cluster that it runs in, or ~/.kube/config where it is not given")
	flags.StringVar(&o.metricsAddress, "metrics-bind-address", ":8080", "address of /metrics; 0 for none")
	flags.StringVar(&o.probes, "health-probe-bind-address", ":8081", "address of /healthz and /readyz; 0 for none")
	flags.StringVar(&o.logLevel, "log-level", "info", "how much to say: debug, info or error")
	flags.Var(&o.allowlist, "allowlist", "ConfigMap with images of Triton that leases may have beside those of the configuration, which AllowlistService changes")
	o.api.addFlags(flags)
	_ = root.MarkFlagRequired("config") // the flag is there
	_ = root.MarkFlagFilename("config", "yaml")
	return root
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
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
	current, err := config.Read(o.config, o.release)
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
	mgr, err := o.manager(cluster, namespaces, logger)
	if err != nil {
		return err
	}
	if err := controller.Setup(ctx, mgr, controller.Options{
		Configuration: current, Namespaces: namespaces, Allowlist: o.allowlist.key(),
		Installation: client.ObjectKey{Namespace: o.releaseNamespace, Name: o.release},
	}); err != nil {
		return err
	}
	if err := o.api.add(ctx, mgr, o.releaseNamespace, namespaces.Watched, current, o.allowlist); err != nil {
		return err
	}
	for _, add := range []func(string, healthz.Checker) error{mgr.AddHealthzCheck, mgr.AddReadyzCheck} {
		if err := add("ping", healthz.Ping); err != nil {
			return err
		}
	}
	return mgr.Start(ctx)
}

func (o *options) logger() (logr.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(o.logLevel)); err != nil {
		return logr.Logger{}, fmt.Errorf("--log-level %s: must be debug, info or error", o.logLevel)
	}
	handler := slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level})
	logger := logr.FromSlogHandler(handler)
	ctrl.SetLogger(logger)
	klog.SetLogger(logger) // what the libraries of Kubernetes say
	return logger, nil
}

// cluster says how to reach the cluster.
func (o *options) cluster() (*rest.Config, error) {
	if o.kubeconfig != "" {
		if err := os.Setenv("KUBECONFIG", o.kubeconfig); err != nil {
			return nil, fmt.Errorf("--kubeconfig: %w", err)
		}
	}
	cluster, err := ctrl.GetConfig()
	if err != nil {
		return nil, fmt.Errorf("find the cluster: %w", err)
	}
	cluster.QPS = -1 // the API server itself shares its time out fairly
	return cluster, nil
}

// watched returns the namespaces to look after, and says which have to be left out.
func (o *options) watched(ctx context.Context, cluster *rest.Config, logger logr.Logger) (controller.Namespaces, error) {
	namespaces := controller.Namespaces{Asked: o.namespaces}
	clients, err := kubernetes.NewForConfig(cluster)
	if err != nil {
		return namespaces, fmt.Errorf("client: %w", err)
	}
	if namespaces.Watched, err = controller.Watchable(ctx, clients, o.namespaces); err != nil {
		return namespaces, err
	}
	if len(o.namespaces) > 0 && len(namespaces.Watched) == 0 {
		return namespaces, fmt.Errorf("--namespaces: there are no rights in any of %v", o.namespaces)
	}
	for _, namespace := range o.namespaces {
		if !slices.Contains(namespaces.Watched, namespace) {
			logger.Error(nil, "no rights in a namespace: its leases are not looked after", "namespace", namespace)
		}
	}
	return namespaces, nil
}

func (o *options) manager(cluster *rest.Config, namespaces controller.Namespaces, logger logr.Logger) (manager.Manager, error) {
	scheme, err := controller.Scheme()
	if err != nil {
		return nil, err
	}
	return manager.New(cluster, manager.Options{
		Scheme: scheme, Cache: controller.Cache(namespaces, o.allowlist.key()), Client: controller.Client(), Logger: logger,
		LeaderElection: o.elect, LeaderElectionID: "tms-server." + o.release, LeaderElectionNamespace: o.electionNamespace,
		LeaderElectionReleaseOnCancel: true, // which is safe because the process ends when the manager does
		Metrics:                       metricsserver.Options{BindAddress: o.metricsAddress}, HealthProbeBindAddress: o.probes,
	})
}
