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
	// createTimeout is how long a lease may take until it serves. To pull an image and
	// load a large model takes many minutes.
	createTimeout = 30 * time.Minute
	// patience is how long to look for a server that never answered.
	patience = 30 * time.Second
)

const createHelp = `Acquire a lease, and wait until it serves. Prints 'Lease <id>'; with -z the id alone.

Where it does not serve within --timeout, or is interrupted, the lease is released. To
be interrupted a second time ends tmsctl at once. Where the connection is lost, it is
made anew, and the same lease is waited for. Numbers that were not granted as they were
asked for are said on standard error.`

const createExamples = `  # Two models in one Triton, for as long as the administrator's default says
  tmsctl lease create -m name=detect,uri=s3://models/vision -m name=classify,uri=s3://models/vision

  # Up to four replicas, one more whenever requests wait for 200 ms
  tmsctl lease create -m name=resnet50,uri=s3://models/vision --gpus 2 --cpus 4 --memory 32Gi \
    --enable-autoscaling --autoscaling-max-replicas 4 --autoscaling-metric queueTime=200000`

func newCreate(o *options, s streams) *cobra.Command {
	var c createOptions
	command := &cobra.Command{
		Use: "create -m name=<name>,uri=<uri>", Short: "Acquire a lease, and wait until it serves",
		Long: createHelp, Example: createExamples,
		Args: func(command *cobra.Command, args []string) error {
			if err := formerFlags(command.Flags()); err != nil {
				return err
			}
			if len(args) > 0 {
				return cli.Usagef("unexpected argument %q: models are given with --model, and the name of the lease with --name", args[0])
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

// create acquires a lease and says what became of it.
func (o *options) create(command *cobra.Command, s streams, request *tmsv1.AcquireRequest) error {
	view := newProgress(s.err)
	c, err := o.connect(client.WithPatience(patience), client.WithOnRetry(view.lost))
	if err != nil {
		return err
	}
	request.Namespace = o.namespace
	ctx, cancel := o.within(command, createTimeout)
	defer cancel()
	defer context.AfterFunc(command.Context(), view.interrupted)()
	lease, err := c.Acquire(ctx, request, view.show)
	view.clear()
	if err != nil {
		return o.notAcquired(command.Context(), err, view)
	}
	warnOf(s, lease.GetGranted())
	switch {
	case o.output != "":
		return o.encode(s.out, lease)
	case o.porcelain:
		_, err = fmt.Fprintln(s.out, printable(lease.GetId()))
	default:
		_, err = fmt.Fprintln(s.out, "Lease "+printable(lease.GetId()))
	}
	return err
}

// warnOf says what was not granted as it was asked for.
func warnOf(s streams, granted *tmsv1.Grant) {
	var sentences []string
	for _, adjustment := range granted.GetAdjustments() {
		sentences = append(sentences, printable(adjusted(adjustment)))
	}
	for _, warning := range granted.GetWarnings() {
		sentences = append(sentences, printable(warning))
	}
	cli.Warn(s.err, sentences)
}

func adjusted(a *tmsv1.Adjustment) string {
	return cmp.Or(a.GetMessage(), fmt.Sprintf("%s: asked %d, granted %d (%s)", a.GetField(), a.GetAsked(), a.GetGranted(), a.GetLimit()))
}

// notAcquired says of a wait that ended why, and what became of the lease.
func (o *options) notAcquired(command context.Context, err error, view *progress) error {
	var failure *client.Error
	interrupted := command.Err() != nil
	if !errors.As(err, &failure) {
		return err
	}
	became := fmt.Sprintf("lease %s is released", view.id)
	if left := failure.Left; left != nil {
		became = fmt.Sprintf("lease %s may be there yet: tmsctl lease release %s -n %s", view.id, view.id, left.GetNamespace())
	}
	switch {
	case interrupted && view.id == "":
		failure.Message = "interrupted: the server releases what it began"
	case interrupted:
		failure.Message = "interrupted: " + became
	case failure.Code == connect.CodeDeadlineExceeded && view.id != "":
		reason := view.last
		if connect.IsWireError(err) { // whose clock was first, and who knows more
			reason = failure.Message
		}
		failure.Message = fmt.Sprintf("it did not serve within %s (%s): %s", cmp.Or(o.timeout, createTimeout), reason, became)
	}
	return failure
}
