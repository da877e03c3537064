package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/internal/cli"
	"github.com/triton-leases/tms/pkg/client"
)

// shortestInterval is the shortest time between two calls of lease watch.
const shortestInterval = 100 * time.Millisecond

const watchHelp = `Show leases until you press Ctrl-C or --timeout is over. With an id, show this lease until
it is deleted.

On a terminal, the table is drawn again after each --interval. Elsewhere, and with -z or -o,
each lease is printed once, and again when it changes. A lease that is deleted is
printed a last time, with the state released.

If the connection to the server is lost, lease watch tries again. The exit status is 4 if
the lease does not exist at the start.

`

func newWatch(o *options, s streams) *cobra.Command {
	var all bool
	var interval time.Duration
	command := &cobra.Command{
		Use: "watch [id]", Short: "Show leases while they change", Long: watchHelp + listingHelp, Annotations: wideOutput,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return cli.Usagef("unexpected argument %q", args[1])
			}
			return nil
		},
		ValidArgsFunction: o.completeLease,
		RunE: func(command *cobra.Command, args []string) error {
			switch {
			case interval < shortestInterval:
				return cli.Usagef("--interval %s: must be at least %s", interval, shortestInterval)
			case all && len(args) > 0:
				return cli.Usagef("--all-namespaces cannot be used together with the id of a lease")
			}
			c, namespace, err := o.connectToList(all)
			if err != nil {
				return err
			}
			ctx := command.Context()
			if o.timeout > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, o.timeout)
				defer cancel()
			}
			w := &watch{
				interval: interval, single: len(args) > 0, output: o.newWatchOutput(s, all),
				list: func(ctx context.Context) ([]*tmsv1.Lease, error) { return listAll(ctx, c, namespace) },
			}
			if w.single {
				w.list = func(ctx context.Context) ([]*tmsv1.Lease, error) { return getOne(ctx, c, namespace, args[0]) }
			}
			return w.run(ctx)
		},
	}
	command.Flags().BoolVarP(&all, "all-namespaces", "A", false, "show the leases of all namespaces")
	command.Flags().DurationVar(&interval, "interval", 2*time.Second, "time between two calls of the server")
	return command
}

// getOne returns the list of one lease.
func getOne(ctx context.Context, c *client.Client, namespace, id string) ([]*tmsv1.Lease, error) {
	lease, err := c.Status(ctx, &tmsv1.StatusRequest{Namespace: namespace, Id: id})
	if err != nil {
		return nil, err
	}
	return []*tmsv1.Lease{lease}, nil
}

// watchOutput shows the leases of a watch.
type watchOutput interface {
	// show shows all leases. changed are those that changed or were deleted since the last
	// call.
	show(all, changed []*tmsv1.Lease) error
	// lost shows that the server cannot be reached. Calls in a row report the same outage.
	lost(err error) error
}

// watch lists leases again and again.
type watch struct {
	interval time.Duration
	list     func(context.Context) ([]*tmsv1.Lease, error)
	// single reports whether list returns one lease.
	single bool
	output watchOutput
	// last are the leases of the last list, and nil before the first.
	last []*tmsv1.Lease
}

// run shows leases until the context ends, or the only lease is deleted.
func (w *watch) run(ctx context.Context) error {
	for {
		if done, err := w.poll(ctx); done || err != nil {
			return err
		}
		select {
		case <-time.After(w.interval):
		case <-ctx.Done():
			return nil
		}
	}
}

// poll lists the leases once, and shows them. It reports whether there is nothing more to
// watch.
func (w *watch) poll(ctx context.Context) (done bool, err error) {
	call, cancel := context.WithTimeout(ctx, shortTimeout)
	defer cancel()
	all, err := w.list(call)
	var failure *client.Error
	isFailure := errors.As(err, &failure)
	switch {
	case w.last != nil && ctx.Err() != nil:
		return true, nil
	case w.last != nil && w.single && isFailure && failure.Code == connect.CodeNotFound:
		return true, w.output.show(nil, changes(w.last, nil))
	case err == nil:
		changed := changes(w.last, all)
		w.last = append([]*tmsv1.Lease{}, all...)
		return false, w.output.show(all, changed)
	case w.last != nil && isFailure && failure.Unreachable():
		return false, w.output.lost(err)
	}
	return false, err
}

// changes returns the leases that are new, changed or deleted. Deleted leases get the state
// released.
func changes(before, after []*tmsv1.Lease) []*tmsv1.Lease {
	type key struct{ namespace, id string }
	keyOf := func(lease *tmsv1.Lease) key { return key{lease.GetNamespace(), lease.GetId()} }
	old := map[key]*tmsv1.Lease{}
	for _, lease := range before {
		old[keyOf(lease)] = lease
	}
	var changed []*tmsv1.Lease
	for _, lease := range after {
		if !proto.Equal(old[keyOf(lease)], lease) {
			changed = append(changed, lease)
		}
		delete(old, keyOf(lease))
	}
	for _, lease := range before {
		if old[keyOf(lease)] == nil {
			continue
		}
		deleted := proto.CloneOf(lease)
		deleted.State, deleted.Message = tmsv1.State_STATE_RELEASED, "the lease is deleted"
		changed = append(changed, deleted)
	}
	return changed
}

// lostText returns the message of a lost connection.
func lostText(err error) string {
	message := err.Error()
	var failure *client.Error
	if errors.As(err, &failure) {
		message = failure.Message
	}
	return fmt.Sprintf("%s: retrying\n", escape(message))
}
