package reference_test

import (
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/reflect/protoreflect"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/internal/reference"
)

// TestAPI checks that api.md has each method, field and value. make verify also compares the
// comments, for which it needs buf.
func TestAPI(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/reference/api.md")
	require.NoError(t, err)
	sections := map[string]string{}
	for section := range strings.SplitSeq(string(text), "\n### ") {
		title, body, _ := strings.Cut(section, "\n")
		sections[title] = body
	}
	for _, file := range []protoreflect.FileDescriptor{tmsv1.File_tms_v1_lease_proto, tmsv1.File_tms_v1_lease_name_proto, tmsv1.File_tms_v1_allowlist_proto} {
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			for j := range service.Methods().Len() {
				method := service.Methods().Get(j)
				require.Contains(t, sections[string(service.Name()+"."+method.Name())], "`POST /"+string(service.FullName()+"/"+protoreflect.FullName(method.Name()))+"`")
			}
		}
		for i := range file.Messages().Len() {
			message := file.Messages().Get(i)
			for j := range message.Fields().Len() {
				require.Contains(t, sections[string(message.Name())], "| `"+string(message.Fields().Get(j).Name())+"` |")
			}
		}
		for i := range file.Enums().Len() {
			enum := file.Enums().Get(i)
			for j := range enum.Values().Len() {
				require.Contains(t, sections[string(enum.Name())], "| `"+string(enum.Values().Get(j).Name())+"` |")
			}
		}
	}
}

// TestCommand checks the page of a small command line.
func TestCommand(t *testing.T) {
	t.Parallel()
	run := func(*cobra.Command, []string) {}
	root := &cobra.Command{Use: "x", Short: "Do <it>", Long: "Long.", Run: run, CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true}}
	root.PersistentFlags().StringP("name", "n", "a|b", "the `name` of *it*")
	sub := &cobra.Command{Use: "sub <id>", Aliases: []string{"s"}, Short: "Do more", Example: "  x sub", Run: run}
	sub.Flags().Duration("wait", 0, "time (default 30s)")
	sub.Flags().Int("tail", 0, "lines")
	sub.Flags().Bool("hidden", false, "")
	require.NoError(t, sub.Flags().MarkHidden("hidden"))
	root.AddCommand(sub, &cobra.Command{Use: "secret", Hidden: true, Run: run})
	require.Equal(t, `<!-- Generated from cmd/x. Do not edit. -->

# x

Do \<it>.

`+"```\nx [flags]\n```\n\n```text\nLong.\n```"+`

Flags of all commands:

| flag | default | meaning |
|---|---|---|
| `+"`-n, --name name` | `a\\|b`"+` | the name of \*it\* |

## x sub

Do more.

Aliases: `+"`s`.\n\n```\nx sub <id> [flags]\n```\n\nExamples:\n\n```console\n  x sub\n```"+`

Flags:

| flag | default | meaning |
|---|---|---|
| `+"`--tail int` | `0` | lines |\n| `--wait duration` |  | time (default 30s) |\n", reference.Command(root, "cmd/x"))
}

// TestPlain checks that text of code does not become Markdown.
func TestPlain(t *testing.T) {
	t.Parallel()
	require.Equal(t, `a\|b \<c> \*`, reference.Plain(" a|b\n<c> * "))
	require.Equal(t, "``a`b``", reference.Code("a`b"))
	require.Empty(t, reference.Code(""))
}
