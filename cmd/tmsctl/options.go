package main

import (
	"cmp"
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/triton-leases/tms/internal/cli"
	"github.com/triton-leases/tms/pkg/client"
)

// shortTimeout is how long calls take that only ask something.
const shortTimeout = 30 * time.Second

// options are the flags that all commands have.
type options struct {
	target, namespace        string
	token, tokenFile, caFile string
	skipVerify               bool
	timeout                  time.Duration
	output                   string
	porcelain                bool
	// hasToken says whether a token was given, once a server was connected to.
	hasToken bool
}

func (o *options) addFlags(root *cobra.Command) {
	flags := root.PersistentFlags()
	flags.SortFlags = false
	flags.StringVarP(&o.target, "target", "t", "", "the server: an http(s) `URL`, or the name of a saved target ($TMSCTL_TARGET)")
	flags.StringVarP(&o.namespace, "namespace", "n", "", "`namespace` of the leases; that of the saved target, or the server's default, where it is not given")
	flags.StringVar(&o.tokenFile, "token-file", "", "`file` with the token of Kubernetes to call with")
	flags.StringVar(&o.token, "token", "", "`token` of Kubernetes to call with ($TMSCTL_TOKEN)")
	flags.StringVar(&o.caFile, "ca-file", "", "PEM `file` with the authorities that vouch for the server; those of the system where it is not given")
	flags.BoolVar(&o.skipVerify, "insecure-skip-tls-verify", false, "talk, and send the token, to whoever answers")
	flags.DurationVar(&o.timeout, "timeout", 0, "how long to take; 30s where it is not given, and 30m for lease create, which waits until the lease serves")
	flags.BoolVarP(&o.porcelain, "porcelain", "z", false, "print for scripts: tab-separated, without headers")
	flags.StringVarP(&o.output, "output", "o", "", "print as `format`: json or yaml")
	_ = root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"json", "yaml"}, cobra.ShellCompDirectiveNoFileComp))
	_ = root.RegisterFlagCompletionFunc("target", completeTargets)
	_ = root.MarkPersistentFlagFilename("ca-file", "pem", "crt")
	_ = root.MarkPersistentFlagFilename("token-file")
}

// check finds what is wrong with the flags alone. An empty value is one that a script
// meant to have.
func (o *options) check(flags *pflag.FlagSet) error {
	for _, name := range []string{"target", "token", "token-file", "ca-file"} {
		if flag := flags.Lookup(name); flag != nil && flag.Changed && flag.Value.String() == "" {
			return cli.Usagef("--%s is empty", name)
		}
	}
	switch {
	case o.token != "" && o.tokenFile != "":
		return cli.Usagef("--token and --token-file are both given: leave one of them out")
	case o.porcelain && o.output != "":
		return cli.Usagef("--porcelain and --output are both given: leave one of them out")
	case flags.Changed("timeout") && o.timeout <= 0:
		return cli.Usagef("--timeout %s: must be longer than nothing", o.timeout)
	case flags.Changed("output"):
		return cli.OneOf("output", o.output, "json", "yaml")
	}
	return nil
}

// within returns the context of a call that may take so long where no flag says otherwise.
func (o *options) within(command *cobra.Command, usual time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(command.Context(), cmp.Or(o.timeout, usual))
}

// connect returns a client of the server that is meant. What the saved target says
// holds from then on where no flag said otherwise.
func (o *options) connect(more ...client.Option) (*client.Client, error) {
	saved, err := o.findTarget()
	if err != nil {
		return nil, err
	}
	o.namespace = cmp.Or(o.namespace, saved.Namespace)
	clientOptions := append([]client.Option{client.WithUserAgent("tmsctl/" + version())}, more...)
	if file := cmp.Or(o.caFile, saved.CAFile); file != "" && !o.skipVerify {
		clientOptions = append(clientOptions, client.WithCAFile(file))
	}
	if o.skipVerify {
		clientOptions = append(clientOptions, client.WithInsecureSkipVerify())
	}
	if token := o.tokenOption(saved); token != nil {
		o.hasToken = true
		clientOptions = append(clientOptions, token)
	}
	c, err := client.New(saved.URL, clientOptions...)
	if err != nil {
		return nil, cli.UsageError{Reason: err}
	}
	return c, nil
}

func (o *options) tokenOption(saved target) client.Option {
	switch token := cmp.Or(o.token, os.Getenv("TMSCTL_TOKEN")); {
	case o.tokenFile != "":
		return client.WithTokenFile(o.tokenFile)
	case token != "":
		return client.WithToken(token)
	case saved.TokenFile != "":
		return client.WithTokenFile(saved.TokenFile)
	}
	return nil
}

// findTarget returns the target that the command line, the environment or else the
// saved default names.
func (o *options) findTarget() (target, error) {
	named := cmp.Or(o.target, os.Getenv("TMSCTL_TARGET"))
	if strings.Contains(named, "://") {
		return target{URL: named}, nil
	}
	saved, err := readTargets()
	if err != nil {
		return target{}, err
	}
	if named = cmp.Or(named, saved.Default); named == "" {
		return target{}, cli.UsageError{Reason: errors.New("no server is named: give its URL with --target, or save it with 'tmsctl target add'")}
	}
	return saved.find(named)
}
