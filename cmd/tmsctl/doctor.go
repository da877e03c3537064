package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/triton-leases/tms/cmd/tmsctl/internal/cluster"
	"github.com/triton-leases/tms/internal/cli"
	"github.com/triton-leases/tms/internal/doctor"
	"github.com/triton-leases/tms/internal/limitread"
)

const doctorHelp = `Find out why a lease does not scale. The command follows each metric of a lease from
Triton through Prometheus and the custom metrics API, or KEDA, to the
HorizontalPodAutoscaler, and stops at the first error. For each problem it prints a code, a
command that shows it, what to do, and a link. docs/reference/doctor.md lists the codes.

It checks the named lease, or all leases that scale: leases in the values and TritonLeases.
It reads through the API server with your kubeconfig, and changes nothing. It does not call
tms-server. If you lack a right, it prints the right and skips the check.

With --pre, it checks a cluster before an install: that it has what leases need, that you
may create the objects, and that Prometheus will select them.

Exit status: 0 if there is no error, 1 if there is one, 2 for wrong usage.`

const doctorExamples = `  tmsctl doctor resnet50 -n inference
  tmsctl doctor --all-namespaces -o short
  tmsctl doctor --pre -n inference -f values.yaml`

// doctorOptions are the flags of doctor.
type doctorOptions struct {
	*options
	all, pre   bool
	files      []string
	wait       time.Duration
	prometheus string
}

func newDoctor(o *options, s streams) *cobra.Command {
	d := &doctorOptions{options: o}
	command := &cobra.Command{
		Use: "doctor [lease]", Short: "Find out why a lease does not scale", Long: doctorHelp, Example: doctorExamples, Args: atMostOne,
		Annotations:       map[string]string{outputsKey: "table short json"},
		PersistentPreRunE: func(command *cobra.Command, args []string) error { return d.check(command, args) },
		RunE:              func(command *cobra.Command, args []string) error { return d.run(command, s, args) },
	}
	flags := command.Flags()
	flags.SortFlags = false
	flags.BoolVarP(&d.all, "all-namespaces", "A", false, "check the leases of all namespaces")
	flags.BoolVar(&d.pre, "pre", false, "check the cluster before an install in --namespace")
	flags.StringArrayVarP(&d.files, "values", "f", nil, "values `file` of the install, with --pre; later files override earlier ones, and - is standard input")
	flags.DurationVar(&d.wait, "wait", 0, "repeat the checks until there is no error, at most for this `duration`")
	flags.StringVar(&d.prometheus, "prometheus", "", "API of Prometheus: `namespace/service:port` (default the Prometheus that selects the PodMonitor)")
	return command
}

func atMostOne(_ *cobra.Command, args []string) error {
	if len(args) > 1 {
		return cli.Usagef("unexpected argument %q", args[1])
	}
	return nil
}

func (d *doctorOptions) check(command *cobra.Command, args []string) error {
	if err := d.options.check(command); err != nil {
		return err
	}
	if err := cli.NotEmpty(command.Flags(), "namespace", "values", "prometheus"); err != nil {
		return err
	}
	switch {
	case d.porcelain:
		return cli.Usagef("--porcelain cannot be used with doctor: use -o short or -o json")
	case d.all && d.namespace != "":
		return cli.Usagef("--namespace and --all-namespaces cannot be used together")
	case d.all && len(args) > 0:
		return cli.Usagef("--all-namespaces cannot be used with the name of a lease")
	case d.pre && (d.all || len(args) > 0):
		return cli.Usagef("--pre cannot be used with --all-namespaces or the name of a lease")
	case !d.pre && len(d.files) > 0:
		return cli.Usagef("--values needs --pre")
	case d.wait < 0:
		return cli.Usagef("--wait %s: must not be negative", d.wait)
	}
	return nil
}

// errUnhealthy is the error of a report with errors. The report is already printed.
var errUnhealthy = errors.New("the checks found an error")

func (d *doctorOptions) run(command *cobra.Command, s streams, args []string) error {
	c, err := d.open()
	if err != nil {
		return cli.UsageError{Reason: err}
	}
	d.cluster = c
	options := doctor.Options{Namespace: cmp.Or(d.namespace, c.Namespace, "default")}
	if d.all {
		options.Namespace = ""
	}
	if len(args) > 0 {
		options.Lease = args[0]
	}
	if d.prometheus != "" {
		if options.Prometheus, err = doctor.ParseService(d.prometheus); err != nil {
			return cli.Usagef("--prometheus %s: %w", d.prometheus, err)
		}
	}
	examine := func(ctx context.Context) (*doctor.Report, error) { return doctor.New(c, options).Check(ctx) }
	if d.pre {
		install, err := d.readInstall(command.InOrStdin())
		if err != nil {
			return err
		}
		examine = func(ctx context.Context) (*doctor.Report, error) {
			return doctor.New(c, options).CheckInstall(ctx, install)
		}
	}
	report, err := d.repeat(command.Context(), examine)
	if err != nil {
		return err
	}
	if err := d.print(s.out, report); err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	if !report.Healthy() {
		return errUnhealthy
	}
	return nil
}

// open returns the cluster of the kubeconfig flags, of the saved target, or of the current
// context of kubectl.
func (d *doctorOptions) open() (*cluster.Cluster, error) {
	if d.kube == (kubeEndpoint{}) {
		if selected, err := d.selectEndpoint(); err == nil && selected.Kube != nil {
			return selected.Kube.open()
		}
	}
	return d.kube.open()
}

func (d *doctorOptions) readInstall(stdin io.Reader) (*doctor.Install, error) {
	var files [][]byte
	for _, name := range d.files {
		text, err := limitread.File(name, limitread.Values)
		if name == "-" {
			text, err = limitread.All(stdin, limitread.Values)
		}
		if err != nil {
			return nil, cli.UsageError{Reason: err}
		}
		files = append(files, text)
	}
	install, err := doctor.NewInstall(files...)
	if err != nil {
		return nil, cli.Usagef("values: %w: 'tms-render -f <file>' shows all errors", err)
	}
	return install, nil
}

// repeat examines the cluster once, or with --wait until there is no error.
func (d *doctorOptions) repeat(ctx context.Context, examine func(context.Context) (*doctor.Report, error)) (*doctor.Report, error) {
	const interval = 5 * time.Second
	until := time.Now().Add(d.wait)
	for {
		attempt, cancel := context.WithTimeout(ctx, cmp.Or(d.timeout, shortTimeout))
		report, err := examine(attempt)
		cancel()
		if err == nil && report.Healthy() || time.Now().Add(interval).After(until) {
			return report, err
		}
		select {
		case <-ctx.Done():
			return report, ctx.Err()
		case <-time.After(interval):
		}
	}
}
