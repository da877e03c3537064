package lease

import "github.com/triton-leases/tms/internal/fieldpath"

// requestPaths maps paths of a TritonLease to the paths of the request fields that set
// them. The first row with a matching prefix counts. All other paths are the same in
// both: a request does not keep the order of its metrics, so that the path of a metric
// contains its name.
var requestPaths = []struct{ lease, request fieldpath.Path }{
	row("metadata.name", "name"),
	row("metadata.namespace", "namespace"),
	row("spec.image", "spec.triton_image"),
	row("spec.triton.resources.limits[nvidia.com/gpu]", "spec.resources.gpus"),
	row("spec.triton.resources.limits.nvidia.com/gpu", "spec.resources.gpus"), // as the API server writes it
	row("spec.triton.resources.limits.memory", "spec.resources.memory"),
	row("spec.triton.resources.limits", "spec.resources.gpus"),
	row("spec.triton.resources.requests.cpu", "spec.resources.cpus"),
	row("spec.triton.resources.requests.memory", "spec.resources.memory"),
	row("spec.triton.resources", "spec.resources"),
	row("spec.autoscaling.enable", "spec.autoscaling"),
	row("spec.autoscaling.replicas.minimum", "spec.autoscaling.min_replicas"),
	row("spec.autoscaling.replicas.maximum", "spec.autoscaling.max_replicas"),
	row("spec.autoscaling.replicas.schedule", "spec.autoscaling.schedule"),
	row("spec.autoRenew", "spec.auto_renew"),
}

func row(lease, request string) struct{ lease, request fieldpath.Path } {
	return struct{ lease, request fieldpath.Path }{fieldpath.Parse(lease), fieldpath.Parse(request)}
}

// requestPath returns the path of the request for a path of a TritonLease.
func requestPath(lease string) string {
	path := fieldpath.Parse(lease)
	for _, r := range requestPaths {
		if request, ok := path.Rebase(r.lease, r.request); ok {
			if last := &request[len(request)-1]; last.Key == "timeZone" { // of an entry of a schedule
				last.Key = "time_zone"
			}
			return request.String()
		}
	}
	return lease
}
