{{/*
tms.alerts: the alerts of autoscaled leases.
Arguments: root (the root context), grant, shared and lease (see tms.ruleGroups), pods (see
tms.rulePods), window (the rate window). Result: YAML, a list.

In a shared PrometheusRule the series have the label tms_lease. The HorizontalPodAutoscalers
do not: it is cut from their names, see tms.hpa.name. Another release in the namespace can have autoscalers
with such names, so the alerts also ask which leases have series of this PodMonitor.
*/}}
{{- define "tms.alerts" -}}
{{- $root := .root -}}
{{- $shared := .shared -}}
{{- $grant := .grant -}}
{{- $lease := .lease -}}
{{- $pods := .pods -}}
{{- $namespace := .root.Release.Namespace -}}
{{- $fullname := include "tms.fullname" .root -}}
{{- $object := ternary (printf "%s-%s" $fullname $lease) $grant.name $shared -}}
{{- $keda := include "tms.keda" .root -}}
{{- $autoscaler := ternary "{{ $labels.horizontalpodautoscaler }}" (include "tms.hpa.name" $grant) $shared -}}
{{- $scheduled := and $shared (default false $grant.scheduled) -}}
{{- $pattern := printf "%s-%s" $fullname (ternary "([^.]+).*" "(.+)" $scheduled) -}}
{{- $hpa := ternary (printf "namespace=%q,horizontalpodautoscaler=~%q" $namespace (printf "%s-%s" $fullname (ternary ".+" "[^.]+" $scheduled)))
  (printf "namespace=%q,horizontalpodautoscaler=%q" $namespace $autoscaler) $shared -}}
- alert: TMSLeaseMetricsMissing
  expr: |-
    absent_over_time(nv_inference_request_success{ {{- $pods -}} }[{{ .window }}])
  for: 5m
  labels:
    severity: warning
    {{- if not $shared }}
    tms_lease: {{ $lease | quote }}
    {{- end }}
  annotations:
    summary: Prometheus reads no Triton metrics of {{ ternary (printf "the leases in namespace %s" $namespace) (printf "lease %s" $lease) $shared }}.
    description: >-
      No Triton series has come from the pods of PodMonitor {{ $namespace }}/{{ $grant.name }}
      for 5 minutes, so {{ ternary "its leases" "the lease" $shared }} cannot scale by the metrics of Triton. See whether the pods run, then compare
      the labels of the PodMonitor with .spec.podMonitorSelector of the Prometheus, and the labels of the
      namespace with its .spec.podMonitorNamespaceSelector.
    {{- include "tms.alertLinks" (dict "root" $root "alert" "TMSLeaseMetricsMissing" "panel" 3 "object" (ternary "" $object $shared)) | nindent 4 }}
{{- if $shared }}
{{- /* One lease, while others have series. A lease with its own PodMonitor has an alert of
       its own. The last part are the leases of other shared PodMonitors. */}}
- alert: TMSLeaseMetricsMissing
  expr: |-
    label_replace(
      {{- $autoscalers := printf "group by (namespace, horizontalpodautoscaler) (kube_horizontalpodautoscaler_spec_target_metric{%s,metric_name=~%q})" $hpa (ternary "tms_.+" (include "tms.kedaMetrics" .) (eq $keda "")) }}
      {{- if $scheduled }}
      label_replace(
        {{ $autoscalers }},
        "horizontalpodautoscaler", "$1", "horizontalpodautoscaler", "([^.]+)[.]schedule"
      ),
      {{- else }}
      {{ $autoscalers }},
      {{- end }}
      "tms_lease", "$1", "horizontalpodautoscaler", "{{ $pattern }}"
    )
    unless on (namespace)
    absent_over_time(nv_inference_request_success{ {{- $pods -}} }[{{ .window }}])
    unless on (namespace, tms_lease)
    group by (namespace, tms_lease) (present_over_time(nv_inference_request_success{ {{- $pods -}} }[{{ .window }}]))
    unless on (namespace, horizontalpodautoscaler)
    label_replace(
      group by (namespace, job) (up{namespace={{ $namespace | quote }},job=~"{{ $namespace }}/[^.]+"}),
      "horizontalpodautoscaler", "$1", "job", ".+/(.+)"
    )
    unless on (namespace, horizontalpodautoscaler)
    label_join(
      label_replace(
        group by (namespace, job, tms_lease) (up{namespace={{ $namespace | quote }},job=~"{{ $namespace }}/[^.]+[.](.+[.])?leases",job!="{{ $namespace }}/{{ $grant.name }}"}),
        "fullname", "$1", "job", ".+/([^.]+)[.].+"
      ),
      "horizontalpodautoscaler", "-", "fullname", "tms_lease"
    )
  for: 5m
  labels:
    severity: warning
    tms_lease: {{ $lease | quote }}
  annotations:
    summary: Prometheus reads no Triton metrics of lease {{ $lease }}.
    description: >-
      No Triton series has come from the pods of lease {{ $lease }} for 5 minutes, so HorizontalPodAutoscaler
      {{ $namespace }}/{{ $autoscaler }} cannot scale it by the metrics of Triton. Prometheus reads
      those of other leases of PodMonitor {{ $namespace }}/{{ $grant.name }}. See whether the pods of the lease run, and
      whether Prometheus reaches their port for metrics.
    {{- include "tms.alertLinks" (dict "root" $root "alert" "TMSLeaseMetricsMissing" "panel" 3 "object" $object) | nindent 4 }}
{{- end }}
- alert: TMSLeaseRequestsRejected
  expr: |-
    sum by (namespace{{ if $shared }}, tms_lease{{ end }}) (rate(nv_inference_request_failure{ {{- $pods -}} ,reason="REJECTED"}[{{ .window }}])) > 0
  for: 1m
  labels:
    severity: warning
    tms_lease: {{ $lease | quote }}
  annotations:
    summary: Triton rejects requests of lease {{ $lease }}.
    description: >-
      Triton has rejected requests of lease {{ $lease }} in namespace {{ $namespace }} for a minute,
      because they waited in a model's queue for as long as its queue policy allows. Let the lease scale
      earlier (a lower threshold) or further (a higher maximum), or allow a longer timeout.
    {{- include "tms.alertLinks" (dict "root" $root "alert" "TMSLeaseRequestsRejected" "panel" 2 "object" $object) | nindent 4 }}
{{- /* KEDA names a metric after its place in the ScaledObject, which differs by lease. So with
       KEDA one shared rule is for all metrics of all leases. */}}
{{- $any := and $shared (ne $keda "") }}
{{- $done := false }}
{{- range $index, $metric := $grant.metrics }}
{{- if and .waiting (not $done) }}
{{- $done = $any }}
{{- $name := ternary "{{ $labels.metric_name }}" .name $any }}
{{- $selector := printf "metric_name=%q" (ternary .series (printf "s%d-prometheus" $index) (eq $keda "")) }}
{{- if $any }}{{ $selector = printf "metric_name=~%q" (include "tms.kedaMetrics" .) }}{{ end }}
{{- $atMaximum := include "tms.atMaximum" (dict "hpa" $hpa "selector" $selector "any" $any) }}
- alert: TMSLeaseAtMaximum
  expr: |-
    {{- if $shared }}
    label_replace(
      {{- $atMaximum | nindent 6 -}},
      "tms_lease", "$1", "horizontalpodautoscaler", "{{ $pattern }}"
    )
    and on (namespace, tms_lease)
    group by (namespace, tms_lease) (nv_inference_request_success{ {{- $pods -}} })
    {{- else }}
    {{- $atMaximum | nindent 4 }}
    {{- end }}
  for: 10m
  labels:
    severity: warning
    tms_lease: {{ $lease | quote }}
    tms_metric: {{ ternary (quote $name) $name $any }}
  annotations:
    summary: Lease {{ $lease }} is at its maximum, and {{ $name }} is still above its threshold.
    description: >-
      HorizontalPodAutoscaler {{ $namespace }}/{{ $autoscaler }} has had its maximum of
      {{ if or $shared $grant.scheduled }}replicas{{ else }}{{ $grant.maxReplicas }} replicas{{ end }} for 10 minutes, and {{ $name }} is above its threshold
      {{- if $shared }}: it is
      {{ `{{ printf "%.0f" $value }}` }}{{ if not $any }} {{ .unit }}{{ end }}. Raise {{ else }} of
      {{ .threshold }} {{ .unit }}. Raise {{ end }}{{ $grant.path }}.autoscaling.replicas.maximum
      {{- if $grant.scheduled }}, or that of the entry of its schedule{{ end }}. If
      server.autoscaling.replicas.limits.maximum is the bound, raise it too.
    {{- include "tms.alertLinks" (dict "root" $root "alert" "TMSLeaseAtMaximum" "panel" 1 "object" $object) | nindent 4 }}
{{- end }}
{{- end }}
{{- end -}}

{{/*
tms.alertLinks: the annotations of an alert that are links: to its section of
docs/troubleshooting.md, and to a dashboard. Grafana reads __dashboardUid__ and __panelId__.
Arguments: root (the root context), alert, object (the name of the objects of the lease, or
empty for all leases of the namespace), panel (the id of a panel of the dashboard of the
lease, as in tools/dashboards/lease.go). Result: YAML, a map.
*/}}
{{- define "tms.alertLinks" -}}
{{- $dashboards := default dict .root.Values.dashboards -}}
runbook_url: {{ .root.Chart.Home }}/blob/main/docs/troubleshooting.md#{{ lower .alert }}
{{- if $dashboards.enabled }}
{{- $namespace := .root.Release.Namespace }}
{{- $uid := ternary "tms-lease" "tms-fleet" (ne .object "") }}
__dashboardUid__: {{ $uid }}
{{- if .object }}
__panelId__: {{ .panel | quote }}
{{- end }}
{{- if $dashboards.grafanaUrl }}
dashboard_url: {{ $dashboards.grafanaUrl }}/d/{{ $uid }}?var-namespace={{ $namespace }}{{ if .object }}&var-lease={{ .object }}{{ end }}
{{- end }}
{{- end }}
{{- end -}}

{{/*
tms.atMaximum: HorizontalPodAutoscalers with their maximum of replicas and a metric above
its threshold. The metric is the value that the HorizontalPodAutoscaler itself read: to read
the series of the pods costs Prometheus all series of the namespace for each lease.
Arguments: hpa (the selector of the HorizontalPodAutoscalers), selector (that of the metric),
any (reports whether the selector is that of several metrics). Result: PromQL.
*/}}
{{- define "tms.atMaximum" -}}
{{- $by := ternary "namespace, horizontalpodautoscaler, metric_name" "namespace, horizontalpodautoscaler" .any -}}
{{- $metric := printf "%s,%s,metric_target_type=\"average\"" .hpa .selector -}}
max by ({{ $by }}) (kube_horizontalpodautoscaler_status_target_metric{ {{- $metric -}} })
>
max by ({{ $by }}) (kube_horizontalpodautoscaler_spec_target_metric{ {{- $metric -}} })
and{{ if .any }} on (namespace, horizontalpodautoscaler){{ end }}
max by (namespace, horizontalpodautoscaler) (kube_horizontalpodautoscaler_status_current_replicas{ {{- .hpa -}} })
>=
max by (namespace, horizontalpodautoscaler) (kube_horizontalpodautoscaler_spec_max_replicas{ {{- .hpa -}} })
{{- end -}}
