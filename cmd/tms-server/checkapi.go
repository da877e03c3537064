package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"connectrpc.com/grpchealth"
	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/wait"
)

const checkAPIHelp = `check-api asks the health service of the lease API, until it serves or the timeout is over.
It needs no token. It does not check who signed the certificate, but that it has not expired.

The pod of helm test runs it.`

// newCheckAPI returns the command that the pod of helm test runs.
func newCheckAPI() *cobra.Command {
	var timeout time.Duration
	command := &cobra.Command{
		Use: "check-api URL", Short: "Check that the lease API serves", Long: checkAPIHelp,
		Example: "  tms-server check-api https://tms-server.inference.svc:30345",
		Args:    cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			address, err := url.Parse(args[0])
			if err != nil || address.Host == "" || address.Scheme != "http" && address.Scheme != "https" {
				return fmt.Errorf("%q: must be the address of the API, such as https://tms-server.inference.svc:30345", args[0])
			}
			if err := waitForAPI(command.Context(), address, timeout); err != nil {
				return fmt.Errorf("the lease API at %s does not serve: %w: see kubectl describe deployment and kubectl logs of tms-server", address, err)
			}
			return nil
		},
	}
	command.Flags().DurationVar(&timeout, "timeout", 30*time.Second, "how long to wait until the API serves")
	return command
}

// waitForAPI asks the API until it serves. The error is that of the last attempt.
func waitForAPI(ctx context.Context, address *url.URL, timeout time.Duration) error {
	transport := &http.Transport{TLSClientConfig: &tls.Config{
		// Clients trust a certificate authority that this pod does not know. The request holds no secret.
		InsecureSkipVerify: true, VerifyConnection: checkExpiry,
	}}
	health := grpchealth.NewClient(&http.Client{Timeout: 5 * time.Second, Transport: transport}, address.String())
	var last error
	err := wait.PollUntilContextTimeout(ctx, time.Second, timeout, true, func(context.Context) (bool, error) {
		last = ask(ctx, health) // not until the timeout: the last attempt says what is wrong
		return last == nil, nil
	})
	return cmp.Or(last, err)
}

// ask returns an error if the API does not serve now.
func ask(ctx context.Context, health *grpchealth.Client) error {
	answer, err := health.Check(ctx, new(grpchealth.CheckRequest))
	if err != nil {
		return err
	}
	if answer.Status != grpchealth.StatusServing {
		return fmt.Errorf("its status is %s", answer.Status)
	}
	return nil
}

// checkExpiry refuses a certificate that has expired.
func checkExpiry(connection tls.ConnectionState) error {
	if end := connection.PeerCertificates[0].NotAfter; time.Now().After(end) {
		return fmt.Errorf("its certificate expired at %s: renew it", end.Format(time.RFC3339))
	}
	return nil
}
