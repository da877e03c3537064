package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/pkg/client"
)

// completionTimeout limits the call of a completion, so that the shell does not hang.
const completionTimeout = 2 * time.Second

// completeLease completes the id of a lease. It completes nothing if the server does not
// respond.
func (o *options) completeLease(command *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return o.complete(command, func(ctx context.Context, c *client.Client) (ids []string) {
		for lease, err := range c.List(ctx, &tmsv1.ListRequest{Namespace: o.namespace, PageSize: 500}) {
			if err != nil {
				break
			}
			ids = append(ids, escape(lease.GetId()))
		}
		return ids
	})
}

// completeName completes a name of a lease, as completeLease does an id.
func (o *options) completeName(command *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return o.complete(command, func(ctx context.Context, c *client.Client) (names []string) {
		for name, err := range c.Names(ctx, &tmsv1.LeaseNameServiceListRequest{Namespace: o.namespace, PageSize: 500}) {
			if err != nil {
				break
			}
			names = append(names, escape(name.GetName()))
		}
		return names
	})
}

// complete returns what list returns, and nothing if the server cannot be called.
func (o *options) complete(command *cobra.Command, list func(context.Context, *client.Client) []string) ([]string, cobra.ShellCompDirective) {
	c, err := o.connect()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(command.Context(), completionTimeout)
	defer cancel()
	return list(ctx, c), cobra.ShellCompDirectiveNoFileComp
}
