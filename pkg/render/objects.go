package render

import (
	"errors"
	"sync"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/cut"
	"github.com/triton-leases/tms/internal/helmchart"
	"github.com/triton-leases/tms/internal/source"
	"github.com/triton-leases/tms/pkg/policy"
)

// leaseTemplates are the templates that render one document, or none, for each
// lease, in the order of the leases' names. None is a hook.
var leaseTemplates = []struct {
	file, kind string
	object     objectType
}{
	{"templates/deployment.yaml", "Deployment", objectOf(
		func(o *Objects) **appsv1.Deployment { return &o.Deployment }, (*appsv1.Deployment).DeepCopyInto)},
	{"templates/service.yaml", "Service", objectOf(
		func(o *Objects) **corev1.Service { return &o.Service }, (*corev1.Service).DeepCopyInto)},
	{"templates/poddisruptionbudget.yaml", "PodDisruptionBudget", objectOf(
		func(o *Objects) **policyv1.PodDisruptionBudget { return &o.PodDisruptionBudget }, (*policyv1.PodDisruptionBudget).DeepCopyInto)},
	{"templates/hpa.yaml", "HorizontalPodAutoscaler", objectOf(
		func(o *Objects) **autoscalingv2.HorizontalPodAutoscaler { return &o.HorizontalPodAutoscaler }, (*autoscalingv2.HorizontalPodAutoscaler).DeepCopyInto)},
	{"templates/podmonitor.yaml", "PodMonitor", objectOf(
		func(o *Objects) **monitoringv1.PodMonitor { return &o.PodMonitor }, (*monitoringv1.PodMonitor).DeepCopyInto)},
	{"templates/prometheusrule.yaml", "PrometheusRule", objectOf(
		func(o *Objects) **monitoringv1.PrometheusRule { return &o.PrometheusRule }, (*monitoringv1.PrometheusRule).DeepCopyInto)},
}

// Lease renders one lease of values files as typed objects. Each is decoded
// strictly: a field that its type does not have is an error. It works for the
// embedded chart alone. A server, which renders many leases, uses Install.
func (r *Renderer) Lease(release Release, name string, files ...[]byte) (*Objects, error) {
	input, err := inputOf(files)
	if err != nil {
		return nil, err
	}
	if input.manifests.given {
		return nil, errors.New("a TritonLease is rendered by Installation.TritonLease")
	}
	if err := input.Only(name); err != nil {
		return nil, err
	}
	in, err := r.Install(release, input)
	if err != nil {
		return nil, err
	}
	leases := input.values.Leases()
	if len(leases) == 0 {
		return nil, noLease(name, nil)
	}
	return in.objectsOf(in.judgeOne(leases[0], nil))
}

// Install decides about everything in the input but its leases. The error is a
// policy.Refusal with every reason at once. It works for the embedded chart alone.
func (r *Renderer) Install(release Release, input *Input) (*Installation, error) {
	if r.foreign {
		return nil, errForeign
	}
	in, refused, _, err := r.install(release, input)
	if err != nil {
		return nil, err
	}
	if reasons := refused.all(); len(reasons) > 0 {
		return nil, reasons
	}
	return in, nil
}

// TritonLease renders a lease at run time as typed objects, which are the
// caller's, and decides how long it lasts. The error is a policy.Refusal whose
// paths begin with spec. It is for a Release of a Controller.
func (in *Installation) TritonLease(lease *v1alpha1.TritonLease) (*Objects, error) {
	j, reasons, err := in.judgeTritonLease(lease)
	if err != nil {
		return nil, err
	}
	return in.objectsOf(j, reasons)
}

func (in *Installation) judgeTritonLease(lease *v1alpha1.TritonLease) (*judged, policy.Refusal, error) {
	if reasons := tooLarge(lease); len(reasons) > 0 {
		return new(judged), reasons, nil
	}
	value, err := lease.Spec.Map()
	if err != nil {
		return nil, nil, err
	}
	j, reasons := in.judgeOne(source.LeaseOf(lease.Name, value), &policy.TermRequest{Duration: lease.Spec.Duration, AutoRenew: lease.Spec.AutoRenew})
	return j, reasons, nil
}

// Lease renders one lease as typed objects, which are the caller's. The first
// lease of a form takes some milliseconds, those that follow some microseconds.
// The error is a policy.Refusal whose paths begin with leases.<name>.
func (in *Installation) Lease(name string, lease *v1alpha1.LeaseSpec) (*Objects, error) {
	value, err := lease.Map()
	if err != nil {
		return nil, err
	}
	return in.objectsOf(in.judgeOne(source.LeaseOf(name, value), nil))
}

// objectsOf returns the objects of a lease, or the reasons against it.
func (in *Installation) objectsOf(j *judged, reasons policy.Refusal) (*Objects, error) {
	if len(reasons) > 0 {
		return nil, reasons
	}
	const weight = 100_000 // of the objects of a small lease, in bytes
	form := in.objects.put(j.variant(), new(objectForm), weight+j.form.weight)
	form.once.Do(func() { form.fills, form.err = in.fills(j) })
	if form.err != nil {
		return in.objectsByEngine(j)
	}
	o := &Objects{Lease: j.Lease}
	for _, fill := range form.fills {
		if err := fill(o, j.fillings); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// objectForm is what makes the objects of leases of one variant. It is found out
// by the first of them; the error says that it cannot be.
type objectForm struct {
	once  sync.Once
	fills []fill
	err   error
}

// objectsByEngine renders one lease in the engine.
func (in *Installation) objectsByEngine(j *judged) (*Objects, error) {
	made, err := in.run([]granted{j.granted()})
	if err != nil {
		return nil, err
	}
	o := &Objects{Lease: j.Lease}
	for t, texts := range made.ofLeases {
		for _, text := range texts {
			document := in.renderer.leaseDocument(t)
			document.Text = text
			if err := document.Decode(leaseTemplates[t].object.in(o)); err != nil {
				return nil, err
			}
		}
	}
	return o, nil
}

// fill puts one object of a lease among its objects.
type fill func(o *Objects, fillings []string) error

// fills returns what makes the objects of leases of the variant of this one.
func (in *Installation) fills(j *judged) ([]fill, error) {
	s := &sample{judged: j, manifests: new(manifests)}
	if _, err := in.cutManifests([]*sample{s}); err != nil {
		return nil, err
	}
	var fills []fill
	for t, text := range s.manifests.texts {
		if text == nil {
			continue
		}
		fill, err := leaseTemplates[t].object.cut(s, text)
		if err != nil {
			return nil, err
		}
		fills = append(fills, fill)
	}
	return fills, nil
}

// objectType knows the Go type of what a template renders.
type objectType struct {
	// in returns a pointer to where it stands among the objects of a lease.
	in  func(*Objects) any
	cut func(*sample, *cut.Text) (fill, error)
}

func objectOf[T any](in func(*Objects) **T, copyInto func(from, to *T)) objectType {
	return objectType{
		in: func(o *Objects) any { return in(o) },
		cut: func(s *sample, text *cut.Text) (fill, error) {
			var marked, wanted T
			fillings := s.fillings
			err := errors.Join(decodeText(text.Fill(s.marks), &marked), decodeText(text.Fill(fillings), &wanted))
			if err != nil {
				return nil, err
			}
			object := cut.NewObject(s.marks, marked, copyInto)
			made, err := object.Fill(fillings)
			if err != nil {
				return nil, err
			}
			if !equality.Semantic.DeepEqual(*made, wanted) {
				return nil, errNoForm
			}
			return func(o *Objects, fillings []string) (err error) {
				*in(o), err = object.Fill(fillings)
				return err
			}, nil
		},
	}
}

func decodeText(text string, object any) error { return helmchart.Document{Text: text}.Decode(object) }
