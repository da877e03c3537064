package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/api/tms/v1/tmsv1connect"
	"github.com/triton-leases/tms/pkg/client"
)

// leaseColumns documents the columns of porcelainLeases. Scripts count them: new columns
// are added at the end.
const leaseColumns = `Columns of -z: id, namespace, state, models (comma-separated), replicas that serve,
replicas that exist, replicas wanted, minimum, maximum, expiry time, address, creation
time, GPUs that are charged to the budget of the namespace.`

func newLease(o *options, s streams) *cobra.Command {
	command := &cobra.Command{Use: "lease", Short: "Acquire and manage leases"}
	command.AddCommand(newCreate(o, s), newList(o, s), newStatus(o, s), newRenew(o, s), newReload(o, s), newRelease(o, s), newWait(o, s), newWatch(o, s), newLogs(o, s), newName(o, s))
	return command
}

func newStatus(o *options, s streams) *cobra.Command {
	return &cobra.Command{
		Use: "status <id>", Short: "Show a lease", Args: exactArgs("<id>"), ValidArgsFunction: o.completeLease,
		Long: "Show a lease. The states are pending, starting, serving, failed, refused and released.\nThe exit status is 0 for each state.\n\n" + leaseColumns,
		RunE: func(command *cobra.Command, args []string) error {
			c, err := o.connect()
			if err != nil {
				return err
			}
			ctx, cancel := o.withTimeout(command, shortTimeout)
			defer cancel()
			lease, err := c.Status(ctx, &tmsv1.StatusRequest{Namespace: o.namespace, Id: args[0]})
			if err != nil {
				return err
			}
			switch {
			case o.output != "":
				return o.printMessage(s.out, lease)
			case o.porcelain:
				return porcelainLeases(s.out, lease)
			}
			return describeLease(s.out, lease)
		},
	}
}

func newRenew(o *options, s streams) *cobra.Command {
	return &cobra.Command{
		Use: "renew <id>", Short: "Restart the duration of a lease from now", Args: exactArgs("<id>"), ValidArgsFunction: o.completeLease,
		Long: "Restart the duration of a lease from now.\n\n-z prints the new expiry time.",
		RunE: func(command *cobra.Command, args []string) error {
			c, err := o.connect()
			if err != nil {
				return err
			}
			ctx, cancel := o.withTimeout(command, shortTimeout)
			defer cancel()
			renewed, err := c.Renew(ctx, &tmsv1.RenewRequest{Namespace: o.namespace, Id: args[0]})
			if err != nil {
				return err
			}
			expires := formatTime(renewed.GetExpiresAt())
			switch {
			case o.output != "":
				return o.printMessage(s.out, renewed)
			case o.porcelain:
				_, err = fmt.Fprintln(s.out, orDash(expires))
			case expires == "":
				_, err = fmt.Fprintf(s.out, "Lease %s does not expire\n", escape(args[0]))
			default:
				_, err = fmt.Fprintf(s.out, "Lease %s expires at %s\n", escape(args[0]), expires)
			}
			return err
		},
	}
}

const reloadHelp = `Replace the pods of a lease one after the other. The new pods load the models again. No
request fails: an old pod serves until a new one is ready, and finishes its requests.

The command does not wait for the new pods, unless you set --wait.

-z prints the id.`

func newReload(o *options, s streams) *cobra.Command {
	var wait bool
	command := &cobra.Command{
		Use: "reload <id>", Short: "Load the models of a lease again, in new pods", Long: reloadHelp, Args: exactArgs("<id>"),
		ValidArgsFunction: o.completeLease,
		RunE: func(command *cobra.Command, args []string) error {
			c, err := o.connect()
			if err != nil {
				return err
			}
			timeout := shortTimeout
			if wait {
				timeout = createTimeout
			}
			ctx, cancel := o.withTimeout(command, timeout)
			defer cancel()
			response, err := c.Reload(ctx, &tmsv1.ReloadRequest{Namespace: o.namespace, Id: args[0]})
			if err != nil {
				return err
			}
			result := "reloads"
			if wait {
				at := response.GetReloadTime().AsTime()
				if _, err := o.wait(ctx, c, s, args[0], func(lease *tmsv1.Lease) (bool, error) { return reloaded(lease, at) }); err != nil {
					return err
				}
				result = "is reloaded"
			}
			switch {
			case o.output != "":
				return o.printMessage(s.out, response)
			case o.porcelain:
				_, err = fmt.Fprintln(s.out, escape(args[0]))
			default:
				_, err = fmt.Fprintf(s.out, "Lease %s %s\n", escape(args[0]), result)
			}
			return err
		},
	}
	command.Flags().BoolVar(&wait, "wait", false, "wait until new pods have replaced all old ones")
	return command
}

// reloaded reports whether a lease serves, and all its pods are of a reload at a time. The
// error says that waiting does not help.
func reloaded(lease *tmsv1.Lease, at time.Time) (bool, error) {
	if serves, err := ready(lease); !serves || err != nil {
		return false, err
	}
	replicas := lease.GetReplicas()
	wanted := replicas.GetWanted()
	return lease.GetReloadedAt() != nil && !lease.GetReloadedAt().AsTime().Before(at) &&
		replicas.GetUpdated() == wanted && replicas.GetCurrent() == wanted && replicas.GetReady() == wanted, nil
}

// notFound returns the error of a call that deletes something that does not exist.
func (o *options) notFound(method, kind, id string) error {
	return &client.Error{
		Method: method, Code: connect.CodeNotFound, Reached: true,
		Message: fmt.Sprintf("%s %q does not exist%s", kind, id, inNamespace(o.namespace)),
	}
}

func newRelease(o *options, s streams) *cobra.Command {
	var ignoreNotFound bool
	command := &cobra.Command{
		Use: "release <id>", Aliases: []string{"remove", "rm"}, Short: "Delete a lease and everything that it deployed", Args: exactArgs("<id>"),
		Long:              "Delete a lease and everything that it deployed. The exit status is 4 if the lease does\nnot exist.\n\n-z prints the id.",
		ValidArgsFunction: o.completeLease,
		RunE: func(command *cobra.Command, args []string) error {
			c, err := o.connect()
			if err != nil {
				return err
			}
			ctx, cancel := o.withTimeout(command, shortTimeout)
			defer cancel()
			released, err := c.Release(ctx, &tmsv1.ReleaseRequest{Namespace: o.namespace, Id: args[0]})
			if err != nil {
				return err
			}
			if !released.GetFound() && !ignoreNotFound {
				return o.notFound(releaseMethod, "lease", args[0])
			}
			switch {
			case o.output != "":
				return o.printMessage(s.out, released)
			case o.porcelain:
				_, err = fmt.Fprintln(s.out, escape(args[0]))
			case released.GetFound():
				_, err = fmt.Fprintf(s.out, "Lease %s is released\n", escape(args[0]))
			default:
				_, err = fmt.Fprintf(s.out, "Lease %s does not exist\n", escape(args[0]))
			}
			return err
		},
	}
	command.Flags().BoolVar(&ignoreNotFound, "ignore-not-found", false, "exit with status 0 if the lease does not exist")
	return command
}

// The names of methods in the errors of tmsctl itself.
var (
	releaseMethod = strings.TrimPrefix(tmsv1connect.LeaseServiceReleaseProcedure, "/")
	statusMethod  = strings.TrimPrefix(tmsv1connect.LeaseServiceStatusProcedure, "/")
)

// inNamespace returns " in namespace x", and "" for the default of the server.
func inNamespace(namespace string) string {
	if namespace == "" {
		return ""
	}
	return " in namespace " + namespace
}

func newList(o *options, s streams) *cobra.Command {
	var all bool
	command := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List leases", Args: exactArgs(), Annotations: wideOutput,
		Long: "List leases.\n\n" + listingHelp + "\n\n" + leaseColumns,
		RunE: func(command *cobra.Command, _ []string) error {
			c, namespace, err := o.connectToList(all)
			if err != nil {
				return err
			}
			ctx, cancel := o.withTimeout(command, shortTimeout)
			defer cancel()
			leases, err := listAll(ctx, c, namespace)
			if err != nil {
				return err
			}
			switch {
			case o.porcelain:
				return porcelainLeases(s.out, leases...)
			case o.output == "" || o.output == "wide":
				return listing{all, o.output == "wide"}.print(s.out, leases)
			}
			return o.printMessage(s.out, &tmsv1.ListResponse{Leases: leases})
		},
	}
	command.Flags().BoolVarP(&all, "all-namespaces", "A", false, "list the leases of all namespaces")
	return command
}

// listAll returns the leases of all pages.
func listAll(ctx context.Context, c *client.Client, namespace string) ([]*tmsv1.Lease, error) {
	var leases []*tmsv1.Lease
	for lease, err := range c.List(ctx, &tmsv1.ListRequest{Namespace: namespace, PageSize: 500}) {
		if err != nil {
			return nil, err
		}
		leases = append(leases, lease)
	}
	return leases, nil
}
