package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
)

// completionTimeout limits the call of a completion, so that the shell does not hang.
const completionTimeout = 2 * time.Second

// completeLease completes the id of a lease. It completes nothing if the server does not
// respond.
func (o *options) completeLease(command *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	c, err := o.connect()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(command.Context(), completionTimeout)
	defer cancel()
	var ids []string
	for lease, err := range c.List(ctx, &tmsv1.ListRequest{Namespace: o.namespace, PageSize: 500}) {
		if err != nil {
			break
		}
		ids = append(ids, escape(lease.GetId()))
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}
