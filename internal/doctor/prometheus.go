package doctor

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

const monitoringAPI = "/apis/monitoring.coreos.com/v1"

// prometheus is what the doctor reads of a Prometheus object.
type prometheus struct {
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		PodMonitorSelector          *metav1.LabelSelector `json:"podMonitorSelector"`
		PodMonitorNamespaceSelector *metav1.LabelSelector `json:"podMonitorNamespaceSelector"`
		RuleSelector                *metav1.LabelSelector `json:"ruleSelector"`
		RuleNamespaceSelector       *metav1.LabelSelector `json:"ruleNamespaceSelector"`
		ServiceName                 string                `json:"serviceName"`
		RoutePrefix                 string                `json:"routePrefix"`
		Shards                      int32                 `json:"shards"`
		Web                         struct {
			TLSConfig json.RawMessage `json:"tlsConfig"`
		} `json:"web"`
	} `json:"spec"`
	Status struct {
		Conditions []struct{ Type, Status, Reason, Message string } `json:"conditions"`
	} `json:"status"`
}

func (p *prometheus) String() string { return p.Namespace + "/" + p.Name }

// available returns a finding if the operator reports that Prometheus is down, or that it
// cannot reconcile it.
func (p *prometheus) available() error {
	for _, condition := range p.Status.Conditions {
		reason := cmp.Or(condition.Message, condition.Reason)
		switch {
		case condition.Status != string(metav1.ConditionFalse):
		case condition.Type == "Reconciled":
			return find(notReconciled, fields{"namespace": p.Namespace, "name": p.Name, "reason": reason})
		case condition.Type == "Available":
			return find(prometheusDown, fields{"namespace": p.Namespace, "name": p.Name, "reason": reason})
		}
	}
	return nil
}

// selector is one kind of objects that a Prometheus selects.
type selector struct {
	// objects selects by the labels of the objects, and namespaces by those of their
	// namespace. nil selects no object, and only the namespace of the Prometheus.
	objects, namespaces *metav1.LabelSelector
}

func (p *prometheus) podMonitors() selector {
	return selector{p.Spec.PodMonitorSelector, p.Spec.PodMonitorNamespaceSelector}
}

func (p *prometheus) rules() selector {
	return selector{p.Spec.RuleSelector, p.Spec.RuleNamespaceSelector}
}

// selectsNamespace reports whether a Prometheus reads the objects of a namespace.
func (p *prometheus) selectsNamespace(s selector, namespace *corev1.Namespace) bool {
	if s.namespaces == nil {
		return namespace.Name == p.Namespace
	}
	return matches(s.namespaces, namespace.Labels)
}

// matches reports whether labels match a selector. A nil selector matches nothing.
func matches(s *metav1.LabelSelector, set map[string]string) bool {
	parsed, err := metav1.LabelSelectorAsSelector(s)
	return err == nil && parsed.Matches(labels.Set(set))
}

// describe returns a selector as kubectl -l takes it.
func describe(s *metav1.LabelSelector, absent string) string {
	switch {
	case s == nil:
		return absent
	case len(s.MatchLabels)+len(s.MatchExpressions) == 0:
		return "any labels"
	}
	return metav1.FormatLabelSelector(s)
}

// missingLabels returns the labels to set so that a selector matches, as arguments of kubectl
// label.
func missingLabels(s *metav1.LabelSelector, set map[string]string) string {
	var changes []string
	if s != nil {
		for _, key := range slices.Sorted(maps.Keys(s.MatchLabels)) {
			if value := s.MatchLabels[key]; set[key] != value {
				changes = append(changes, key+"="+value)
			}
		}
		for _, expression := range s.MatchExpressions {
			if matches(&metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{expression}}, set) {
				continue
			}
			switch expression.Operator {
			case metav1.LabelSelectorOpIn:
				if len(expression.Values) > 0 { // otherwise the selector is invalid
					changes = append(changes, expression.Key+"="+expression.Values[0])
				}
			case metav1.LabelSelectorOpExists:
				changes = append(changes, expression.Key+"=true")
			default:
				changes = append(changes, expression.Key+"-")
			}
		}
	}
	return cmp.Or(strings.Join(changes, " "), anyLabel)
}

// anyLabel stands for a label that is not known.
const anyLabel = "<key>=<value>"

// Service is the API of a Prometheus, as a Service.
type Service struct {
	Namespace, Name, Port string
	// scheme is "https:" for TLS, and prefix the path of the API.
	scheme, prefix string
}

// ParseService parses <namespace>/<service>:<port>.
func ParseService(text string) (*Service, error) {
	namespace, rest, found := strings.Cut(text, "/")
	name, port, hasPort := strings.Cut(rest, ":")
	if !found || !hasPort || namespace == "" || name == "" || port == "" || strings.ContainsAny(port, "/:") {
		return nil, fmt.Errorf("must be <namespace>/<service>:<port>, such as monitoring/prometheus-operated:9090")
	}
	return &Service{Namespace: namespace, Name: name, Port: port}, nil
}

func (s *Service) String() string { return s.Namespace + "/" + s.Name + ":" + s.Port }

// path returns the path of the Service in the API server's proxy.
func (s *Service) path() string {
	return "/api/v1/namespaces/" + s.Namespace + "/services/" + s.scheme + s.Name + ":" + s.Port + "/proxy" + strings.TrimSuffix(s.prefix, "/")
}

// service returns the Service of a Prometheus: the one that selects its pods by name, or the
// one that the operator creates.
func (d *Doctor) service(ctx context.Context, p *prometheus) *Service {
	if d.options.Prometheus != nil {
		return d.options.Prometheus
	}
	found := &Service{Namespace: p.Namespace, Name: cmp.Or(p.Spec.ServiceName, "prometheus-operated"), Port: "9090", prefix: p.Spec.RoutePrefix}
	if len(p.Spec.Web.TLSConfig) > 0 {
		found.scheme = "https:"
	}
	var list corev1.ServiceList
	if d.client.list(ctx, "/api/v1", p.Namespace, "services", "", &list) != nil {
		return found // the operator's own Service needs no list
	}
	for _, service := range list.Items {
		if service.Spec.Selector["operator.prometheus.io/name"] != p.Name {
			continue
		}
		for _, port := range service.Spec.Ports {
			if port.Port == 9090 || port.Name == "http-web" || port.Name == "web" {
				found.Name, found.Port = service.Name, fmt.Sprint(port.Port)
				return found
			}
		}
	}
	return found
}

// query calls the API of Prometheus. It returns a finding if Prometheus does not answer.
func (d *Doctor) query(ctx context.Context, service *Service, call string, query url.Values, into any) error {
	answer := struct {
		Data any `json:"data"`
	}{into}
	err := d.client.get(ctx, service.path()+"/api/v1/"+call, query, &answer)
	if reason, failed := refused(err); failed {
		return find(noPrometheusAPI, fields{
			"namespace": service.Namespace, "service": service.Name, "port": service.Port, "api": service.String(),
			"path": service.path(), "reason": reason,
		})
	}
	return err
}

// sample is one series of the result of a query.
type sample struct {
	Metric map[string]string `json:"metric"`
	Value  [2]any            `json:"value"`
}

// samples evaluates an expression now.
func (d *Doctor) samples(ctx context.Context, service *Service, expression string) ([]sample, error) {
	var answer struct {
		Result []sample `json:"result"`
	}
	err := d.query(ctx, service, "query", url.Values{"query": {expression}}, &answer)
	return answer.Result, err
}
