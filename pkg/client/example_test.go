package client_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/internal/testing/faketms"
	"github.com/triton-leases/tms/pkg/client"
)

// This program acquires a lease, uses it, and releases it.
func Example() {
	server := faketms.New().Start() // instead of a tms-server
	defer server.Close()

	// In a cluster, use https://tms-server.<namespace>.svc with WithCAFile and
	// WithTokenFile.
	c, err := client.New(server.URL, client.WithToken("<token>"))
	if err != nil {
		log.Panic(err)
	}
	defer c.Close()

	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Minute)
	defer cancel()
	maximum := int64(4)
	lease, err := c.Acquire(ctx, &tmsv1.AcquireRequest{
		Namespace: "inference",
		Spec: &tmsv1.LeaseSpec{
			Models:      []*tmsv1.Model{{Name: "resnet50", Uri: "s3://models/vision"}},
			Autoscaling: &tmsv1.Autoscaling{MaxReplicas: &maximum},
			Duration:    durationpb.New(8 * time.Hour),
		},
	}, func(response *tmsv1.AcquireResponse) { fmt.Println(response.GetLease().GetState()) })
	if err != nil {
		log.Panic(err)
	}
	fmt.Printf("%s serves at %s:8001\n", lease.Id, lease.Address)

	for lease, err := range c.List(ctx, &tmsv1.ListRequest{Namespace: "-"}) {
		if err != nil {
			log.Panic(err)
		}
		fmt.Println("lease", lease.Namespace, lease.Id)
	}
	if _, err := c.Release(ctx, &tmsv1.ReleaseRequest{Namespace: lease.Namespace, Id: lease.Id}); err != nil {
		log.Panic(err)
	}
	// Output:
	// STATE_PENDING
	// STATE_STARTING
	// STATE_SERVING
	// lease-1 serves at tms-lease-1.inference.svc:8001
	// lease inference lease-1
}
