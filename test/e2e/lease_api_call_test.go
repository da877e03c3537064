//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/triton-leases/tms/test/e2e/call"
)

// caller calls the API with a token.
type caller struct {
	*api
	name, token, tokenFile string
	http                   *http.Client
}

// caller returns a caller with a token.
func (a *api) caller(name, token string) *caller {
	a.Helper()
	c := &caller{api: a, name: name, token: token, http: a.httpClient("")}
	c.tokenFile = filepath.Join(a.TempDir(), "token")
	a.must(os.WriteFile(c.tokenFile, []byte(token), 0o600))
	return c
}

// httpClient returns a client of the API. It connects to the Service, or to the pod with
// the given address.
func (a *api) httpClient(address string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: a.pool, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, network, name string) (net.Conn, error) {
			if address == "" {
				found := h.Network.Resolve(a.host)
				if len(found) == 0 {
					return nil, fmt.Errorf("%s has no address", name)
				}
				return new(net.Dialer).DialContext(ctx, network, found[0]+":30345")
			}
			return new(net.Dialer).DialContext(ctx, network, address+":30345")
		},
	}}
}

// at returns the same caller with a client that connects to one pod.
func (c *caller) at(address string) *caller {
	other := *c
	other.http = c.httpClient(address)
	return &other
}

// deadlineTransport sends the server an earlier deadline than that of the client, so that
// the client receives the server's answer at the deadline.
type deadlineTransport struct {
	http.RoundTripper
	after time.Duration
}

// RoundTrip implements http.RoundTripper.
func (d deadlineTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	request = request.Clone(request.Context())
	request.Header.Set("Connect-Timeout-Ms", strconv.FormatInt(d.after.Milliseconds(), 10))
	return d.RoundTripper.RoundTrip(request)
}

// apiLease is a lease in answers of the API.
type apiLease struct {
	Namespace, ID, State, Message, Address string
	Models                                 []struct {
		Model struct{ Name, URI string }
		State string
	}
	Replicas struct{ Current, Ready, Wanted int }
	Granted  *struct {
		Autoscaled               bool
		MinReplicas, MaxReplicas string
		Adjustments              []struct{ Field, Message string }
	}
	ExpiresAt *time.Time
}

// codeOf returns the code of an error, and the error itself.
func codeOf(err error) (string, error) { return call.Code(err), err }

func (c *caller) plain() call.Caller { return call.Caller{HTTP: c.http, URL: c.url, Token: c.token} }

// call calls a method. A method without a slash is one of LeaseService.
func (c *caller) call(ctx context.Context, method string, request, response any) error {
	if method == "Acquire" {
		_, err := c.acquire(ctx, request, nil)
		return err
	}
	return c.plain().Unary(ctx, method, request, response)
}

// acquire acquires a lease. It calls onUpdate with each answer if onUpdate is not nil.
func (c *caller) acquire(ctx context.Context, request any, onUpdate func(apiLease)) (last apiLease, err error) {
	err = c.plain().Acquire(ctx, request, func(text json.RawMessage) error {
		last = apiLease{}
		if err := json.Unmarshal(text, &last); err != nil {
			return err
		}
		if onUpdate != nil {
			onUpdate(last)
		}
		return nil
	})
	return last, err
}

// fields is a JSON object.
type fields = map[string]any

// acquireRequest returns a request for a lease with the default models, and with more
// fields.
func (a *api) acquireRequest(more fields) fields {
	request := fields{"namespace": a.namespace, "spec": fields{"models": []fields{{"name": "resnet50", "uri": "s3://models/vision"}}}}
	for key, value := range more {
		request[key] = value
	}
	return request
}

// id returns a request that names a lease of the namespace.
func (a *api) id(id string) fields { return fields{"namespace": a.namespace, "id": id} }

// status returns the answer of Status, which must succeed.
func (c *caller) status(id string) apiLease {
	c.Helper()
	var response struct{ Lease apiLease }
	c.must(c.call(c.Context(), "Status", c.id(id), &response))
	return response.Lease
}

// run runs a command and returns its output. It passes the server and the token to tmsctl.
func (c *caller) run(ctx context.Context, command string, args ...string) (string, error) {
	path := filepath.Join(h.Tools, command)
	switch command {
	case "tmsctl":
		path = h.Tmsctl
		args = append(args, "--target", c.url, "--ca-file", c.file, "--token-file", c.tokenFile)
	case "curl":
		path = "/usr/bin/curl"
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = []string{"HOME=" + c.TempDir(), "PATH=/usr/bin:/bin", "BUF_CACHE_DIR=" + c.TempDir()}
	var out, failed bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &failed
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s: %w: %s", command, err, strings.TrimSpace(failed.String()))
	}
	return out.String(), nil
}

// tmsctl runs tmsctl in the namespace. The command must succeed.
func (c *caller) tmsctl(args ...string) string {
	c.Helper()
	out, err := c.run(c.Context(), "tmsctl", append(args, "--namespace", c.namespace)...)
	c.must(err)
	c.step("%s: tmsctl %s: %s", c.name, strings.Join(args, " "), strings.Join(strings.Fields(out), " "))
	return out
}
