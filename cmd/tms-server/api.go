package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/client-go/kubernetes"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/triton-leases/tms/internal/auth"
	"github.com/triton-leases/tms/internal/server"
	"github.com/triton-leases/tms/internal/server/allowlist"
	"github.com/triton-leases/tms/internal/server/lease"
	"github.com/triton-leases/tms/internal/config"
)

// apiOptions are the flags of the API.
type apiOptions struct {
	address           string
	certFile, keyFile string
	plain, open       bool
	longest           time.Duration
	limits            auth.Limits
	streams           int
}

func (o *apiOptions) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.address, "api-bind-address", "0", "address of the API of leases (gRPC, gRPC-Web, HTTP with JSON), such as :30345; 0 for none")
	flags.StringVar(&o.certFile, "tls-cert-file", "", "PEM file with the certificate of the API, and those that signed it; it is read again when it changes")
	flags.StringVar(&o.keyFile, "tls-private-key-file", "", "PEM file with the key of the certificate")
	flags.BoolVar(&o.plain, "insecure-no-tls", false, "serve the API without TLS: tokens can be read on their way")
	flags.BoolVar(&o.open, "insecure-no-authentication", false, "let everybody who reaches the API do everything")
	flags.DurationVar(&o.longest, "acquire-timeout", time.Hour, "how long a caller may wait for a lease to serve")
	flags.Float64Var(&o.limits.PerSecond, "calls-per-second", 20, "calls that one user may begin each second")
	flags.IntVar(&o.limits.Burst, "calls-burst", 100, "calls that one user may begin at once")
	flags.Float64Var(&o.limits.Reviews, "token-reviews-per-second", 50, "tokens not seen before that are reviewed each second")
	flags.IntVar(&o.streams, "calls-per-connection", 100, "calls that one connection may have open at once")
}

func (o *apiOptions) enabled() bool { return o.address != "0" && o.address != "" }

// validate refuses to serve less securely than was said.
func (o *apiOptions) validate() error {
	if !o.enabled() {
		return nil
	}
	var wrong []error
	switch {
	case (o.certFile == "") != (o.keyFile == ""):
		wrong = append(wrong, errors.New("--tls-cert-file and --tls-private-key-file go together"))
	case o.certFile == "" && !o.plain:
		wrong = append(wrong, errors.New("--api-bind-address needs --tls-cert-file and --tls-private-key-file, or --insecure-no-tls"))
	case o.certFile != "" && o.plain:
		wrong = append(wrong, errors.New("--insecure-no-tls: there is a certificate"))
	}
	if o.longest <= 0 {
		wrong = append(wrong, fmt.Errorf("--acquire-timeout %s: must be longer than 0", o.longest))
	}
	for _, flag := range []struct {
		name  string
		value float64
	}{
		{"calls-per-second", o.limits.PerSecond},
		{"calls-burst", float64(o.limits.Burst)},
		{"token-reviews-per-second", o.limits.Reviews},
		{"calls-per-connection", float64(o.streams)},
	} {
		if !(flag.value > 0) { // nor is NaN
			wrong = append(wrong, fmt.Errorf("--%s %v: must be greater than 0", flag.name, flag.value))
		}
	}
	return errors.Join(wrong...)
}

// add adds the API to a manager.
func (o *apiOptions) add(ctx context.Context, mgr manager.Manager, namespace string, namespaces []string, current *config.Config, list allowlistName) error {
	if !o.enabled() {
		return nil
	}
	clients, err := kubernetes.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return fmt.Errorf("client: %w", err)
	}
	control := auth.New(clients)
	logger := ctrl.Log.WithName("api")
	if o.open {
		control = auth.Open()
		logger.Info("WARNING: the API does not ask who calls: everybody who reaches it may do everything (--insecure-no-authentication)")
	}
	if o.plain {
		logger.Info("WARNING: the API is served without TLS (--insecure-no-tls)")
	}
	changes, err := lease.Watch(ctx, mgr.GetCache())
	if err != nil {
		return err
	}
	server := server.New(server.Config{
		Address: o.address, CertFile: o.certFile, KeyFile: o.keyFile, Access: control, Limits: o.limits, Streams: o.streams,
		Metrics: metrics.Registry,
	})
	server.Serve(
		lease.New(lease.Config{
			Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Changes: changes, Access: control, Configuration: current,
			Namespace: namespace, Namespaces: namespaces, Longest: o.longest, Stopping: server.Stopping(),
		}),
		allowlist.New(allowlist.Config{
			Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Access: control, Configuration: current, ConfigMap: list.key(),
		}),
	)
	return mgr.Add(server)
}
