package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"

	"connectrpc.com/connect"

	"github.com/triton-leases/tms/cmd/tmsctl/internal/cluster"
	"github.com/triton-leases/tms/pkg/client"
)

// The exit statuses. Scripts rely on them.
const (
	exitOK           = 0
	exitFailed       = 1 // all other errors
	exitUsage        = 2 // the command line is wrong
	exitRefused      = 3 // the server refuses the request
	exitNotFound     = 4 // the lease or the name does not exist
	exitUnreachable  = 5 // the server cannot be reached or is not trusted
	exitUnauthorized = 6 // the caller is not authenticated or lacks a right
)

// exitStatus returns the exit status for an error of a command.
func exitStatus(err error) int {
	var refused *cluster.Error
	if errors.As(err, &refused) && (refused.Status == http.StatusUnauthorized || refused.Status == http.StatusForbidden) {
		return exitUnauthorized
	}
	var failure *client.Error
	if !errors.As(err, &failure) {
		return exitFailed
	}
	switch failure.Code {
	case connect.CodeInvalidArgument, connect.CodeFailedPrecondition, connect.CodeAlreadyExists, connect.CodeResourceExhausted:
		return exitRefused
	case connect.CodeNotFound:
		return exitNotFound
	case connect.CodeUnauthenticated, connect.CodePermissionDenied:
		return exitUnauthorized
	}
	if failure.Unreachable() {
		return exitUnreachable
	}
	return exitFailed
}

// errorLines returns the lines for an error in the format of NVIDIA TMS: <message>
// (<field path> @ <method>), one line for each field violation.
func errorLines(err error) []string {
	var failure *client.Error
	if !errors.As(err, &failure) {
		return []string{escape(err.Error())}
	}
	if len(failure.Violations) == 0 {
		return []string{fmt.Sprintf("%s (@ %s)", escape(failure.Message), escape(failure.Method))}
	}
	lines := make([]string, len(failure.Violations))
	for i, violation := range failure.Violations {
		message := violation.Message
		if message == "" {
			message = failure.Message
		}
		lines[i] = fmt.Sprintf("%s (%s @ %s)", escape(message), escape(violation.Field), escape(failure.Method))
	}
	return lines
}

// hint returns what to do about an error that is common on first use, and "" for other
// errors.
func (o *options) hint(err error) string {
	var kubernetes *cluster.Error
	if errors.As(err, &kubernetes) {
		switch kubernetes.Status {
		case 0:
			return fmt.Sprintf("check the connection to the cluster: 'kubectl version --context %s'", escape(o.cluster.Context))
		case http.StatusForbidden:
			return "the rights that --context and lease logs need are in 'tmsctl --help' and 'tmsctl lease logs --help'"
		}
		return ""
	}
	var failure *client.Error
	if !errors.As(err, &failure) {
		return ""
	}
	var (
		authority x509.UnknownAuthorityError
		invalid   x509.CertificateInvalidError
		name      x509.HostnameError
		plain     tls.RecordHeaderError
		unknown   *net.DNSError
	)
	switch {
	case failure.Code == connect.CodeUnauthenticated && !o.hasToken && o.cluster != nil:
		return cluster.ErrNoToken.Error()
	case failure.Code == connect.CodeUnauthenticated && !o.hasToken:
		return "no token was sent: run 'kubectl create token <serviceaccount> > token', and use --token-file token"
	case errors.As(err, &authority):
		return "set --ca-file to the certificate authority of the server"
	case errors.As(err, &name) && len(name.Certificate.DNSNames) > 0:
		return "set --tls-server-name to a name of the certificate: " + escape(strings.Join(name.Certificate.DNSNames, ", "))
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "ask the administrator to renew the certificate of the server, and check the clock of this machine"
	case errors.As(err, &plain), errors.Is(err, http.ErrSchemeMismatch):
		return "the server does not use TLS: check the port, or use an http URL"
	case errors.As(err, &unknown) && unknown.IsNotFound:
		return "check the host of the URL; names that end with .svc exist only inside the cluster: from outside, use --context with a context of your kubeconfig"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "check the host and port of the URL, and that tms-server is ready: 'kubectl rollout status deployment <release>-server -n <namespace>'"
	}
	return ""
}
