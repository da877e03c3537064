package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/cmd/tmsctl/internal/cluster"
	"github.com/triton-leases/tms/internal/cli"
)

// tritonContainer is the container of Triton in the pods of a lease.
const tritonContainer = "triton"

const logsHelp = `Print the logs of Triton, of all pods of a lease. If the lease has several pods, each line
begins with the name of its pod.

The logs come from the API server: use a target with a kubeconfig, or --context. You need
the rights to list pods and to get pods/log in the namespace of the lease.`

func newLogs(o *options, s streams) *cobra.Command {
	var options cluster.LogOptions
	command := &cobra.Command{
		Use: "logs <id>", Short: "Print the logs of Triton", Long: logsHelp, Args: exactArgs("<id>"),
		ValidArgsFunction: o.completeLease,
		RunE: func(command *cobra.Command, args []string) error {
			if o.output != "" || o.porcelain {
				return cli.Usagef("--output and --porcelain cannot be used with logs")
			}
			c, err := o.connect()
			if err != nil {
				return err
			}
			if o.cluster == nil {
				return cli.Usagef("the server has no logs: use --context with a context of your kubeconfig, or run 'kubectl logs -n %s -l %s=%s -c %s --tail=-1'",
					cmp.Or(o.namespace, "<namespace>"), v1alpha1.LeaseLabel, args[0], tritonContainer)
			}
			ctx := command.Context()
			if o.timeout > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, o.timeout)
				defer cancel()
			}
			lease, err := c.Status(ctx, &tmsv1.StatusRequest{Namespace: o.namespace, Id: args[0]})
			if err != nil {
				return err
			}
			selector := map[string]string{v1alpha1.LeaseLabel: lease.GetId()}
			err = o.cluster.Logs(ctx, lease.GetNamespace(), selector, tritonContainer, options, func(pod, text string) error {
				if pod != "" {
					text = "[" + pod + "] " + text
				}
				_, err := fmt.Fprintln(s.out, escape(text))
				return err
			})
			if errors.Is(err, cluster.ErrNoPod) {
				return fmt.Errorf("lease %q has no pod: Triton does not run yet, or the lease scales an existing workload", args[0])
			}
			return err
		},
	}
	command.Flags().BoolVarP(&options.Follow, "follow", "f", false, "wait for more lines")
	command.Flags().Int64Var(&options.Tail, "tail", -1, "last `lines` of each pod; -1 prints all")
	return command
}
