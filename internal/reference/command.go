package reference

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Command returns the page of a command line: the root command and all subcommands, each
// with its flags.
func Command(root *cobra.Command, source string) string {
	root.InitDefaultCompletionCmd(root.Name()) // as Execute does
	p := New(root.Name(), source)
	p.command(root)
	return p.String()
}

func (p *Page) command(c *cobra.Command) {
	c.InitDefaultHelpFlag()
	if c.HasParent() {
		p.Heading(2, c.CommandPath())
	}
	p.Text(Plain(c.Short) + ".")
	if len(c.Aliases) > 0 {
		p.Text("Aliases: " + Codes(c.Aliases) + ".")
	}
	if c.Runnable() && !c.HasSubCommands() || !c.HasParent() {
		p.Block("", c.UseLine())
	}
	if c.Long != "" {
		p.Block("text", c.Long)
	}
	if c.HasExample() {
		p.Text("Examples:")
		p.Block("console", c.Example)
	}
	p.flags("Flags", c.LocalNonPersistentFlags())
	p.flags("Flags of all commands", c.PersistentFlags())
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			p.command(sub)
		}
	}
}

// flags adds a table of flags, without help, which all commands have, and version, which all
// root commands have.
func (p *Page) flags(title string, flags *pflag.FlagSet) {
	var rows [][]string
	flags.VisitAll(func(flag *pflag.Flag) {
		if flag.Hidden || flag.Name == "help" || flag.Name == "version" {
			return
		}
		value, usage := pflag.UnquoteUsage(flag)
		name := "--" + flag.Name
		if flag.Shorthand != "" {
			name = "-" + flag.Shorthand + ", " + name
		}
		rows = append(rows, []string{Code(strings.TrimSpace(name + " " + value)), Code(defaultOf(flag)), Plain(usage)})
	})
	if len(rows) > 0 {
		p.Text(title + ":")
		p.Table([]string{"flag", "default", "meaning"}, rows)
	}
}

// defaultOf returns the default of a flag, and "" for none. If the default is not constant, the
// usage of the flag describes it.
func defaultOf(flag *pflag.Flag) string {
	switch flag.DefValue {
	case "", "[]", "false":
		return ""
	case "0", "0s":
		if strings.Contains(flag.Usage, "(default ") {
			return ""
		}
	}
	return flag.DefValue
}
