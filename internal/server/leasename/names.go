package leasename

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/controller-runtime/pkg/client"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/auth"
	"github.com/triton-leases/tms/internal/server/violations"
	"github.com/triton-leases/tms/pkg/render"
)

// requestedByAnnotation has the user that created or switched a name last.
const requestedByAnnotation = "tms.triton-leases.dev/requested-by"

// labels returns the labels of all names of this tms-server. The cache keeps them. Without
// v1alpha1.LeaseLabel, no lease adopts a name as one of its objects.
func (s *Service) labels() map[string]string {
	return map[string]string{
		"app.kubernetes.io/managed-by": render.ControllerName, "app.kubernetes.io/instance": s.release.Name,
		v1alpha1.ServerNamespaceLabel: s.release.Namespace,
	}
}

// owns reports whether a Service is a name of this tms-server.
func (s *Service) owns(service *corev1.Service) bool {
	_, isName := service.Labels[v1alpha1.NamedLeaseLabel]
	return isName && containsAll(service.Labels, s.labels())
}

// target is a lease that a name can point to, and its own Service.
type target struct {
	lease   *v1alpha1.TritonLease
	service *corev1.Service
}

// target reads a lease and its Service from the API server.
func (s *Service) target(ctx context.Context, key client.ObjectKey) (*target, error) {
	t := &target{new(v1alpha1.TritonLease), new(corev1.Service)}
	err := s.APIReader.Get(ctx, key, t.lease)
	if apierrors.IsNotFound(err) {
		return nil, refused(connect.CodeNotFound, "lease_id", "lease %q does not exist in the namespace %q", key.Name, key.Namespace)
	}
	if err != nil {
		return nil, apiServerError(ctx, err)
	}
	if t.lease.Spec.Target != nil {
		return nil, refused(connect.CodeFailedPrecondition, "lease_id", "lease %q scales an existing workload and has no Service", key.Name)
	}
	host, _, _ := strings.Cut(t.lease.Status.Address, ".")
	if host != "" {
		err = s.APIReader.Get(ctx, client.ObjectKey{Namespace: key.Namespace, Name: host}, t.service)
	}
	if client.IgnoreNotFound(err) != nil {
		return nil, apiServerError(ctx, err)
	}
	if host == "" || err != nil || !metav1.IsControlledBy(t.service, t.lease) || t.service.Spec.Selector[v1alpha1.LeaseLabel] != key.Name {
		return nil, refused(connect.CodeFailedPrecondition, "lease_id", "lease %q has no Service yet: wait until it serves", key.Name)
	}
	return t, nil
}

// service returns the Service of a name that points to a lease.
func (s *Service) service(ctx context.Context, key client.ObjectKey, t *target) *corev1.Service {
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: key.Namespace, Name: key.Name, Labels: s.labels(),
			Annotations: map[string]string{requestedByAnnotation: auth.UserFrom(ctx).Username},
		},
		Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeClusterIP, Selector: t.service.Spec.Selector},
	}
	service.Labels[v1alpha1.NamedLeaseLabel] = t.lease.Name
	for _, port := range t.service.Spec.Ports {
		port.NodePort = 0
		service.Spec.Ports = append(service.Spec.Ports, port)
	}
	return service
}

// isAs reports whether a Service is as wanted. What others added to it, such as labels and
// node ports, does not count.
func isAs(service, wanted *corev1.Service) bool {
	return containsAll(service.Labels, wanted.Labels) && maps.Equal(service.Spec.Selector, wanted.Spec.Selector) && samePorts(service, wanted)
}

func samePorts(a, b *corev1.Service) bool {
	return slices.EqualFunc(a.Spec.Ports, b.Spec.Ports, func(a, b corev1.ServicePort) bool {
		return a.Name == b.Name && a.Port == b.Port && a.TargetPort == b.TargetPort
	})
}

// change makes a Service as wanted.
func change(service, wanted *corev1.Service) {
	if service.Annotations == nil {
		service.Annotations = map[string]string{}
	}
	maps.Copy(service.Labels, wanted.Labels)
	maps.Copy(service.Annotations, wanted.Annotations)
	service.Spec.Selector = wanted.Spec.Selector
	if !samePorts(service, wanted) {
		service.Spec.Ports = wanted.Spec.Ports
	}
}

func containsAll(labels, wanted map[string]string) bool {
	for key, value := range wanted {
		if labels[key] != value {
			return false
		}
	}
	return true
}

// checkReserved refuses a new name that is the name of the objects of tms-server or of a
// lease. The objects may not exist yet.
func (s *Service) checkReserved(ctx context.Context, key client.ObjectKey) error {
	renderer := s.Configuration.LeaseRenderer()
	if key.Namespace == s.release.Namespace && key.Name == renderer.ServerName() {
		return alreadyExists("%q is the name of the objects of tms-server: choose another name", key.Name)
	}
	id, ok := renderer.LeaseOf(key.Name)
	if !ok || id == "" {
		return nil
	}
	err := s.APIReader.Get(ctx, client.ObjectKey{Namespace: key.Namespace, Name: id}, new(v1alpha1.TritonLease))
	if err == nil {
		return alreadyExists("%q is the name of the objects of lease %q: choose another name", key.Name, id)
	}
	return client.IgnoreNotFound(err)
}

// checkName adds a violation if a Service cannot have a name.
func checkName(invalid *violations.List, name string) {
	if len(validation.IsDNS1035Label(name)) > 0 {
		invalid.Add("name", strconv.QuoteToASCII(name)+" must be a DNS label that begins with a letter: at most 63 lower-case letters, digits and '-'")
	}
}

// refused returns an error with one violation.
func refused(code connect.Code, field, format string, args ...any) error {
	var list violations.List
	list.Add(field, fmt.Sprintf(format, args...))
	return list.WithCode(code)
}

func alreadyExists(format string, args ...any) error {
	return refused(connect.CodeAlreadyExists, "name", format, args...)
}

// toProto returns the message of the API for a name, without the state of its lease.
func toProto(service *corev1.Service) *tmsv1.LeaseName {
	return &tmsv1.LeaseName{
		Namespace: service.Namespace, Name: service.Name, LeaseId: service.Labels[v1alpha1.NamedLeaseLabel],
		Address: service.Name + "." + service.Namespace + ".svc", CreatedAt: timestamppb.New(service.CreationTimestamp.Time),
	}
}
