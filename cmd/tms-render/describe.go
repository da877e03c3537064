package main

import (
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/triton-leases/tms/internal/leasepod"
	"github.com/triton-leases/tms/pkg/render"
)

// leaseRow describes where a lease is served, and with what.
type leaseRow struct {
	Lease string `json:"lease"`
	// Object is the name of all objects of the lease.
	Object string `json:"object"`
	// Address is the name of its Service in the cluster. Address, Image and the GPUs are not
	// known if the lease has a target.
	Address string   `json:"address,omitempty"`
	Models  []string `json:"models"`
	Image   string   `json:"image,omitempty"`
	// GPUs is the number of GPUs of one replica, and MaxGPUs that of MaxReplicas replicas, the
	// highest number at any time.
	GPUs        *int64 `json:"gpus"`
	MaxReplicas *int64 `json:"maxReplicas"`
	MaxGPUs     *int64 `json:"maxGPUs"`
}

// describe returns the description of a lease.
func describe(result *render.Result, lease *render.GrantedLease) (leaseRow, error) {
	described := leaseRow{Lease: lease.String(), Object: lease.ObjectName, Models: make([]string, len(lease.Models))}
	for i, model := range lease.Models {
		described.Models[i] = model.Name
	}
	deployment, err := result.Deployment(lease)
	if err != nil {
		return described, err
	}
	_, replicas := lease.Grant.HighestReplicas()
	if deployment != nil {
		if !lease.Grant.Autoscaled {
			replicas = replicasOf(deployment)
		}
		gpus := leasepod.GPUs(&deployment.Spec.Template)
		total := replicas * gpus
		described.Address = lease.ObjectName + "." + deployment.Namespace + ".svc"
		described.Image, described.GPUs, described.MaxGPUs = imageOf(deployment), &gpus, &total
	}
	if deployment != nil || lease.Grant.Autoscaled {
		described.MaxReplicas = &replicas
	}
	return described, nil
}

// replicasOf returns the number of replicas of a Deployment. Kubernetes has the default 1.
func replicasOf(deployment *appsv1.Deployment) int64 {
	if replicas := deployment.Spec.Replicas; replicas != nil {
		return int64(*replicas)
	}
	return 1
}

func imageOf(deployment *appsv1.Deployment) string {
	containers := deployment.Spec.Template.Spec.Containers
	for _, container := range containers {
		if container.Name == "triton" {
			return container.Image
		}
	}
	return ""
}

// modelsText returns the names of the models, shortened if there are many.
func (r leaseRow) modelsText() string {
	const most = 3
	if more := len(r.Models) - most; more > 1 {
		return strings.Join(append(slices.Clone(r.Models[:most]), "..."), ", ")
	}
	return strings.Join(r.Models, ", ")
}
