package main

import (
	"fmt"

	"github.com/spf13/cobra"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/internal/cli"
)

// leaseColumns is what -z prints of a lease. Scripts count them: new ones go to the end.
const leaseColumns = `Columns of -z: id, namespace, state, models (with commas between them), replicas that
serve, replicas that there are, replicas that are wanted, minimum, maximum, when it
expires, address, when it was made.`

func newLease(o *options, s streams) *cobra.Command {
	command := &cobra.Command{Use: "lease", Short: "Acquire leases, and look after them"}
	command.AddCommand(newCreate(o, s), newList(o, s), newStatus(o, s), newRenew(o, s), newRelease(o, s), newName())
	return command
}

func newStatus(o *options, s streams) *cobra.Command {
	return &cobra.Command{
		Use: "status <id>", Short: "Show how a lease is", Args: exactly("<id>"),
		Long: "Show how a lease is. The status is 0 however it is: states are pending, starting,\nserving, failed, refused and released.\n\n" + leaseColumns,
		RunE: func(command *cobra.Command, args []string) error {
			c, err := o.connect()
			if err != nil {
				return err
			}
			ctx, cancel := o.within(command, shortTimeout)
			defer cancel()
			lease, err := c.Status(ctx, &tmsv1.StatusRequest{Namespace: o.namespace, Id: args[0]})
			if err != nil {
				return err
			}
			switch {
			case o.output != "":
				return o.encode(s.out, lease)
			case o.porcelain:
				return porcelainLease(s.out, lease)
			}
			return page(s.out, lease)
		},
	}
}

func newRenew(o *options, s streams) *cobra.Command {
	return &cobra.Command{
		Use: "renew <id>", Short: "Have the duration of a lease count from now", Args: exactly("<id>"),
		Long: "Have the duration of a lease count from now.\n\n-z prints when it expires then.",
		RunE: func(command *cobra.Command, args []string) error {
			c, err := o.connect()
			if err != nil {
				return err
			}
			ctx, cancel := o.within(command, shortTimeout)
			defer cancel()
			renewed, err := c.Renew(ctx, &tmsv1.RenewRequest{Namespace: o.namespace, Id: args[0]})
			if err != nil {
				return err
			}
			switch {
			case o.output != "":
				return o.encode(s.out, renewed)
			case o.porcelain:
				_, err = fmt.Fprintln(s.out, orDash(moment(renewed.GetExpiresAt())))
			default:
				_, err = fmt.Fprintf(s.out, "Lease %s expires %s\n", printable(args[0]), orNever(moment(renewed.GetExpiresAt())))
			}
			return err
		},
	}
}

func newRelease(o *options, s streams) *cobra.Command {
	return &cobra.Command{
		Use: "release <id>", Short: "Give a lease back, and delete all that it consists of", Args: exactly("<id>"),
		Long: "Give a lease back, and delete all that it consists of. A lease that is not there is no\nfailure.\n\n-z prints the id.",
		RunE: func(command *cobra.Command, args []string) error {
			c, err := o.connect()
			if err != nil {
				return err
			}
			ctx, cancel := o.within(command, shortTimeout)
			defer cancel()
			if err := c.Release(ctx, &tmsv1.ReleaseRequest{Namespace: o.namespace, Id: args[0]}); err != nil {
				return err
			}
			switch {
			case o.output != "":
				return o.encode(s.out, new(tmsv1.ReleaseResponse))
			case o.porcelain:
				_, err = fmt.Fprintln(s.out, printable(args[0]))
			default:
				_, err = fmt.Fprintf(s.out, "Lease %s is released\n", printable(args[0]))
			}
			return err
		},
	}
}

func newList(o *options, s streams) *cobra.Command {
	var all bool
	command := &cobra.Command{
		Use: "list", Short: "List leases", Args: exactly(),
		Long: "List leases.\n\n" + leaseColumns,
		RunE: func(command *cobra.Command, _ []string) error {
			if all && o.namespace != "" {
				return cli.Usagef("--namespace and --all-namespaces are both given: leave one of them out")
			}
			c, err := o.connect()
			if err != nil {
				return err
			}
			ctx, cancel := o.within(command, shortTimeout)
			defer cancel()
			request := &tmsv1.ListRequest{Namespace: o.namespace, PageSize: 500}
			if all {
				request.Namespace = "-"
			}
			answer := new(tmsv1.ListResponse)
			for lease, err := range c.List(ctx, request) {
				if err != nil {
					return err
				}
				answer.Leases = append(answer.Leases, lease)
			}
			switch {
			case o.output != "":
				return o.encode(s.out, answer)
			case o.porcelain:
				return porcelainLease(s.out, answer.Leases...)
			}
			return listing(s.out, answer.Leases, all)
		},
	}
	command.Flags().BoolVarP(&all, "all-namespaces", "A", false, "the leases of all namespaces")
	return command
}
