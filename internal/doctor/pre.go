package doctor

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// CheckInstall checks whether a cluster has what an install needs. The namespace of the
// options is that of the release.
func (d *Doctor) CheckInstall(ctx context.Context, install *Install) (*Report, error) {
	report := new(Report)
	scales := install.usesMetric(false)
	needed := components{adapter: scales && !install.keda(), metricsServer: install.usesMetric(true)}
	needed.keda = install.keda() && (scales || needed.metricsServer)
	if err := d.follow(ctx, report.add("cluster"), true, d.componentSteps(needed)); err != nil {
		return nil, err
	}
	p := &preflight{Doctor: d, install: install}
	section := report.add("install in " + d.options.Namespace)
	steps := []step{
		{"the cluster has the kinds that the values contain", p.checkKinds},
		{"you may create what the values contain", p.checkRights},
	}
	if scales {
		for _, found := range d.prometheuses {
			section.ok(selection(found))
		}
		steps = append([]step{
			{"a Prometheus will select the PodMonitors", p.checkPodMonitors},
			{"the same Prometheus will select the PrometheusRules", p.checkRules},
			{"it reads them in namespace " + d.options.Namespace, p.checkNamespace},
		}, steps...)
	}
	return report, d.follow(ctx, section, true, steps)
}

// selection is what a Prometheus selects.
func selection(p prometheus) string {
	return fmt.Sprintf("Prometheus %s selects PodMonitors with %s in namespaces with %s, and PrometheusRules with %s in namespaces with %s", &p,
		describe(p.Spec.PodMonitorSelector, "nothing"), describe(p.Spec.PodMonitorNamespaceSelector, "the name "+p.Namespace),
		describe(p.Spec.RuleSelector, "nothing"), describe(p.Spec.RuleNamespaceSelector, "the name "+p.Namespace))
}

// preflight is the state of the checks of one install.
type preflight struct {
	*Doctor
	install *Install
	// candidates are those that select the objects so far, and all if none does.
	candidates []prometheus
	// resources are those of the kinds of the values.
	resources []metav1.APIResource
}

// narrow keeps the candidates that select, and reports whether there is one.
func (p *preflight) narrow(selects func(*prometheus) bool) bool {
	kept := slices.DeleteFunc(slices.Clone(p.candidates), func(found prometheus) bool { return !selects(&found) })
	if len(kept) > 0 {
		p.candidates = kept
	}
	return len(kept) > 0
}

func (p *preflight) checkPodMonitors(context.Context) error {
	if p.candidates = p.prometheuses; len(p.candidates) == 0 {
		return errUnknown
	}
	labels := p.install.podMonitorLabels
	if p.narrow(func(found *prometheus) bool { return matches(found.Spec.PodMonitorSelector, labels) }) {
		return nil
	}
	return findValues(valuesPodMonitorLabels, labels, p.candidates[0].Spec.PodMonitorSelector)
}

func (p *preflight) checkRules(context.Context) error {
	if len(p.candidates) == 0 {
		return errUnknown
	}
	labels := p.install.ruleLabels
	if p.narrow(func(found *prometheus) bool { return matches(found.Spec.RuleSelector, labels) }) {
		return nil
	}
	return findValues(valuesRuleLabels, labels, p.candidates[0].Spec.RuleSelector)
}

func findValues(code string, labels map[string]string, s *metav1.LabelSelector) error {
	var own []string
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		if !strings.HasPrefix(key, "app.kubernetes.io/") {
			own = append(own, key+"="+labels[key])
		}
	}
	var change []string
	for _, label := range strings.Fields(missingLabels(s, labels)) {
		key, value, set := strings.Cut(label, "=")
		if !set { // an empty value removes the label
			key, value = strings.TrimSuffix(key, "-"), `""`
		}
		change = append(change, key+": "+value)
	}
	return find(code, fields{"labels": strings.Join(own, ","), "wanted": describe(s, "absent, and selects nothing"), "change": strings.Join(change, ", ")})
}

func (p *preflight) checkNamespace(ctx context.Context) error {
	if len(p.candidates) == 0 {
		return errUnknown
	}
	namespace, err := p.client.namespace(ctx, p.options.Namespace)
	if isNotFound(err) {
		// helm install --create-namespace creates it with these labels.
		namespace.Labels, err = map[string]string{corev1.LabelMetadataName: namespace.Name, "name": namespace.Name}, nil
	}
	if err != nil {
		return unreadable(err)
	}
	for _, s := range []struct {
		name string
		of   func(*prometheus) selector
	}{{"podMonitorNamespaceSelector", (*prometheus).podMonitors}, {"ruleNamespaceSelector", (*prometheus).rules}} {
		if !p.narrow(func(found *prometheus) bool { return found.selectsNamespace(s.of(found), namespace) }) {
			first := &p.candidates[0]
			return findNamespace(valuesNamespace, fields{"namespace": namespace.Name, "selector": s.name}, s.of(first), first, namespace)
		}
	}
	return nil
}

func (p *preflight) checkKinds(ctx context.Context) error {
	kinds, err := p.install.kinds()
	if err != nil {
		return err
	}
	var missing []string
	for _, k := range kinds {
		resource, err := p.client.resourceOf(ctx, k.apiVersion, k.name)
		if err != nil {
			return unreadable(err)
		}
		if resource == nil && p.reports(k) {
			continue
		}
		if resource == nil {
			missing = append(missing, k.name+" ("+k.apiVersion+")")
			continue
		}
		resource.Group, _, _ = strings.Cut(k.apiVersion, "/")
		if !strings.Contains(k.apiVersion, "/") {
			resource.Group = ""
		}
		p.resources = append(p.resources, *resource)
	}
	if len(missing) > 0 {
		return find(kindNotServed, fields{"kinds": strings.Join(missing, ", ")})
	}
	return nil
}

// reports reports whether the cluster section has the error that a kind is missing.
func (p *preflight) reports(k kind) bool {
	return p.broken[operatorKinds] != "" && strings.HasPrefix(k.apiVersion, "monitoring.coreos.com/") ||
		p.broken[externalMetrics] == noKEDA && k.apiVersion == kedaGroupVersion
}

func (p *preflight) checkRights(ctx context.Context) error {
	var denied []string
	for _, resource := range p.resources {
		namespace := ""
		if resource.Namespaced {
			namespace = p.options.Namespace
		}
		allowed, err := p.client.review(ctx, resource.Group, resource.Name, namespace)
		if err != nil {
			return unreadable(err)
		}
		if !allowed {
			denied = append(denied, strings.TrimSuffix(resource.Name+"."+resource.Group, "."))
		}
	}
	if len(denied) > 0 {
		return find(mayNotCreate, fields{"resources": strings.Join(denied, ", "), "resource": denied[0], "namespace": p.options.Namespace})
	}
	return nil
}
