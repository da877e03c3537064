package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/internal/cli"
	"github.com/triton-leases/tms/pkg/client"
)

const (
	// createTimeout is the default timeout of lease create. Pulling an image and loading
	// a large model can take many minutes.
	createTimeout = 30 * time.Minute
	// connectTimeout is how long lease create retries if connections break before a server
	// responded.
	connectTimeout = 30 * time.Second
)

const createHelp = `Acquire a lease and wait until it serves. Prints 'Lease <id>', or with -z only the id.

If the lease does not serve within --timeout, or if tmsctl is interrupted, the lease is
released. A second interrupt stops tmsctl at once. If tmsctl cannot connect to the server,
it fails at once. If the connection breaks later, tmsctl reconnects and waits for the same
lease. It prints the adjusted numbers and the warnings
on standard error.

Metrics:`

const createExamples = `  # Two models in one Triton, for the administrator's default duration
  tmsctl lease create -m name=detect,uri=s3://models/vision -m name=classify,uri=s3://models/vision

  # Up to four replicas: add replicas while requests wait longer than 200 ms
  tmsctl lease create -m name=resnet50,uri=s3://models/vision --gpus 2 --cpus 4 --memory 32Gi \
    --enable-autoscaling --autoscaling-max-replicas 4 --autoscaling-metric queueTime=200000`

func newCreate(o *options, s streams) *cobra.Command {
	var c createOptions
	command := &cobra.Command{
		Use: "create -m name=<name>,uri=<uri>", Short: "Acquire a lease and wait until it serves",
		Long: createHelp + metricDescriptions(), Example: createExamples,
		Args: func(command *cobra.Command, args []string) error {
			if err := checkLegacyFlags(command.Flags()); err != nil {
				return err
			}
			if len(args) > 0 {
				return cli.Usagef("unexpected argument %q: use --model for models, and --name for the name of the lease", args[0])
			}
			return nil
		},
		RunE: func(command *cobra.Command, _ []string) error {
			request, err := c.request(command.Flags())
			if err != nil {
				return err
			}
			return o.create(command, s, request)
		},
	}
	c.addFlags(command)
	return command
}

// create acquires a lease and prints it.
func (o *options) create(command *cobra.Command, s streams, request *tmsv1.AcquireRequest) error {
	progress := newProgress(s.err)
	c, err := o.connect(client.WithFailFast(), client.WithConnectTimeout(connectTimeout), client.WithOnRetry(progress.connectionLost))
	if err != nil {
		return err
	}
	request.Namespace = o.namespace
	ctx, cancel := o.withTimeout(command, createTimeout)
	defer cancel()
	defer context.AfterFunc(command.Context(), progress.interrupted)()
	lease, err := c.Acquire(ctx, request, progress.update)
	progress.clear()
	if err != nil {
		return o.createError(command.Context(), err, progress)
	}
	printWarnings(s, lease.GetGranted())
	switch {
	case o.output != "":
		return o.printMessage(s.out, lease)
	case o.porcelain:
		_, err = fmt.Fprintln(s.out, escape(lease.GetId()))
	default:
		_, err = fmt.Fprintln(s.out, "Lease "+escape(lease.GetId()))
	}
	return err
}

// printWarnings prints the adjustments and warnings of a grant.
func printWarnings(s streams, granted *tmsv1.Grant) {
	var lines []string
	for _, adjustment := range granted.GetAdjustments() {
		lines = append(lines, escape(adjustmentText(adjustment)))
	}
	for _, warning := range granted.GetWarnings() {
		lines = append(lines, escape(warningText(warning)))
	}
	cli.Warn(s.err, lines)
}

// createError adds to the message of an error that tmsctl was interrupted or timed out, and
// whether the lease is released.
func (o *options) createError(command context.Context, err error, progress *progress) error {
	var failure *client.Error
	interrupted := command.Err() != nil
	if !errors.As(err, &failure) {
		return err
	}
	outcome := fmt.Sprintf("lease %s is released", progress.id)
	if unreleased := failure.Unreleased; unreleased != nil {
		outcome = fmt.Sprintf("lease %s could not be released: run 'tmsctl lease release %s -n %s'", progress.id, progress.id, unreleased.GetNamespace())
	}
	switch {
	case interrupted && progress.id == "":
		failure.Message = "interrupted: the server releases the lease"
	case interrupted:
		failure.Message = "interrupted: " + outcome
	case failure.Code == connect.CodeDeadlineExceeded && progress.id != "":
		reason := progress.last
		if connect.IsWireError(err) { // the server ended the call, and its message has more details
			reason = failure.Message
		}
		failure.Message = fmt.Sprintf("the lease did not serve within %s (%s): %s", cmp.Or(o.timeout, createTimeout), reason, outcome)
	}
	return failure
}
