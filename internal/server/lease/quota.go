package lease

import (
	"context"
	"maps"
	"slices"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"
	"sigs.k8s.io/controller-runtime/pkg/client"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/budget"
	"github.com/triton-leases/tms/internal/server/violations"
	"github.com/triton-leases/tms/pkg/policy"
	"github.com/triton-leases/tms/pkg/render"
)

// Quota implements tmsv1connect.LeaseServiceHandler.
func (s *Service) Quota(ctx context.Context, request *connect.Request[tmsv1.QuotaRequest]) (*connect.Response[tmsv1.QuotaResponse], error) {
	var invalid violations.List
	namespace := s.ListedNamespace(request.Msg.GetNamespace(), &invalid)
	if err := invalid.InvalidArgument(); err != nil {
		return nil, err
	}
	if err := s.authorize(ctx, "list", client.ObjectKey{Namespace: namespace}); err != nil {
		return nil, err
	}
	byNamespace, err := s.countedLeases(ctx, namespace)
	if err != nil {
		return nil, err
	}
	bounds := s.Configuration.LeaseRenderer().Bounds()
	names := []string{namespace}
	if namespace == "" {
		names = slices.AppendSeq(bounds.BudgetNamespaces(), maps.Keys(byNamespace))
		slices.Sort(names)
		names = slices.Compact(names)
	}
	response := new(tmsv1.QuotaResponse)
	for _, name := range names {
		if current, ok := bounds.Budget(name); ok {
			response.Namespaces = append(response.Namespaces, s.quota(name, current, byNamespace[name]))
		}
	}
	return connect.NewResponse(response), nil
}

// countedLeases returns the leases of a namespace, or of all, that count against budgets.
// They belong to the cache and must not be changed.
func (s *Service) countedLeases(ctx context.Context, namespace string) (map[string][]*v1alpha1.TritonLease, error) {
	var all v1alpha1.TritonLeaseList
	if err := s.Client.List(ctx, &all, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, APIServerError(ctx, err)
	}
	byNamespace := map[string][]*v1alpha1.TritonLease{}
	for i := range all.Items {
		if lease := &all.Items[i]; budget.Counts(lease, s.Installation) {
			byNamespace[lease.Namespace] = append(byNamespace[lease.Namespace], lease)
		}
	}
	return byNamespace, nil
}

// quota returns what leases use of a budget.
func (s *Service) quota(namespace string, current policy.Budget, leases []*v1alpha1.TritonLease) *tmsv1.NamespaceQuota {
	quota := &tmsv1.NamespaceQuota{Namespace: namespace, Gpus: current.GPUs}
	claims := s.requests.Claims(s.Configuration.LeaseRenderer(), namespace, leases)
	slices.SortFunc(claims, policy.CompareAge)
	for _, claim := range claims {
		if claim.Held > 0 {
			quota.Used += claim.Held
			quota.Charges = append(quota.Charges, &tmsv1.Charge{Id: claim.Name, Charged: claim.Held, CreatedAt: timestamppb.New(claim.Created)})
		}
	}
	quota.Left = max(quota.Gpus-quota.Used, 0)
	return quota
}

// fit lowers a lease that does not exist yet to what its namespace has left of its budget.
// The controller decides; this only answers sooner.
func (s *Service) fit(ctx context.Context, renderer *render.LeaseRenderer, lease *v1alpha1.TritonLease, granted *render.GrantedLease) error {
	current, ok := renderer.Bounds().Budget(lease.Namespace)
	if !ok {
		return nil
	}
	byNamespace, err := s.countedLeases(ctx, lease.Namespace)
	if err != nil {
		return err
	}
	leases := byNamespace[lease.Namespace]
	if slices.ContainsFunc(leases, func(l *v1alpha1.TritonLease) bool { return l.Name == lease.Name }) {
		return nil // an earlier call created it
	}
	claim := budget.ClaimOf(renderer, lease, budget.RequestOf(lease, granted))
	claim.Created = s.now() // the youngest
	claims := append(s.requests.Claims(renderer, lease.Namespace, leases), claim)
	refusal := budget.Fit(renderer, current, granted, claims, policy.Allocate(current.GPUs, claims), len(leases))
	if len(refusal) > 0 {
		return refusal
	}
	return nil
}
