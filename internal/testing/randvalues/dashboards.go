package randvalues

func (d *dice) dashboards() any {
	return object{
		"enabled":     !d.sometimes(4),
		"namespace":   pick(d, "", "monitoring"),
		"labels":      object{"team": "a", "grafana_dashboard": pick[any](d, "1", "yes", "", nil)},
		"annotations": object{"grafana_folder": pick(d, "TMS", "a: b", "{{ .Values }}")},
		"grafanaUrl":  pick(d, "", "https://grafana.example.com", "http://[::1]:3000/a/b"),
		"grafanaOperator": pick[any](d, nil, object{"enabled": true}, object{
			"enabled": true, "folder": pick(d, "", "a: 'b'"), "allowCrossNamespaceImport": d.sometimes(2),
			"instanceSelector": object{"matchLabels": object{"dashboards": "grafana"}},
		}),
	}
}
