// Package grafana runs the queries of Grafana dashboards as Grafana does, and draws the
// results.
package grafana

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Dashboard has the parts of a dashboard that have queries.
type Dashboard struct {
	UID, Title  string
	Panels      []Panel
	Templating  struct{ List []Variable }
	Annotations struct {
		List []Annotation
	}
}

// Panel is a panel, or a row, which has no queries.
type Panel struct {
	Type, Title string
	GridPos     struct{ X, Y, W, H float64 }
	FieldConfig struct {
		Defaults struct{ Unit string }
	}
	Targets []Query
}

// Query is a query of a panel.
type Query struct {
	Expr, LegendFormat string
	// Instant reports whether the panel shows the value at the end of the time range.
	Instant bool
}

// Variable is a variable of a dashboard. Its query returns its values.
type Variable struct {
	Name, Type, Query, Regex string
	IncludeAll               bool
}

// Annotation is a query: each of its samples is an event.
type Annotation struct{ Name, Expr, IconColor string }

// Read reads the file of a dashboard.
func Read(file string) (Dashboard, error) {
	var d Dashboard
	text, err := os.ReadFile(file)
	if err != nil {
		return d, err
	}
	return d, json.Unmarshal(text, &d)
}

var (
	labelValues = regexp.MustCompile(`(?s)^label_values\((.+), (\w+)\)$`)
	queryResult = regexp.MustCompile(`(?s)^query_result\((.+)\)$`)
)

// LabelValues returns the selector and the label if the query is a label_values.
func (v Variable) LabelValues() (selector, label string, ok bool) {
	part := labelValues.FindStringSubmatch(v.Query)
	if part == nil {
		return "", "", false
	}
	return part[1], part[2], true
}

// QueryResult returns the expression if the query is a query_result.
func (v Variable) QueryResult() (expr string, ok bool) {
	part := queryResult.FindStringSubmatch(v.Query)
	if part == nil {
		return "", false
	}
	return part[1], true
}

// Values returns the values that the regular expression of the variable finds in the
// samples of a query_result. Grafana writes a sample as {a="b", c="d"} value.
func (v Variable) Values(samples []map[string]string) ([]string, error) {
	find, err := regexp.Compile(strings.Trim(v.Regex, "/"))
	if err != nil {
		return nil, fmt.Errorf("variable %s: %w", v.Name, err)
	}
	var values []string
	for _, labels := range samples {
		var pairs []string
		for name, value := range labels {
			pairs = append(pairs, fmt.Sprintf("%s=%q", name, value))
		}
		slices.Sort(pairs)
		if found := find.FindStringSubmatch("{" + strings.Join(pairs, ",") + "} 1"); found != nil && !slices.Contains(values, found[1]) {
			values = append(values, found[1])
		}
	}
	slices.Sort(values)
	return values, nil
}

// Scope has the values of variables.
type Scope struct {
	Values map[string][]string
	// Step is the distance of two points of a panel, and RateInterval the window of rates.
	Step, RateInterval time.Duration
}

// Interpolate replaces the variables in an expression, as Grafana does for Prometheus: several
// values become a regular expression.
func (s Scope) Interpolate(expr string) string {
	pairs := []string{"$__rate_interval", s.RateInterval.String(), "$__interval", s.Step.String()}
	names := make([]string, 0, len(s.Values))
	for name := range s.Values {
		names = append(names, name)
	}
	// A name can be the beginning of another one.
	slices.SortFunc(names, func(a, b string) int { return len(b) - len(a) })
	for _, name := range names {
		text := ""
		switch values := s.Values[name]; len(values) {
		case 0:
		case 1:
			text = values[0]
		default:
			quoted := make([]string, len(values))
			for i, value := range values {
				quoted[i] = strings.ReplaceAll(regexp.QuoteMeta(value), `\`, `\\`)
			}
			text = "(" + strings.Join(quoted, "|") + ")"
		}
		pairs = append(pairs, "$"+name, text)
	}
	return strings.NewReplacer(pairs...).Replace(expr)
}

// Legend returns the name of a series.
func (q Query) Legend(labels map[string]string) string {
	return regexp.MustCompile(`{{(\w+)}}`).ReplaceAllStringFunc(q.LegendFormat, func(part string) string { return labels[strings.Trim(part, "{}")] })
}
