package main

import (
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/triton-leases/tms/internal/cli"
)

// TestValidate checks combinations of the API flags.
func TestValidate(t *testing.T) {
	t.Parallel()
	const tls = "--tls-cert-file=c --tls-private-key-file=k"
	for line, want := range map[string]string{
		"":                                      "",
		"--acquire-timeout=0s --calls-burst=0":  "", // the API is disabled
		"--api-bind-address= --tls-cert-file=c": "",
		"--api-bind-address=:1":                 "--api-bind-address needs --tls-cert-file and --tls-private-key-file, or --insecure-no-tls",
		"--api-bind-address=:1 --insecure-no-authentication":                                "--api-bind-address needs --tls-cert-file and --tls-private-key-file, or --insecure-no-tls",
		"--api-bind-address=:1 --insecure-no-tls":                                           "",
		"--api-bind-address=:1 --insecure-no-tls --insecure-no-authentication":              "",
		"--api-bind-address=:1 " + tls:                                                      "",
		"--api-bind-address=:1 " + tls + " --insecure-no-tls":                               "--insecure-no-tls and --tls-cert-file cannot be used together",
		"--api-bind-address=:1 --tls-cert-file=c":                                           "--tls-cert-file and --tls-private-key-file must be used together",
		"--api-bind-address=:1 --tls-private-key-file=k":                                    "--tls-cert-file and --tls-private-key-file must be used together",
		"--api-bind-address=:1 " + tls + " --acquire-timeout=0s":                            "--acquire-timeout 0s: must be greater than 0",
		"--api-bind-address=:1 " + tls + " --acquire-timeout=-1s":                           "--acquire-timeout -1s: must be greater than 0",
		"--api-bind-address=:1 " + tls + " --calls-per-second=0":                            "--calls-per-second 0: must be greater than 0",
		"--api-bind-address=:1 " + tls + " --calls-per-second=NaN":                          "--calls-per-second NaN: must be greater than 0",
		"--api-bind-address=:1 " + tls + " --calls-burst=-1":                                "--calls-burst -1: must be greater than 0",
		"--api-bind-address=:1 " + tls + " --token-reviews-per-second=0":                    "--token-reviews-per-second 0: must be greater than 0",
		"--api-bind-address=:1 " + tls + " --calls-per-connection=0":                        "--calls-per-connection 0: must be greater than 0",
		"--api-bind-address=:1 " + tls + " --token-reviews-per-second-per-address=0":        "--token-reviews-per-second-per-address 0: must be greater than 0",
		"--api-bind-address=:1 " + tls + " --open-calls=0":                                  "--open-calls 0: must be greater than 0",
		"--api-bind-address=:1 " + tls + " --open-calls-per-user=0":                         "--open-calls-per-user 0: must be greater than 0",
		"--api-bind-address=:1 " + tls + " --max-connections=0":                             "--max-connections 0: must be greater than 0",
		"--api-bind-address=:1 " + tls + " --max-connections-per-address=-1":                "--max-connections-per-address -1: must be greater than 0",
		"--api-bind-address=:1 " + tls + " --token-audiences=":                              "--token-audiences: an audience must not be empty",
		"--api-bind-address=:1 " + tls + " --token-audiences=tms --token-audiences=tms,b":   "",
		"--api-bind-address=:1 --tls-cert-file=c --acquire-timeout=0s --calls-burst=0":      "--tls-cert-file and --tls-private-key-file must be used together\n--acquire-timeout 0s: must be greater than 0\n--calls-burst 0: must be greater than 0",
		"--api-bind-address=:1 " + tls + " --calls-per-second=0.5 --calls-per-connection=1": "",
	} {
		t.Run(line, func(t *testing.T) {
			var o apiOptions
			flags := pflag.NewFlagSet("", pflag.ContinueOnError)
			o.addFlags(flags)
			require.NoError(t, flags.Parse(strings.Fields(line)))
			if want == "" {
				require.NoError(t, o.validate())
			} else {
				require.EqualError(t, o.validate(), want)
			}
		})
	}
}

func TestAllowlistName(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]client.ObjectKey{
		"": {}, "tms/allowed": {Namespace: "tms", Name: "allowed"},
	} {
		var name allowlistName
		require.NoError(t, name.Set(text))
		require.Equal(t, want, name.key())
		require.Equal(t, text, name.String())
	}
	for _, text := range []string{"/", "tms/", "/allowed", "allowed", "tms/a/b", "tms/a/"} {
		name := allowlistName("as/before")
		require.EqualError(t, name.Set(text), "must be NAMESPACE/NAME", text)
		require.Equal(t, "as/before", name.String())
	}
}

// TestUsageErrors checks which errors exit with status 2.
func TestUsageErrors(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"--config c --calls-burst many", "--confg c", "versionn", "version now", "--config="} {
		root := newRoot()
		root.SetArgs(strings.Fields(line))
		require.ErrorAs(t, root.Execute(), new(cli.UsageError), line)
	}
}
