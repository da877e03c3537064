package main

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"path/filepath"

	"github.com/triton-leases/tms/cmd/tmsctl/internal/cluster"
	"github.com/triton-leases/tms/pkg/client"
)

// kubeEndpoint is how to reach a server through the API server of a cluster.
type kubeEndpoint struct {
	// Kubeconfig is a file. If it is empty, it is that of kubectl.
	Kubeconfig string `json:"kubeconfig,omitempty"`
	Context    string `json:"context,omitempty"`
	// Namespace and Service are those of the Service of tms-server.
	Namespace string `json:"namespace,omitempty"`
	Service   string `json:"service,omitempty"`
}

// endpoint returns the endpoint with the name that the certificate of the server must have.
func (k kubeEndpoint) endpoint() endpoint {
	k.Namespace, k.Service = cmp.Or(k.Namespace, "tms-system"), cmp.Or(k.Service, "tms-server")
	return endpoint{URL: "https://" + k.Service + "." + k.Namespace + ".svc", Kube: &k}
}

func (k kubeEndpoint) open() (*cluster.Cluster, error) { return cluster.Open(k.Kubeconfig, k.Context) }

// dialOption makes a client connect to a pod of the Service.
func (k kubeEndpoint) dialOption(c *cluster.Cluster) client.Option {
	return client.WithDialContext(func(ctx context.Context, _, _ string) (net.Conn, error) {
		return c.Dial(ctx, k.Namespace, k.Service)
	})
}

// pin returns an endpoint that does not change with the folder, the current context or
// $KUBECONFIG.
func (k kubeEndpoint) pin() (kubeEndpoint, error) {
	c, err := k.open()
	if err != nil {
		return k, err
	}
	if c.File == "" {
		return k, fmt.Errorf("kubeconfig: context %q is in several files: write it to one file with 'kubectl config view --flatten --minify --context %s > <file>', and set --kubeconfig", c.Context, c.Context)
	}
	k.Context = c.Context
	k.Kubeconfig, err = filepath.Abs(c.File)
	return k, err
}
