package main

import (
	"fmt"

	"github.com/spf13/cobra"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
)

func newAllowlist(o *options, s streams) *cobra.Command {
	command := &cobra.Command{Use: "allowlist", Short: "Say which images of Triton leases may have"}
	command.AddCommand(newAllowlistAdd(o, s), newAllowlistList(o, s), newAllowlistRm(o, s))
	return command
}

func newAllowlistAdd(o *options, s streams) *cobra.Command {
	return &cobra.Command{
		Use: "add <image>...", Short: "Let leases have images", Args: exactly("<image>..."),
		Long: "Let leases have images, with a tag or a digest. Those that they may have already are no\nfailure.\n\n-z prints those that they could not have before.",
		RunE: func(command *cobra.Command, args []string) error {
			c, err := o.connect()
			if err != nil {
				return err
			}
			ctx, cancel := o.within(command, shortTimeout)
			defer cancel()
			added, err := c.AppendToAllowlist(ctx, args...)
			if err != nil {
				return err
			}
			if o.output != "" {
				return o.encode(s.out, &tmsv1.AppendResponse{Added: added})
			}
			return o.images(s, added, "%s is added\n")
		},
	}
}

func newAllowlistRm(o *options, s streams) *cobra.Command {
	return &cobra.Command{
		Use: "rm <image>...", Short: "No longer let leases have images", Args: exactly("<image>..."),
		Long: "No longer let leases have images. Leases that have one go on with it. Images that they\ncould not have are no failure.\n\n-z prints those that they could have before.",
		RunE: func(command *cobra.Command, args []string) error {
			c, err := o.connect()
			if err != nil {
				return err
			}
			ctx, cancel := o.within(command, shortTimeout)
			defer cancel()
			removed, err := c.RemoveFromAllowlist(ctx, args...)
			if err != nil {
				return err
			}
			if o.output != "" {
				return o.encode(s.out, &tmsv1.RemoveResponse{Removed: removed})
			}
			return o.images(s, removed, "%s is removed\n")
		},
	}
}

// images prints the images that something happened to.
func (o *options) images(s streams, images []string, sentence string) error {
	if o.porcelain {
		sentence = "%s\n"
	}
	if len(images) == 0 && !o.porcelain {
		_, err := fmt.Fprintln(s.out, "Nothing is changed")
		return err
	}
	for _, image := range images {
		if _, err := fmt.Fprintf(s.out, sentence, printable(image)); err != nil {
			return err
		}
	}
	return nil
}

func newAllowlistList(o *options, s streams) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the images that leases may have, the default first", Args: exactly(),
		Long: "List the images that leases may have, the default first.\n\nColumns of -z: image, and whether it is in the administrator's values, from which it\ncannot be removed here.",
		RunE: func(command *cobra.Command, _ []string) error {
			c, err := o.connect()
			if err != nil {
				return err
			}
			ctx, cancel := o.within(command, shortTimeout)
			defer cancel()
			images, err := c.Allowlist(ctx)
			if err != nil {
				return err
			}
			if o.output != "" {
				return o.encode(s.out, &tmsv1.AllowlistServiceListResponse{Images: images})
			}
			t := newTable(s.out, o.porcelain, "IMAGE", "IN VALUES")
			for _, image := range images {
				t.row(image.GetImage(), fmt.Sprint(image.GetInValues()))
			}
			return t.flush()
		},
	}
}
