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

// pollInterval is the time between two calls of lease wait.
const pollInterval = 1 * time.Second

const waitHelp = `Wait until a lease serves, or with --for=delete until it does not exist.

The exit status is 1 if the lease fails, is being deleted, or does not serve within
--timeout, 3 if it is refused, and 4 if it does not exist. lease wait does not release the
lease.

-z prints the id.`

func newWait(o *options, s streams) *cobra.Command {
	var condition string
	command := &cobra.Command{
		Use: "wait <id>", Short: "Wait until a lease serves or is deleted", Long: waitHelp, Args: exactArgs("<id>"),
		ValidArgsFunction: o.completeLease,
		RunE: func(command *cobra.Command, args []string) error {
			if err := cli.OneOf("for", condition, "ready", "delete"); err != nil {
				return err
			}
			c, err := o.connect()
			if err != nil {
				return err
			}
			ctx, cancel := o.withTimeout(command, createTimeout)
			defer cancel()
			done := ready
			if condition == "delete" {
				done = nil
			}
			lease, err := o.wait(ctx, c, s, args[0], done)
			if err != nil {
				return err
			}
			switch result := "serves"; {
			case o.output != "":
				return o.printMessage(s.out, lease)
			case o.porcelain:
				_, err = fmt.Fprintln(s.out, escape(args[0]))
			default:
				if condition == "delete" {
					result = "is deleted"
				}
				_, err = fmt.Fprintf(s.out, "Lease %s %s\n", escape(args[0]), result)
			}
			return err
		},
	}
	command.Flags().StringVar(&condition, "for", "ready", "`condition` to wait for: ready or delete")
	_ = command.RegisterFlagCompletionFunc("for", cobra.FixedCompletions([]string{"ready", "delete"}, cobra.ShellCompDirectiveNoFileComp))
	return command
}

// wait returns the lease when it is done. If done is nil, it returns the last state of the
// lease when it is deleted. After the first response, it retries if the server cannot be
// reached. On a terminal it shows the state.
func (o *options) wait(ctx context.Context, c *client.Client, s streams, id string, done func(*tmsv1.Lease) (bool, error)) (*tmsv1.Lease, error) {
	deleted := done == nil
	progress := newProgress(s.err)
	defer progress.clear()
	request := &tmsv1.StatusRequest{Namespace: o.namespace, Id: id}
	var last *tmsv1.Lease
	for {
		lease, err := c.Status(ctx, request)
		var failure *client.Error
		switch {
		case last != nil && ctx.Err() != nil:
			return nil, o.waitError(ctx, last, deleted)
		case err == nil:
			last = lease
			if !deleted {
				if done, err := done(lease); done || err != nil {
					return lease, err
				}
			}
			progress.update(&tmsv1.AcquireResponse{Lease: lease})
		case deleted && connect.CodeOf(err) == connect.CodeNotFound:
			return cmp.Or(last, &tmsv1.Lease{Namespace: o.namespace, Id: id}), nil
		case last == nil || !errors.As(err, &failure) || !failure.Unreachable():
			return nil, err
		}
		select {
		case <-time.After(pollInterval):
		case <-ctx.Done():
			return nil, o.waitError(ctx, last, deleted)
		}
	}
}

// ready reports whether a lease serves. The error says that waiting does not help.
func ready(lease *tmsv1.Lease) (bool, error) {
	failure := &client.Error{
		Method: statusMethod, Code: connect.CodeAborted, Reached: true,
		Message: fmt.Sprintf("lease %q does not serve: %s", lease.GetId(), stateText(lease)),
	}
	switch lease.GetState() {
	case tmsv1.State_STATE_SERVING:
		return true, nil
	case tmsv1.State_STATE_REFUSED:
		failure.Code = connect.CodeFailedPrecondition
		return false, failure
	case tmsv1.State_STATE_FAILED, tmsv1.State_STATE_RELEASED:
		return false, failure
	}
	return false, nil
}

// waitError returns the error of a context that ended.
func (o *options) waitError(ctx context.Context, last *tmsv1.Lease, deleted bool) error {
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return errors.New("interrupted: the lease is not released")
	}
	timeout := cmp.Or(o.timeout, createTimeout)
	if deleted {
		return fmt.Errorf("lease %q still exists after %s (%s)", last.GetId(), timeout, stateText(last))
	}
	return fmt.Errorf("lease %q did not serve within %s (%s): it is not released", last.GetId(), timeout, stateText(last))
}
