package render

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/helmchart"
)

// policyTemplate is the chart's twin of the judgement, which Go's takes the place of.
const policyTemplate = "templates/_policy.tpl"

// grants is what the templates read: the JSON object that is documented at the
// helper tms.grants of the chart, without the warnings, which only notes print.
type grants struct {
	Leases                 map[string]leaseGrant `json:"leases"`
	RuleLabels             map[string]string     `json:"ruleLabels"`
	RateWindowMicroseconds int64                 `json:"rateWindowMicroseconds"`
}

type leaseGrant struct {
	Name        string                        `json:"name"`
	Path        string                        `json:"path"`
	Renewed     bool                          `json:"renewed,omitempty"`
	Autoscaled  bool                          `json:"autoscaled"`
	MinReplicas int64                         `json:"minReplicas,omitempty"`
	MaxReplicas int64                         `json:"maxReplicas,omitempty"`
	Metrics     map[v1alpha1.MetricName]int64 `json:"metrics,omitempty"`
	Adjustments []string                      `json:"adjustments,omitempty"`
}

// granted is a lease for the engine: its value, and what it was granted.
type granted struct {
	name  string
	value map[string]any
	grant leaseGrant
}

func (j *judged) granted() granted {
	grant := leaseGrant{
		Name:        j.ObjectName,
		Path:        j.path.String(),
		Renewed:     j.Term.AutoRenew,
		Autoscaled:  j.Grant.Autoscaled,
		MinReplicas: j.Grant.MinReplicas,
		MaxReplicas: j.Grant.MaxReplicas,
		Metrics:     make(map[v1alpha1.MetricName]int64, len(j.Grant.Metrics)),
		Adjustments: j.adjustments,
	}
	for _, target := range j.Grant.Metrics {
		grant.Metrics[target.Metric] = target.Threshold
	}
	return granted{name: j.Name, value: j.source.Value(), grant: grant}
}

// rendered is what the engine made: the documents of each of the leaseTemplates,
// and those of all other templates, sorted.
type rendered struct {
	ofLeases [][]string
	others   []helmchart.Document
}

// run renders leases in the engine of Helm.
func (in *Installation) run(leases []granted) (*rendered, error) {
	template, err := in.grantsTemplate(leases)
	if err != nil {
		return nil, err
	}
	values := maps.Clone(in.rest)
	all := make(map[string]any, len(leases))
	for _, lease := range leases {
		all[lease.name] = lease.value
	}
	values["leases"] = all
	// The notes are for people who install: nobody reads them here.
	chart := in.renderer.chart.With(map[string]string{policyTemplate: template, notesTemplate: ""})
	texts, err := chart.Render(in.release.forChart(), values)
	if err != nil {
		return nil, err
	}
	r := &rendered{ofLeases: make([][]string, len(leaseTemplates))}
	for i, template := range leaseTemplates {
		path := chart.Path(template.file)
		r.ofLeases[i] = helmchart.Split(texts[path])
		delete(texts, path)
	}
	r.others, err = helmchart.Sort(texts)
	return r, err
}

// grantsTemplate returns the text that stands for the twin in the library: the
// same helper, which answers with the judgement of Go.
func (in *Installation) grantsTemplate(leases []granted) (string, error) {
	g := grants{
		Leases:                 make(map[string]leaseGrant, len(leases)),
		RuleLabels:             in.ruleLabels,
		RateWindowMicroseconds: in.decoded.Server.Autoscaling.Prometheus.RateWindow.Value().Microseconds(),
	}
	for _, lease := range leases {
		g.Leases[lease.name] = lease.grant
	}
	text, err := json.Marshal(g)
	if err != nil {
		return "", fmt.Errorf("encode the grants: %w", err)
	}
	// JSON has two braces in a row only within strings, where the second may be escaped.
	safe := strings.ReplaceAll(string(text), "{{", `{\u007b`)
	return `{{- define "tms.grants" -}}` + safe + `{{- end -}}`, nil
}
