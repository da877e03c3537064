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

// A program acquires a Triton for its own time, and gives it back.
func Example() {
	server := faketms.New().Start() // in the place of tms-server
	defer server.Close()

	// In a cluster: https://tms-server.<namespace>.svc with WithCAFile, and the token
	// of the pod's service account.
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
	}, func(answer *tmsv1.AcquireResponse) { fmt.Println(answer.GetLease().GetState()) })
	if err != nil {
		log.Panic(err)
	}
	fmt.Printf("%s serves at %s:8001\n", lease.Id, lease.Address)

	for one, err := range c.List(ctx, &tmsv1.ListRequest{Namespace: "-"}) {
		if err != nil {
			log.Panic(err)
		}
		fmt.Println("there is", one.Namespace, one.Id)
	}
	if err := c.Release(ctx, &tmsv1.ReleaseRequest{Namespace: lease.Namespace, Id: lease.Id}); err != nil {
		log.Panic(err)
	}
	// Output:
	// STATE_PENDING
	// STATE_STARTING
	// STATE_SERVING
	// lease-1 serves at tms-lease-1.inference.svc:8001
	// there is inference lease-1
}
