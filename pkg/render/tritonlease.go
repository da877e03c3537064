package render

import (
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/fieldpath"
	"github.com/triton-leases/tms/pkg/policy"
)

// GrantTritonLease grants a TritonLease within server.leases and server.autoscaling. The
// error is a policy.Refusal with paths that begin with spec. lr must be made for a Release
// with Controller set.
func (lr *LeaseRenderer) GrantTritonLease(lease *v1alpha1.TritonLease) (*GrantedLease, error) {
	if reasons := checkSize(lease); len(reasons) > 0 {
		return nil, reasons
	}
	value, err := lease.Spec.Map()
	if err != nil {
		return nil, err
	}
	spec := field.NewPath("spec")
	granted := &GrantedLease{Name: lease.Name}
	refused, err := lr.validateAgain(lease.Name, value)
	if err != nil {
		return nil, err
	}
	for _, reason := range refused {
		moved, _ := fieldpath.Parse(reason.Field).Rebase(fieldpath.New(leasesKey, lease.Name), fieldpath.New("spec"))
		reason.Field = moved.String()
	}
	if len(refused) == 0 {
		granted, refused = lr.grantLease(spec, lease.Name, value, nil)
	}
	renders := len(refused) == 0
	refused = append(refused, lr.checkRequest(spec, lease, value)...)
	asked := policy.TermRequest{Duration: lease.Spec.Duration, AutoRenew: lease.Spec.AutoRenew}
	term, adjustments, err := lr.bounds.GrantTerm(spec, asked)
	refused = append(refused, policy.Reasons(err)...)
	if renders {
		granted.Namespace, granted.RequestedTerm, granted.Term = lease.Namespace, asked, term
		// An earlier time reloads nothing: the pods are younger.
		if at := lease.Spec.ReloadTime; at != nil && !at.Before(&lease.CreationTimestamp) {
			granted.reloadedAt = at.UTC().Format(time.RFC3339)
		}
		adjustments = append(lr.grantReplicas(spec, granted, &lease.Spec.LeaseSpec, value), adjustments...)
		lr.addShape(granted, value)
		reasons, err := lr.refuseFaults([]*GrantedLease{granted})
		refused = append(refused, reasons...)
		if err != nil && len(refused) == 0 {
			return nil, err
		}
		if lr.besideServer(lease) && err == nil {
			refused = append(refused, granted.pod.CheckServiceAccount(spec, lr.serverName)...)
		}
	}
	if len(refused) > 0 {
		return nil, refused
	}
	granted.Grant.GPUs, granted.value = granted.pod.GPUs, value
	granted.Grant.Adjustments = append(granted.Grant.Adjustments, adjustments...)
	return granted, nil
}

// checkRequest refuses what a TritonLease may not say. value is its spec.
func (lr *LeaseRenderer) checkRequest(spec *field.Path, lease *v1alpha1.TritonLease, value map[string]any) policy.Refusal {
	var reasons policy.Refusal
	if lr.besideServer(lease) {
		reasons = lr.checkServerName(spec, lr.fullname+"-"+lease.Name)
		if target := lease.Spec.Target; target != nil && target.IsDeployment() && target.Name == lr.serverName {
			reasons = append(reasons, field.Forbidden(spec.Child("target", "name"), "a TritonLease may not scale tms-server"))
		}
	}
	request := policy.LeaseRequest{
		Target: lease.Spec.Target != nil, InReleaseNamespace: lr.besideServer(lease),
		Namespace: lease.Namespace, Models: lease.Spec.Models, Repositories: lr.repositories,
	}
	request.Triton, _ = value["triton"].(map[string]any)
	request.Service, _ = value["service"].(map[string]any)
	return append(reasons, lr.bounds.CheckRequest(spec, request, lr.images)...)
}

// besideServer reports whether a lease is in the namespace of tms-server.
func (lr *LeaseRenderer) besideServer(lease *v1alpha1.TritonLease) bool {
	return lease.Namespace == lr.release.Namespace
}

// grantReplicas grants the replicas of a TritonLease that does not scale. It sets a clamped
// number also in value, from which the lease is rendered.
func (lr *LeaseRenderer) grantReplicas(path *field.Path, g *GrantedLease, spec *v1alpha1.LeaseSpec, value map[string]any) []v1alpha1.Adjustment {
	if g.Grant.Autoscaled || len(spec.Models) == 0 {
		return nil
	}
	asked, byDefault := int64(1), true // the default of Kubernetes
	if replicas := lr.decoded.Triton.Replicas; replicas != nil {
		asked = *replicas
	}
	if spec.Triton != nil && spec.Triton.Replicas != nil {
		asked, byDefault = *spec.Triton.Replicas, false
	}
	granted, adjustments := lr.bounds.GrantReplicas(path, asked, byDefault)
	g.Grant.Replicas = granted
	if len(adjustments) > 0 {
		triton, _ := value["triton"].(map[string]any)
		if triton == nil {
			triton = map[string]any{}
			value["triton"] = triton
		}
		triton["replicas"] = float64(granted)
	}
	return adjustments
}
