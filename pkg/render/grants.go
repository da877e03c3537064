package render

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/triton-leases/tms/pkg/policy"
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
	Name        string                  `json:"name"`
	Autoscaled  bool                    `json:"autoscaled"`
	MinReplicas int64                   `json:"minReplicas,omitempty"`
	MaxReplicas int64                   `json:"maxReplicas,omitempty"`
	Metrics     map[policy.Metric]int64 `json:"metrics,omitempty"`
	Adjustments []string                `json:"adjustments,omitempty"`
}

// template returns the text that stands for the twin in the library: the same
// helper, which answers with the judgement of Go.
func (j *judgement) template() (string, error) {
	g := grants{
		Leases:                 make(map[string]leaseGrant, len(j.leases)),
		RuleLabels:             j.ruleLabels,
		RateWindowMicroseconds: j.rateWindow.Value().Microseconds(),
	}
	for _, lease := range j.leases {
		granted := leaseGrant{
			Name:        lease.ObjectName,
			Autoscaled:  lease.Grant.Autoscaled,
			MinReplicas: lease.Grant.MinReplicas,
			MaxReplicas: lease.Grant.MaxReplicas,
			Metrics:     make(map[policy.Metric]int64, len(lease.Grant.Metrics)),
		}
		for _, target := range lease.Grant.Metrics {
			granted.Metrics[target.Metric] = target.Threshold
		}
		for _, adjustment := range lease.Grant.Adjustments {
			granted.Adjustments = append(granted.Adjustments, adjustment.String())
		}
		g.Leases[lease.Name] = granted
	}
	text, err := json.Marshal(g)
	if err != nil {
		return "", fmt.Errorf("encode the grants: %w", err)
	}
	// JSON has two braces in a row only within strings, where the second may be escaped.
	safe := strings.ReplaceAll(string(text), "{{", `{\u007b`)
	return `{{- define "tms.grants" -}}` + safe + `{{- end -}}`, nil
}
