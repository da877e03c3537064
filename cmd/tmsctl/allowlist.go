package main

import (
	"fmt"

	"github.com/spf13/cobra"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
)

func newAllowlist(o *options, s streams) *cobra.Command {
	command := &cobra.Command{Use: "allowlist", Short: "Manage the Triton images that leases may use"}
	command.AddCommand(newAllowlistAdd(o, s), newAllowlistList(o, s), newAllowlistRemove(o, s))
	return command
}

func newAllowlistAdd(o *options, s streams) *cobra.Command {
	return &cobra.Command{
		Use: "add <image>...", Short: "Add images", Args: exactArgs("<image>..."),
		Long: "Add images, each with a tag or a digest. An image that is already in the list is not\nan error.\n\n-z prints the images that were not in the list before.",
		RunE: func(command *cobra.Command, args []string) error {
			c, err := o.connect()
			if err != nil {
				return err
			}
			ctx, cancel := o.withTimeout(command, shortTimeout)
			defer cancel()
			added, err := c.AppendToAllowlist(ctx, args...)
			if err != nil {
				return err
			}
			if o.output != "" {
				return o.printMessage(s.out, &tmsv1.AppendResponse{Added: added})
			}
			return o.printImages(s, added, "%s is added\n")
		},
	}
}

func newAllowlistRemove(o *options, s streams) *cobra.Command {
	return &cobra.Command{
		Use: "remove <image>...", Aliases: []string{"rm"}, Short: "Remove images", Args: exactArgs("<image>..."),
		Long: "Remove images. Leases that use a removed image keep running. An image that is not in\nthe list is not an error.\n\n-z prints the images that were in the list before.",
		RunE: func(command *cobra.Command, args []string) error {
			c, err := o.connect()
			if err != nil {
				return err
			}
			ctx, cancel := o.withTimeout(command, shortTimeout)
			defer cancel()
			removed, err := c.RemoveFromAllowlist(ctx, args...)
			if err != nil {
				return err
			}
			if o.output != "" {
				return o.printMessage(s.out, &tmsv1.RemoveResponse{Removed: removed})
			}
			return o.printImages(s, removed, "%s is removed\n")
		},
	}
}

// printImages prints the images that changed, each with format.
func (o *options) printImages(s streams, images []string, format string) error {
	if o.porcelain {
		format = "%s\n"
	}
	if len(images) == 0 && !o.porcelain {
		_, err := fmt.Fprintln(s.out, "No change")
		return err
	}
	for _, image := range images {
		if _, err := fmt.Fprintf(s.out, format, escape(image)); err != nil {
			return err
		}
	}
	return nil
}

func newAllowlistList(o *options, s streams) *cobra.Command {
	return &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List the images that leases may use, the default first", Args: exactArgs(),
		Long: "List the images that leases may use, the default first. Images of the administrator's\nvalues cannot be removed with tmsctl.\n\nColumns of -z: image, in the administrator's values (true or false).",
		RunE: func(command *cobra.Command, _ []string) error {
			c, err := o.connect()
			if err != nil {
				return err
			}
			ctx, cancel := o.withTimeout(command, shortTimeout)
			defer cancel()
			images, err := c.Allowlist(ctx)
			if err != nil {
				return err
			}
			if o.output != "" {
				return o.printMessage(s.out, &tmsv1.AllowlistServiceListResponse{Images: images})
			}
			t := newTable(s.out, o.porcelain, "IMAGE", "IN VALUES")
			for _, image := range images {
				t.row(image.GetImage(), fmt.Sprint(image.GetInValues()))
			}
			return t.flush()
		},
	}
}
