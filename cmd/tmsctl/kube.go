package main

import (
	"cmp"
	"context"
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

// pin returns an endpoint that does not change with the folder or the current context.
func (k kubeEndpoint) pin() (kubeEndpoint, error) {
	c, err := k.open()
	if err != nil {
		return k, err
	}
	k.Context = c.Context
	if k.Kubeconfig != "" {
		k.Kubeconfig, err = filepath.Abs(k.Kubeconfig)
	}
	return k, err
}
