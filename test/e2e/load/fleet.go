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

// floodNamespace is the namespace of the tenant that creates many leases at once.
const floodNamespace = "flood"

// aloneNamespace is the namespace of the objects that the program writes without tms-server.
const aloneNamespace = "alone"

// batchLabel is the label that names the batch of a lease.
const batchLabel = "load-batch"

// leaseName returns the name of a lease of a batch. It is no part of another one's name.
func leaseName(batch string, i int) string { return fmt.Sprintf("%s-%05d", batch, i) }

// create creates a lease. Each lease has different values.
func (e *environment) create(ctx context.Context, namespace, batch string, i int) error {
	e.lock.Lock()
	e.namespaces[namespace] = true
	e.lock.Unlock()
	lease := fmt.Sprintf(`{"apiVersion":"tms.triton-leases.dev/v1alpha1","kind":"TritonLease","metadata":{"name":%q,"labels":{%q:%q}},"spec":{
  "models":[{"name":"model-%d","uri":"s3://models/%[4]d"}],"duration":"%dh","triton":{"resources":{"requests":{"cpu":%d,"memory":"%dGi"}}},
  "autoscaling":{"enable":true,"replicas":{"maximum":%d}}}}`, leaseName(batch, i), batchLabel, batch, i, 1+i%100, 1+i%7, 1+i%31, 1+i%9)
	return e.api.Post().Namespace(namespace).Resource("tritonleases").Body([]byte(lease)).SetHeader("Content-Type", "application/json").Do(ctx).Error()
}

// createAll creates leases concurrently.
func (e *environment) createAll(ctx context.Context, batch string, leases int, namespace func(int) string) error {
	var all sync.WaitGroup
	var lock sync.Mutex
	var failed error
	numbers := make(chan int)
	for range 32 {
		all.Go(func() {
			for i := range numbers {
				if err := e.create(ctx, namespace(i), batch, i); err != nil {
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

// checkObjects returns an error if a number of leases does not have all objects, and no
// others.
func (e *environment) checkObjects(ctx context.Context, leases int) error {
	monitors := leases
	if e.monitors == shared {
		monitors = len(e.namespaces)
	}
	for _, kind := range []struct {
		path, plural string
		want         int
	}{
		{"/apis/apps/v1", "deployments", leases},
		{"/api/v1", "services", 2 * leases}, // one of them is headless
		{"/apis/autoscaling/v2", "horizontalpodautoscalers", leases},
		{"/apis/monitoring.coreos.com/v1", "podmonitors", monitors},
		{"/apis/monitoring.coreos.com/v1", "prometheusrules", monitors},
	} {
		n, err := e.countObjects(ctx, kind.path, kind.plural)
		if err != nil {
			return err
		}
		if n != kind.want {
			return fmt.Errorf("there are %d %s for %d leases in %d namespaces, not %d (-monitors=%s)", n, kind.plural, leases, len(e.namespaces), kind.want, e.monitors)
		}
	}
	return nil
}

// countObjects returns the number of objects of a kind that the server manages.
func (e *environment) countObjects(ctx context.Context, path, plural string) (int, error) {
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
