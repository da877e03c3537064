package main

import (
	"cmp"
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/triton-leases/tms/cmd/tmsctl/internal/cluster"
	"github.com/triton-leases/tms/internal/cli"
	"github.com/triton-leases/tms/pkg/client"
)

// shortTimeout is the default timeout of all commands except lease create.
const shortTimeout = 30 * time.Second

// options are the flags of all commands.
type options struct {
	endpoint, namespace      string
	kube                     kubeEndpoint
	token, tokenFile, caFile string
	serverName               string
	skipVerify               bool
	timeout                  time.Duration
	output                   string
	porcelain                bool
	// hasToken reports whether the client of connect sends a token.
	hasToken bool
	// cluster is how connect reaches the server, and nil for a URL.
	cluster *cluster.Cluster
}

func (o *options) addFlags(root *cobra.Command) {
	flags := root.PersistentFlags()
	flags.SortFlags = false
	flags.StringVarP(&o.endpoint, "target", "t", "", "server: an http(s) `URL`, or the name of a saved target (default $TMSCTL_TARGET, or the default of 'tmsctl target')")
	flags.StringVarP(&o.namespace, "namespace", "n", "", "`namespace` of the leases (default that of the saved target, or that of the server)")
	flags.StringVar(&o.kube.Kubeconfig, "kubeconfig", "", "reach tms-server through the API server of this kubeconfig `file`, with a port-forward (default that of kubectl, if --context is set)")
	flags.StringVar(&o.kube.Context, "context", "", "`context` of the kubeconfig file (default its current context)")
	flags.StringVar(&o.kube.Namespace, "server-namespace", "", "`namespace` of tms-server, with --kubeconfig or --context (default tms-system)")
	flags.StringVar(&o.kube.Service, "service", "", "`name` of the Service of tms-server, with --kubeconfig or --context (default tms-server)")
	flags.StringVar(&o.tokenFile, "token-file", "", "`file` with a Kubernetes token (default the token of the kubeconfig)")
	flags.StringVar(&o.token, "token", "", "Kubernetes `token` (default $TMSCTL_TOKEN)")
	flags.StringVar(&o.caFile, "ca-file", "", "PEM `file` with the certificate authority of the server (default those of the system)")
	flags.StringVar(&o.serverName, "tls-server-name", "", "`name` that the certificate of the server must have (default the host of the URL)")
	flags.BoolVar(&o.skipVerify, "insecure-skip-tls-verify", false, "do not check the certificate of the server; an attacker in the network can then read the token")
	flags.DurationVar(&o.timeout, "timeout", 0, "timeout of the command (default 30s; 30m for lease create and lease wait, none for lease logs and lease watch)")
	flags.BoolVarP(&o.porcelain, "porcelain", "z", false, "print tab-separated columns without headers, for scripts")
	flags.StringVarP(&o.output, "output", "o", "", "output `format`: json or yaml; also wide for lease list and lease watch; table, short or json for doctor")
	_ = root.RegisterFlagCompletionFunc("output", func(command *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return outputs(command), cobra.ShellCompDirectiveNoFileComp
	})
	_ = root.RegisterFlagCompletionFunc("target", completeEndpoints)
	_ = root.RegisterFlagCompletionFunc("context", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return cluster.Contexts(o.kube.Kubeconfig), cobra.ShellCompDirectiveNoFileComp
	})
	_ = root.MarkPersistentFlagFilename("ca-file", "pem", "crt")
	_ = root.MarkPersistentFlagFilename("token-file")
	_ = root.MarkPersistentFlagFilename("kubeconfig")
}

// check returns an error for wrong combinations of flags, and for an empty server, token
// or file name.
func (o *options) check(command *cobra.Command) error {
	flags := command.Flags()
	if err := cli.NotEmpty(flags, "target", "token", "token-file", "ca-file", "tls-server-name", "kubeconfig", "context", "server-namespace", "service"); err != nil {
		return err
	}
	inCluster := o.kube.Kubeconfig != "" || o.kube.Context != ""
	switch {
	case inCluster && o.endpoint != "":
		return cli.Usagef("--target cannot be used together with --kubeconfig and --context")
	case !inCluster && o.kube != kubeEndpoint{}:
		return cli.Usagef("--server-namespace and --service need --kubeconfig or --context")
	case o.token != "" && o.tokenFile != "":
		return cli.Usagef("--token and --token-file cannot be used together")
	case o.skipVerify && o.caFile != "":
		return cli.Usagef("--insecure-skip-tls-verify and --ca-file cannot be used together")
	case o.porcelain && o.output != "":
		return cli.Usagef("--porcelain and --output cannot be used together")
	case flags.Changed("timeout") && o.timeout <= 0:
		return cli.Usagef("--timeout %s: must be greater than 0", o.timeout)
	case flags.Changed("output"):
		return cli.OneOf("output", o.output, outputs(command)...)
	}
	return nil
}

// outputsKey is the key of the annotation with the values of --output of a command.
const outputsKey = "outputs"

// wideOutput are the annotations of a command that has -o wide.
var wideOutput = map[string]string{outputsKey: "wide json yaml"}

// outputs returns the values of --output of a command.
func outputs(command *cobra.Command) []string {
	return strings.Fields(cmp.Or(command.Annotations[outputsKey], "json yaml"))
}

// checkTLS returns an error for flags of TLS with the URL of a server without TLS.
func (o *options) checkTLS(serverURL string) error {
	if strings.HasPrefix(strings.ToLower(serverURL), "http://") && (o.caFile != "" || o.serverName != "" || o.skipVerify) {
		return cli.Usagef("--ca-file, --tls-server-name and --insecure-skip-tls-verify need an https URL: http has no TLS")
	}
	return nil
}

// withTimeout returns the context of a command, with --timeout or the default timeout.
func (o *options) withTimeout(command *cobra.Command, defaultTimeout time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(command.Context(), cmp.Or(o.timeout, defaultTimeout))
}

// connect returns a client of the selected server. It sets the namespace to that of the
// saved endpoint if --namespace is not set.
func (o *options) connect(more ...client.Option) (*client.Client, error) {
	selected, err := o.selectEndpoint()
	if err != nil {
		return nil, err
	}
	if err := o.checkTLS(selected.URL); err != nil {
		return nil, err
	}
	o.namespace = cmp.Or(o.namespace, selected.Namespace)
	clientOptions := append([]client.Option{client.WithUserAgent("tmsctl/" + cli.Version())}, more...)
	if file := cmp.Or(o.caFile, selected.CAFile); file != "" && !o.skipVerify {
		clientOptions = append(clientOptions, client.WithCAFile(file))
	}
	if name := cmp.Or(o.serverName, selected.TLSServerName); name != "" {
		clientOptions = append(clientOptions, client.WithTLSServerName(name))
	}
	if o.skipVerify {
		clientOptions = append(clientOptions, client.WithInsecureSkipVerify())
	}
	token := o.tokenOption(selected)
	if selected.Kube != nil {
		c, err := selected.Kube.open()
		if err != nil {
			return nil, cli.UsageError{Reason: err}
		}
		o.cluster = c
		o.namespace = cmp.Or(o.namespace, c.Namespace)
		clientOptions = append(clientOptions, selected.Kube.dialOption(c))
		if token == nil && c.HasToken() {
			token = client.WithTokenSource(c.Token)
		}
	}
	if token != nil {
		o.hasToken = true
		clientOptions = append(clientOptions, token)
	}
	c, err := client.New(selected.URL, clientOptions...)
	if err != nil {
		return nil, cli.UsageError{Reason: err}
	}
	return c, nil
}

// connectToList returns a client and the namespace of a request that lists: "-", which means
// all namespaces, with --all-namespaces.
func (o *options) connectToList(all bool) (*client.Client, string, error) {
	if all && o.namespace != "" {
		return nil, "", cli.Usagef("--namespace and --all-namespaces cannot be used together")
	}
	c, err := o.connect()
	if err != nil {
		return nil, "", err
	}
	if all {
		return c, "-", nil
	}
	return c, o.namespace, nil
}

// tokenOption returns nil if no token is configured.
func (o *options) tokenOption(selected endpoint) client.Option {
	switch token := cmp.Or(o.token, os.Getenv("TMSCTL_TOKEN")); {
	case o.tokenFile != "":
		return client.WithTokenFile(o.tokenFile)
	case token != "":
		return client.WithToken(token)
	case selected.TokenFile != "":
		return client.WithTokenFile(selected.TokenFile)
	}
	return nil
}

// selectEndpoint returns the endpoint of --kubeconfig and --context, of --target, of
// $TMSCTL_TARGET, or the default.
func (o *options) selectEndpoint() (endpoint, error) {
	if o.kube != (kubeEndpoint{}) {
		return o.kube.endpoint(), nil
	}
	name := cmp.Or(o.endpoint, os.Getenv("TMSCTL_TARGET"))
	if strings.Contains(name, "://") {
		return endpoint{URL: name}, nil
	}
	saved, err := readEndpoints()
	if err != nil {
		return endpoint{}, err
	}
	if name = cmp.Or(name, saved.Default); name == "" {
		return endpoint{}, cli.UsageError{Reason: errors.New("no server is selected: set --target to its URL, set --context to a context of your kubeconfig, or save it with 'tmsctl target add'")}
	}
	return saved.find(name)
}
