package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
)

func newQuota(o *options, s streams) *cobra.Command {
	var all bool
	command := &cobra.Command{
		Use: "quota", Short: "Show the GPU budgets of namespaces", Args: exactArgs(),
		Long: `Show the GPU budget of the namespace, and what its leases use of it: the highest number of
replicas of each lease times the GPUs of one replica. Leases are served in the order of
their creation.

Columns of -z: namespace, budget, used, left, leases with their GPUs (comma-separated, the
oldest first).`,
		RunE: func(command *cobra.Command, _ []string) error {
			c, namespace, err := o.connectToList(all)
			if err != nil {
				return err
			}
			ctx, cancel := o.withTimeout(command, shortTimeout)
			defer cancel()
			response, err := c.Quota(ctx, &tmsv1.QuotaRequest{Namespace: namespace})
			if err != nil {
				return err
			}
			if o.output != "" {
				return o.printMessage(s.out, response)
			}
			if len(response.GetNamespaces()) == 0 && !o.porcelain {
				_, err := fmt.Fprintln(s.err, "No GPU budget: the GPUs of leases are not limited together")
				return err
			}
			return printQuota(s.out, response, o.porcelain)
		},
	}
	command.Flags().BoolVarP(&all, "all-namespaces", "A", false, "show the budgets of all namespaces")
	return command
}

// printQuota prints one row for each namespace. A lease is printed as <id>=<GPUs>.
func printQuota(w io.Writer, response *tmsv1.QuotaResponse, porcelain bool) error {
	t := newTable(w, porcelain, "NAMESPACE", "GPUS", "USED", "LEFT", "LEASES")
	for _, quota := range response.GetNamespaces() {
		var leases []string
		for _, charge := range quota.GetCharges() {
			leases = append(leases, fmt.Sprintf("%s=%d", charge.GetId(), charge.GetCharged()))
		}
		t.row(quota.GetNamespace(), fmt.Sprint(quota.GetGpus()), fmt.Sprint(quota.GetUsed()), fmt.Sprint(quota.GetLeft()), strings.Join(leases, ","))
	}
	return t.flush()
}
