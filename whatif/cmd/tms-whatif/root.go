package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/triton-leases/tms/internal/cli"
)

const longHelp = `tms-whatif predicts how a lease of Triton Inference Server scales under a load. It
needs no cluster. It renders the lease as tms-render does, and runs the HPA controller
of Kubernetes with the HPA and the recording rules of the lease, in simulated time,
against a model of Triton's queues. It prints how long requests wait, and how many
replicas run.

The load is a shape between --base and --peak (step, ramp, day or bursts), or a file:
a CSV file with a time and the requests per second in each row, or the result of a
range query to Prometheus, as 'promtool query range -o json' prints it.

--compare adds alternatives: KEY=VALUE,VALUE. KEY is threshold, minimum or maximum of
the lease, or the path of a value, as for --set. Several --compare give all
combinations. All alternatives get exactly the same requests.

The same input and --seed give the same output.

Exit status: 0 done, 1 refused or failed, 2 wrong usage.`

const examples = `  # How does the lease scale if the load jumps from 10 to 120 requests per second?
  tms-whatif -f values.yaml --lease resnet50 --traffic step --base 10 --peak 120 --service-time 50ms

  # Compare thresholds and maxima with the load of last week, and draw them
  promtool query range --start=... --end=... --step=1m -o json http://prometheus:9090 \
    'sum(rate(nv_inference_request_success{namespace="inference"}[1m]))' > load.json
  tms-whatif -f values.yaml --lease resnet50 --traffic load.json --service-time 50ms \
    --compare threshold=50000,100000 --compare maximum=4,8 --gpu-hour-price 2.5 --svg whatif.svg`

// Exit statuses that scripts can rely on. They are those of tms-render.
const (
	exitDone   = 0
	exitFailed = 1 // the input is refused, or an operation fails
	exitUsage  = 2 // the command line is wrong
)

// streams are the standard streams of a command.
type streams struct {
	in  io.Reader
	out io.Writer
	err io.Writer
}

// errNoInput ends tms-whatif without flags. Its help is already printed.
var errNoInput = errors.New("no input")

// run runs the command line and returns its exit status.
func run(args []string, s streams) int {
	command := newRoot(s)
	command.SetArgs(args)
	command.SetIn(s.in)
	command.SetOut(s.out)
	command.SetErr(s.err)
	err := command.Execute()
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errNoInput):
		return exitUsage
	case errors.As(err, new(cli.UsageError)):
		_, _ = fmt.Fprintf(s.err, "tms-whatif: %v\nRun 'tms-whatif --help' for usage.\n", err)
		return exitUsage
	default:
		_, _ = fmt.Fprintln(s.err, err)
		return exitFailed
	}
}

var noArguments = cli.NoArguments(": give values files with -f")

func newRoot(s streams) *cobra.Command {
	var o options
	root := &cobra.Command{
		Use:               "tms-whatif",
		Short:             "Predict how a Triton lease scales under a load",
		Long:              longHelp,
		Example:           examples,
		Args:              noArguments,
		SilenceErrors:     true,
		SilenceUsage:      true,
		DisableAutoGenTag: true,
		PersistentPreRunE: func(command *cobra.Command, _ []string) error {
			return cli.NotEmpty(command.Flags(), "values", "namespace", "release-name", "lease", "traffic", "compare", "svg")
		},
		RunE: func(command *cobra.Command, _ []string) error {
			if command.Flags().NFlag() == 0 {
				command.SetOut(s.err)
				_ = command.Help()
				return errNoInput
			}
			return o.run(s)
		},
	}
	cli.SetVersion(root)
	root.SetFlagErrorFunc(cli.FlagError)
	o.addFlags(root)
	root.AddCommand(&cobra.Command{
		Use:   "version",
		Short: "Print the version of tms-whatif and of the embedded chart",
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(s.out, "tms-whatif "+cli.Version())
			return err
		},
	})
	return root
}
