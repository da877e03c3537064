package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/pflag"
	"k8s.io/client-go/kubernetes"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/triton-leases/tms/internal/auth"
	"github.com/triton-leases/tms/internal/config"
	"github.com/triton-leases/tms/internal/server"
	"github.com/triton-leases/tms/internal/server/allowlist"
	"github.com/triton-leases/tms/internal/server/lease"
	"github.com/triton-leases/tms/internal/server/leasename"
)

// apiOptions are the flags of the API.
type apiOptions struct {
	address           string
	certFile, keyFile string
	noTLS, noAuth     bool
	maxWait           time.Duration
	limits            auth.Limits
	connections       server.ConnectionLimits
	openCalls         server.CallLimits
	streams           int
	audiences         []string
}

func (o *apiOptions) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.address, "api-bind-address", "0", "address of the lease API (gRPC, gRPC-Web, HTTP with JSON), such as :30345; 0 disables it")
	flags.StringVar(&o.certFile, "tls-cert-file", "", "PEM file with the certificate chain of the API; tms-server reloads it when it changes")
	flags.StringVar(&o.keyFile, "tls-private-key-file", "", "PEM file with the private key of the certificate")
	flags.BoolVar(&o.noTLS, "insecure-no-tls", false, "serve the API without TLS; anyone on the network path can then read the tokens")
	flags.BoolVar(&o.noAuth, "insecure-no-authentication", false, "let every caller of the API do everything")
	flags.DurationVar(&o.maxWait, "acquire-timeout", time.Hour, "longest time that a call of Acquire waits until the lease serves")
	flags.Float64Var(&o.limits.PerSecond, "calls-per-second", 20, "calls that each user may start per second")
	flags.IntVar(&o.limits.Burst, "calls-burst", 100, "calls that each user may start at once")
	flags.Float64Var(&o.limits.Reviews, "token-reviews-per-second", 50, "reviews of new tokens per second, for all callers together")
	flags.Float64Var(&o.limits.ReviewsPerAddress, "token-reviews-per-second-per-address", 10, "reviews of new tokens per second from each source address")
	flags.StringArrayVar(&o.audiences, "token-audiences", nil, "audience of tokens that the API accepts (default that of the Kubernetes API server); repeat the flag for several")
	flags.IntVar(&o.openCalls.PerUser, "open-calls-per-user", 100, "calls that each user may have open at once; a waiting Acquire is an open call")
	flags.IntVar(&o.openCalls.Maximum, "open-calls", 1000, "calls that may be open at once, for all users together")
	flags.IntVar(&o.streams, "calls-per-connection", 100, "calls that each connection may have open at once")
	flags.IntVar(&o.connections.PerAddress, "max-connections-per-address", 100, "connections to the API from each source address; for IPv6, from each /64 network")
	flags.IntVar(&o.connections.Maximum, "max-connections", 1000, "connections to the API, from all addresses together")
}

func (o *apiOptions) enabled() bool { return o.address != "0" && o.address != "" }

// validate checks the flags, so that the API never serves less securely than intended.
func (o *apiOptions) validate() error {
	if !o.enabled() {
		return nil
	}
	var errs []error
	switch {
	case (o.certFile == "") != (o.keyFile == ""):
		errs = append(errs, errors.New("--tls-cert-file and --tls-private-key-file must be used together"))
	case o.certFile == "" && !o.noTLS:
		errs = append(errs, errors.New("--api-bind-address needs --tls-cert-file and --tls-private-key-file, or --insecure-no-tls"))
	case o.certFile != "" && o.noTLS:
		errs = append(errs, errors.New("--insecure-no-tls and --tls-cert-file cannot be used together"))
	}
	if o.maxWait <= 0 {
		errs = append(errs, fmt.Errorf("--acquire-timeout %s: must be greater than 0", o.maxWait))
	}
	for _, flag := range []struct {
		name  string
		value float64
	}{
		{"calls-per-second", o.limits.PerSecond},
		{"calls-burst", float64(o.limits.Burst)},
		{"token-reviews-per-second", o.limits.Reviews},
		{"token-reviews-per-second-per-address", o.limits.ReviewsPerAddress},
		{"open-calls-per-user", float64(o.openCalls.PerUser)},
		{"open-calls", float64(o.openCalls.Maximum)},
		{"calls-per-connection", float64(o.streams)},
		{"max-connections-per-address", float64(o.connections.PerAddress)},
		{"max-connections", float64(o.connections.Maximum)},
	} {
		if !(flag.value > 0) { // also refuses NaN
			errs = append(errs, fmt.Errorf("--%s %v: must be greater than 0", flag.name, flag.value))
		}
	}
	if slices.Contains(o.audiences, "") {
		errs = append(errs, errors.New("--token-audiences: an audience must not be empty"))
	}
	return errors.Join(errs...)
}

// add adds the API to a manager. The namespace is the default of requests, and
// namespaces are those that the controller watches.
func (o *apiOptions) add(ctx context.Context, mgr manager.Manager, installation client.ObjectKey, namespaces []string, current *config.Config, images allowlistName, audit logr.Logger) error {
	if !o.enabled() {
		return nil
	}
	clients, err := kubernetes.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return fmt.Errorf("client: %w", err)
	}
	reviewer := auth.New(clients, o.audiences...)
	logger := ctrl.Log.WithName("api")
	if o.noAuth {
		reviewer = auth.AllowAll()
		logger.Info("WARNING: the API has no authentication: every caller may do everything (--insecure-no-authentication)")
	}
	if o.noTLS {
		logger.Info("WARNING: the API is served without TLS (--insecure-no-tls)")
	}
	notifier, err := lease.NewNotifier(ctx, mgr.GetCache())
	if err != nil {
		return err
	}
	api := server.New(server.Config{
		Address: o.address, CertFile: o.certFile, KeyFile: o.keyFile, Reviewer: reviewer, Limits: o.limits,
		Connections: o.connections, OpenCalls: o.openCalls, Streams: o.streams, Metrics: metrics.Registry, Audit: audit,
	})
	leases := lease.Config{
		Client: mgr.GetClient(), APIReader: mgr.GetAPIReader(), Notifier: notifier, Reviewer: reviewer, Configuration: current,
		Installation: installation.String(), Namespace: installation.Namespace, Namespaces: namespaces, MaxWait: o.maxWait, Stopping: api.Stopping(),
	}
	api.Register(
		lease.New(leases),
		allowlist.New(allowlist.Config{
			Client: mgr.GetClient(), APIReader: mgr.GetAPIReader(), Reviewer: reviewer, Configuration: current, ConfigMap: images.key(),
		}),
		leasename.New(leases, installation),
	)
	return mgr.Add(api)
}
