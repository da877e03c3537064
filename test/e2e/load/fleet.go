package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
)

var (
	leaseVersion = schema.GroupVersion{Group: "tms.triton-leases.dev", Version: "v1alpha1"}
	codecs       = scheme.Codecs.WithoutConversion()
)

// namespaces is the number of namespaces of the leases.
const namespaces = 20

func namespace(i int) string { return fmt.Sprintf("team-%02d", i%namespaces) }

// objectKinds are the kinds of objects of each lease.
var objectKinds = []struct{ path, plural string }{
	{"/apis/apps/v1", "deployments"},
	{"/api/v1", "services"},
	{"/apis/autoscaling/v2", "horizontalpodautoscalers"},
	{"/apis/monitoring.coreos.com/v1", "podmonitors"},
	{"/apis/monitoring.coreos.com/v1", "prometheusrules"},
}

// create creates a lease. Each lease has different values.
func (e *environment) create(ctx context.Context, name string, i int) error {
	lease := fmt.Sprintf(`{"apiVersion":"tms.triton-leases.dev/v1alpha1","kind":"TritonLease","metadata":{"name":%q},"spec":{
  "models":[{"name":"model-%d","uri":"s3://models/%[2]d"}],"duration":"%dh","triton":{"resources":{"requests":{"cpu":%d,"memory":"%dGi"}}},
  "autoscaling":{"enable":true,"replicas":{"maximum":%d}}}}`, name, i, 1+i%100, 1+i%7, 1+i%31, 1+i%9)
	return e.api.Post().Namespace(namespace(i)).Resource("tritonleases").Body([]byte(lease)).SetHeader("Content-Type", "application/json").Do(ctx).Error()
}

// createAll creates leases concurrently.
func (e *environment) createAll(ctx context.Context, leases int) error {
	var all sync.WaitGroup
	var lock sync.Mutex
	var failed error
	numbers := make(chan int)
	for range 32 {
		all.Go(func() {
			for i := range numbers {
				if err := e.create(ctx, fmt.Sprintf("lease-%05d", i), i); err != nil {
					lock.Lock()
					failed = errors.Join(failed, err)
					lock.Unlock()
				}
			}
		})
	}
	for i := range leases {
		numbers <- i
	}
	close(numbers)
	all.Wait()
	return failed
}

// count returns the number of objects of a kind that the server manages.
func (e *environment) count(ctx context.Context, path, plural string) (int, error) {
	total, next := 0, ""
	for {
		var list metav1.PartialObjectMetadataList
		text, err := e.api.Get().AbsPath(path, plural).Param("labelSelector", "app.kubernetes.io/managed-by=tms-server").Param("limit", "500").Param("continue", next).
			SetHeader("Accept", "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1").DoRaw(ctx)
		if err != nil {
			return 0, err
		}
		if err := json.Unmarshal(text, &list); err != nil {
			return 0, err
		}
		total += len(list.Items)
		if next = list.Continue; next == "" {
			return total, nil
		}
	}
}

// checkObjects returns an error if a number of leases does not have all objects.
func (e *environment) checkObjects(ctx context.Context, leases int) error {
	for _, kind := range objectKinds {
		n, err := e.count(ctx, kind.path, kind.plural)
		if err != nil {
			return err
		}
		if n != leases {
			return fmt.Errorf("there are %d %s for %d leases", n, kind.plural, leases)
		}
	}
	return nil
}
