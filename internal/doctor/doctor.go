// Package doctor finds out why a lease does not scale. It follows each metric of a lease from
// Triton to the HorizontalPodAutoscaler, and stops at the first error.
//
// It reads through the API server, with the rights of the user, and changes nothing. It
// reports what the user may not read.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// Options select what to check.
type Options struct {
	// Namespace is that of the leases. If it is empty, the leases of all namespaces are
	// checked.
	Namespace string
	// Lease is the name of the only lease to check, or empty for all that scale.
	Lease string
	// Prometheus is the API of the Prometheus to ask. If it is nil, the doctor finds it.
	Prometheus *Service
}

// Doctor checks a cluster.
type Doctor struct {
	options Options
	client  client
	// prometheuses are those of the cluster, and nil if they cannot be listed.
	prometheuses []prometheus
	// scaledObjects and schedules are those of the leases to check, from which KEDA and
	// tms-server make HorizontalPodAutoscalers.
	scaledObjects []scaledObject
	schedules     []schedule
	// broken has the codes of what is broken for all leases, by component.
	broken map[component]string
	// reported are the findings so far.
	reported []finding
}

// A component is what all leases of a cluster need.
type component string

const (
	operatorKinds component = "kinds of the Prometheus Operator"
	customMetrics component = "custom.metrics.k8s.io"
	cpuMetrics    component = "metrics.k8s.io"
	// externalMetrics is what KEDA serves.
	externalMetrics component = "external.metrics.k8s.io"
)

// New returns a Doctor that calls an API server.
func New(api API, options Options) *Doctor {
	return &Doctor{options: options, client: client{api}, broken: map[component]string{}}
}

// Check checks the cluster and the leases. The error is that of the connection to the API
// server.
func (d *Doctor) Check(ctx context.Context) (*Report, error) {
	report := new(Report)
	scalers, hidden, err := d.scalers(ctx)
	if err != nil {
		return nil, err
	}
	cluster := report.add("cluster")
	read := func(subject string, err error) error {
		var skip *skipped
		if errors.As(err, &skip) {
			report.add(subject).skip(skip)
			return nil
		}
		return err
	}
	if err := read("ScaledObjects", d.readScaledObjects(ctx)); err != nil {
		return nil, err
	}
	if err := read("schedules", d.readSchedules(ctx)); err != nil {
		return nil, err
	}
	if err := d.follow(ctx, cluster, true, d.clusterSteps(scalers)); err != nil {
		return nil, err
	}
	leases, err := d.leases(ctx)
	if err := read("TritonLeases", err); err != nil {
		return nil, err
	}
	if hidden != nil {
		report.add("leases").skip(hidden)
		return report, nil
	}
	for _, p := range d.paths(scalers, leases) {
		if err := d.follow(ctx, report.add(p.Namespace+"/"+p.Lease), false, p.steps()); err != nil {
			return nil, err
		}
	}
	return report, nil
}

// scalers returns the HorizontalPodAutoscalers of leases. The second result is set if the
// user may not list them.
func (d *Doctor) scalers(ctx context.Context) ([]autoscalingv2.HorizontalPodAutoscaler, *skipped, error) {
	var list autoscalingv2.HorizontalPodAutoscalerList
	err := d.client.list(ctx, "/apis/autoscaling/v2", d.options.Namespace, "horizontalpodautoscalers", d.selector(), &list)
	var skip *skipped
	if errors.As(err, &skip) {
		return nil, skip, nil
	}
	if err != nil {
		return nil, nil, err
	}
	return list.Items, nil, nil
}

// selector selects the objects of leases.
func (d *Doctor) selector() string {
	if d.options.Lease != "" {
		return v1alpha1.LeaseLabel + "=" + d.options.Lease
	}
	return v1alpha1.LeaseLabel
}

// leases returns the TritonLeases. A cluster without the kind has none.
func (d *Doctor) leases(ctx context.Context) (map[leaseName]*v1alpha1.TritonLease, error) {
	var list v1alpha1.TritonLeaseList
	err := d.client.list(ctx, "/apis/"+v1alpha1.GroupVersion.String(), d.options.Namespace, "tritonleases", "", &list)
	if isNotFound(err) {
		return nil, nil
	}
	leases := map[leaseName]*v1alpha1.TritonLease{}
	for i := range list.Items {
		leases[leaseName{list.Items[i].Namespace, list.Items[i].Name}] = &list.Items[i]
	}
	return leases, err
}

// A step is one check.
type step struct {
	// name is the statement that is true if the check succeeds.
	name string
	// run returns nil, a *finding, a *skipped, errUnknown, a stop, or the error of the
	// connection.
	run func(context.Context) error
}

// errUnknown is the error of a step that cannot check, because an earlier step was skipped.
var errUnknown = errors.New("unknown")

// stop is the error of a step that depends on something that a finding names.
type stop string

// Error implements error.
func (s stop) Error() string { return fmt.Sprintf("not checked because of %s", string(s)) }

// follow runs steps until the first error that is found, or all of them. It goes on after
// warnings, and after steps that were skipped.
func (d *Doctor) follow(ctx context.Context, section *Section, all bool, steps []step) error {
	for _, s := range steps {
		err := s.run(ctx)
		var (
			found *finding
			skip  *skipped
			end   stop
		)
		switch {
		case err == nil:
			section.ok(s.name)
		case errors.Is(err, errUnknown):
		case errors.As(err, &skip):
			section.skip(&skipped{s.name + ": " + skip.reason})
		case errors.As(err, &end):
			section.skip(&skipped{s.name + ": " + end.Error()})
			return nil
		case errors.As(err, &found):
			level := messages[found.code].Level
			if d.isReported(*found) {
				if level == Error {
					section.skip(&skipped{s.name + ": " + stop(found.code).Error()})
					return nil
				}
				continue
			}
			d.reported = append(d.reported, *found)
			section.find(*found)
			if level == Error && !all {
				return nil
			}
		default:
			return err
		}
	}
	return nil
}

func (d *Doctor) isReported(f finding) bool {
	return slices.ContainsFunc(d.reported, func(other finding) bool {
		return other.code == f.code && maps.Equal(other.fields, f.fields)
	})
}

// findComponent records that a component is broken, and returns the finding.
func (d *Doctor) findComponent(c component, code string, fields fields) error {
	d.broken[c] = code
	return find(code, fields)
}

// needs returns a stop if a component is broken.
func (d *Doctor) needs(c component) error {
	if code := d.broken[c]; code != "" {
		return stop(code)
	}
	return nil
}
