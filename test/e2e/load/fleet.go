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

// namespaces is over how many namespaces the leases are spread.
const namespaces = 20

func namespace(i int) string { return fmt.Sprintf("team-%02d", i%namespaces) }

// parts are the kinds of objects that each lease consists of here.
var parts = []struct{ path, plural string }{
	{"/apis/apps/v1", "deployments"},
	{"/api/v1", "services"},
	{"/apis/autoscaling/v2", "horizontalpodautoscalers"},
	{"/apis/monitoring.coreos.com/v1", "podmonitors"},
	{"/apis/monitoring.coreos.com/v1", "prometheusrules"},
}

// create creates a lease. No two ask for the same.
func (a *place) create(ctx context.Context, name string, i int) error {
	lease := fmt.Sprintf(`{"apiVersion":"tms.triton-leases.dev/v1alpha1","kind":"TritonLease","metadata":{"name":%q},"spec":{
  "models":[{"name":"model-%d","uri":"s3://models/%[2]d"}],"duration":"%dh","triton":{"resources":{"requests":{"cpu":%d,"memory":"%dGi"}}},
  "autoscaling":{"enable":true,"replicas":{"maximum":%d}}}}`, name, i, 1+i%100, 1+i%7, 1+i%31, 1+i%9)
	return a.api.Post().Namespace(namespace(i)).Resource("tritonleases").Body([]byte(lease)).SetHeader("Content-Type", "application/json").Do(ctx).Error()
}

// createAll creates leases, many at once.
func (a *place) createAll(ctx context.Context, leases int) error {
	var all sync.WaitGroup
	var lock sync.Mutex
	var failed error
	numbers := make(chan int)
	for range 32 {
		all.Go(func() {
			for i := range numbers {
				if err := a.create(ctx, fmt.Sprintf("lease-%05d", i), i); err != nil {
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

// count counts the objects of a kind that the server made.
func (a *place) count(ctx context.Context, path, plural string) (int, error) {
	total, next := 0, ""
	for {
		var list metav1.PartialObjectMetadataList
		text, err := a.api.Get().AbsPath(path, plural).Param("labelSelector", "app.kubernetes.io/managed-by=tms-server").Param("limit", "500").Param("continue", next).
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

// complete says whether so many leases have all that they consist of.
func (a *place) complete(ctx context.Context, leases int) error {
	for _, part := range parts {
		n, err := a.count(ctx, part.path, part.plural)
		if err != nil {
			return err
		}
		if n != leases {
			return fmt.Errorf("there are %d %s of %d leases", n, part.plural, leases)
		}
	}
	return nil
}
