package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/triton-leases/tms/charts"
	"github.com/triton-leases/tms/internal/cli"
)

func newChart(s streams) *cobra.Command {
	var destination string
	command := &cobra.Command{
		Use:   "chart",
		Short: "Write the embedded chart to a directory, to install it without a chart repository",
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			folder := filepath.Join(destination, "tms")
			if err := writeChart(charts.TMS(), folder); err != nil {
				return fmt.Errorf("--destination: %w", err)
			}
			_, err := fmt.Fprintf(s.out, "wrote %s\n", folder)
			return err
		},
	}
	command.Flags().StringVarP(&destination, "destination", "d", ".", "`directory` in which to create the directory tms")
	_ = command.MarkFlagDirname("destination")
	return command
}

// writeChart writes the chart to a temporary directory beside folder and renames it,
// so that folder is complete or absent. It does not change a folder that exists.
func writeChart(chart fs.FS, folder string) error {
	if _, err := os.Lstat(folder); err == nil {
		return fmt.Errorf("%s already exists: remove it first", folder)
	}
	if err := os.MkdirAll(filepath.Dir(folder), 0o755); err != nil {
		return err
	}
	temporary, err := os.MkdirTemp(filepath.Dir(folder), ".tms-*")
	if err != nil {
		return err
	}
	err = os.Chmod(temporary, 0o755)
	if err == nil {
		err = os.CopyFS(temporary, chart)
	}
	if err == nil {
		err = os.Rename(temporary, folder)
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(temporary))
	}
	return nil
}

func newSchema(s streams) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON schema of the values",
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			text, err := fs.ReadFile(charts.TMS(), "values.schema.json")
			if err != nil {
				return err
			}
			_, err = s.out.Write(text)
			return err
		},
	}
}

func newVersion(s streams) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of tms-render and of the embedded chart",
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(s.out, "tms-render "+cli.Version())
			return err
		},
	}
}
