package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/api/tms/v1/tmsv1connect"
	"github.com/triton-leases/tms/internal/cli"
)

const nameHelp = `Manage names of leases. A name is an address that outlives leases: clients use
<name>.<namespace>.svc, and you switch it from one lease to another one without an
interruption. If the lease of a name is released, the name stays and has no endpoints.`

const nameExamples = `  # Clients use vision.<namespace>.svc
  tmsctl lease name create vision --lease blue

  # Switch them to another lease, and release the first one
  tmsctl lease name create vision --lease green --replace
  tmsctl lease release blue`

func newName(o *options, s streams) *cobra.Command {
	command := &cobra.Command{Use: "name", Short: "Manage names that outlive leases", Long: nameHelp, Example: nameExamples}
	command.AddCommand(newNameCreate(o, s), newNameDelete(o, s), newNameList(o, s))
	return command
}

func newNameCreate(o *options, s streams) *cobra.Command {
	request := new(tmsv1.LeaseNameServiceCreateRequest)
	command := &cobra.Command{
		Use: "create <name> --lease <id>", Short: "Create a name of a lease, or switch it to another lease", Args: exactArgs("<name>"),
		Long:    "Create a name of a lease that serves. If the name exists, --replace switches it to the\nlease at once: new connections reach the new lease, open connections stay with the old\none. If the name already points to the lease, nothing changes.\n\n-z prints the address.",
		Example: nameExamples, ValidArgsFunction: o.completeName,
		RunE: func(command *cobra.Command, args []string) error {
			if request.GetLeaseId() == "" {
				return cli.Usagef("--lease <id> is required: the lease that the name points to")
			}
			c, err := o.connect()
			if err != nil {
				return err
			}
			request.Namespace, request.Name = o.namespace, args[0]
			ctx, cancel := o.withTimeout(command, shortTimeout)
			defer cancel()
			created, err := c.CreateName(ctx, request)
			if err != nil {
				return err
			}
			name := created.GetName()
			switch {
			case o.output != "":
				return o.printMessage(s.out, created)
			case o.porcelain:
				_, err = fmt.Fprintln(s.out, escape(name.GetAddress()))
			case created.GetReplacedLeaseId() != "":
				_, err = fmt.Fprintf(s.out, "Name %s points to lease %s, and no longer to lease %s\n", escape(name.GetName()), escape(name.GetLeaseId()), escape(created.GetReplacedLeaseId()))
			default:
				_, err = fmt.Fprintf(s.out, "Name %s points to lease %s\n", escape(name.GetName()), escape(name.GetLeaseId()))
			}
			return err
		},
	}
	flags := command.Flags()
	flags.StringVar(&request.LeaseId, "lease", "", "`id` of the lease that the name points to")
	flags.BoolVar(&request.Replace, "replace", false, "switch the name if it points to another lease")
	flags.BoolVar(&request.AllowNotServing, "allow-not-serving", false, "accept a lease that does not serve; clients of the name then fail until it serves")
	_ = command.RegisterFlagCompletionFunc("lease", func(command *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
		return o.completeLease(command, nil, prefix)
	})
	return command
}

func newNameDelete(o *options, s streams) *cobra.Command {
	var ignoreNotFound bool
	command := &cobra.Command{
		Use: "delete <name>", Aliases: []string{"remove", "rm"}, Short: "Delete a name, and not its lease", Args: exactArgs("<name>"),
		Long:              "Delete a name, and not its lease. The exit status is 4 if the name does not exist.\n\n-z prints the name.",
		ValidArgsFunction: o.completeName,
		RunE: func(command *cobra.Command, args []string) error {
			c, err := o.connect()
			if err != nil {
				return err
			}
			ctx, cancel := o.withTimeout(command, shortTimeout)
			defer cancel()
			deleted, err := c.DeleteName(ctx, &tmsv1.LeaseNameServiceDeleteRequest{Namespace: o.namespace, Name: args[0]})
			if err != nil {
				return err
			}
			if !deleted.GetFound() && !ignoreNotFound {
				return o.notFound(strings.TrimPrefix(tmsv1connect.LeaseNameServiceDeleteProcedure, "/"), "name", args[0])
			}
			switch {
			case o.output != "":
				return o.printMessage(s.out, deleted)
			case o.porcelain:
				_, err = fmt.Fprintln(s.out, escape(args[0]))
			case deleted.GetFound():
				_, err = fmt.Fprintf(s.out, "Name %s is deleted\n", escape(args[0]))
			default:
				_, err = fmt.Fprintf(s.out, "Name %s does not exist\n", escape(args[0]))
			}
			return err
		},
	}
	command.Flags().BoolVar(&ignoreNotFound, "ignore-not-found", false, "exit with status 0 if the name does not exist")
	return command
}

func newNameList(o *options, s streams) *cobra.Command {
	var all bool
	command := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List names", Args: exactArgs(),
		Long: "List names with the state of their leases. The state is 'not found' if the lease does not\nexist: the name then has no endpoints.\n\nColumns of -z: name, namespace, lease, state of the lease (not-found if it does not\nexist), address, creation time.",
		RunE: func(command *cobra.Command, _ []string) error {
			c, namespace, err := o.connectToList(all)
			if err != nil {
				return err
			}
			ctx, cancel := o.withTimeout(command, shortTimeout)
			defer cancel()
			response := new(tmsv1.LeaseNameServiceListResponse)
			for name, err := range c.Names(ctx, &tmsv1.LeaseNameServiceListRequest{Namespace: namespace, PageSize: 500}) {
				if err != nil {
					return err
				}
				response.Names = append(response.Names, name)
			}
			if o.output != "" {
				return o.printMessage(s.out, response)
			}
			return printNames(s, response.GetNames(), o.porcelain, all)
		},
	}
	command.Flags().BoolVarP(&all, "all-namespaces", "A", false, "list the names in all namespaces")
	return command
}

func printNames(s streams, names []*tmsv1.LeaseName, porcelain, namespaces bool) error {
	header := []string{"NAME", "LEASE", "STATE", "ADDRESS"}
	if namespaces {
		header = append([]string{"NAMESPACE"}, header...)
	}
	t := newTable(s.out, porcelain, header...)
	for _, name := range names {
		state := stateName(name.GetLeaseState())
		if name.GetLeaseState() == tmsv1.State_STATE_UNSPECIFIED {
			state = "not found"
		}
		switch cells := []string{name.GetName(), name.GetLeaseId(), state, name.GetAddress()}; {
		case porcelain:
			t.row(name.GetName(), name.GetNamespace(), name.GetLeaseId(), strings.ReplaceAll(state, " ", "-"), name.GetAddress(), formatTime(name.GetCreatedAt()))
		case namespaces:
			t.row(append([]string{name.GetNamespace()}, cells...)...)
		default:
			t.row(cells...)
		}
	}
	return t.flush()
}
