{{/*
tms.name: the name of the chart.
Argument: the root context. Result: a string.
*/}}
{{- define "tms.name" -}}
{{- default .Chart.Name .Values.nameOverride -}}
{{- end -}}

{{/*
tms.fullname: the beginning of the names of all objects. It is never truncated,
because two truncated names can collide: _policy_lease.tpl refuses a name that is too
long.
Argument: the root context. Result: a string.
*/}}
{{- define "tms.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains (include "tms.name" .) .Release.Name -}}
{{- .Release.Name -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "tms.name" .) -}}
{{- end -}}
{{- end -}}

{{/*
tms.selectorLabels: the labels that select the pods of one lease and no others.
Arguments: root (the root context), lease (the name of the lease). Result: YAML.
*/}}
{{- define "tms.selectorLabels" -}}
app.kubernetes.io/name: {{ include "tms.name" .root | quote }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
tms.triton-leases.dev/lease: {{ .lease | quote }}
{{- end -}}

{{/*
tms.podLabels: the labels of the pods of one lease. They do not depend on the version
of the chart, so an upgrade does not restart a Triton that has not changed.
Arguments: root (the root context), lease (the name of the lease). Result: YAML.
*/}}
{{- define "tms.podLabels" -}}
{{ include "tms.selectorLabels" . }}
app.kubernetes.io/component: "triton"
{{ include "tms.releaseLabels" .root }}
{{- end -}}

{{/*
tms.releaseLabels: the labels of all pods that describe the release.
Argument: the root context. Result: YAML.
*/}}
{{- define "tms.releaseLabels" -}}
{{- with .Values.kubernetes }}
{{- with .partOf -}}
app.kubernetes.io/part-of: {{ . | quote }}
{{ end }}
{{- end -}}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
{{- end -}}

{{/*
tms.labels: the labels of every object of one lease.
Arguments: root (the root context), lease (the name of the lease). Result: YAML.
*/}}
{{- define "tms.labels" -}}
{{ include "tms.podLabels" . }}
{{ include "tms.chartLabels" .root }}
{{- end -}}

{{/*
tms.chartLabels: the labels of all objects except pods that describe the chart.
Argument: the root context. Result: YAML.
*/}}
{{- define "tms.chartLabels" -}}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | quote }}
{{- end -}}

{{/*
tms.metadata: the metadata of every object of one lease, without annotations.
Arguments: root (the root context), lease (the name of the lease), name (the
name of the object), labels (more labels, or nil). Result: YAML.
*/}}
{{- define "tms.metadata" -}}
name: {{ .name | quote }}
namespace: {{ .root.Release.Namespace | quote }}
labels:
  {{- include "tms.labels" . | nindent 2 }}
  {{- with include "tms.moreLabels" . }}
  {{- . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/*
tms.sharedMetadata: the metadata of every object that belongs to all leases of the
namespace.
Arguments: root (the root context), name (the name of the object), labels (more labels, or
nil). Result: YAML.
*/}}
{{- define "tms.sharedMetadata" -}}
name: {{ .name | quote }}
namespace: {{ .root.Release.Namespace | quote }}
labels:
  app.kubernetes.io/name: {{ include "tms.name" .root | quote }}
  app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
  app.kubernetes.io/component: "triton"
  {{- include "tms.releaseLabels" .root | nindent 2 }}
  {{- include "tms.chartLabels" .root | nindent 2 }}
  {{- with include "tms.moreLabels" . }}
  {{- . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/*
tms.dashboardLabels: the labels of the objects of a dashboard.
Arguments: root (the root context), labels (more labels, or nil). Result: YAML.
*/}}
{{- define "tms.dashboardLabels" -}}
app.kubernetes.io/name: {{ include "tms.name" .root | quote }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: "dashboard"
{{ include "tms.releaseLabels" .root }}
{{ include "tms.chartLabels" .root }}
{{- with include "tms.moreLabels" . }}
{{ . }}
{{- end }}
{{- end -}}

{{/*
tms.moreLabels: the labels of an object that the values name: commonLabels, and labels
for its kind, which override them. An empty value removes a label.
Arguments: root (the root context), labels (those for the kind, or nil). Result: YAML, or
nothing.
*/}}
{{- define "tms.moreLabels" -}}
{{- include "tms.withoutEmpty" (mergeOverwrite (deepCopy (default dict .root.Values.commonLabels)) (default dict .labels)) -}}
{{- end -}}

{{/*
tms.podMonitorLabels: the labels by which Prometheus selects PodMonitors.
Argument: the root context. Result: YAML.
*/}}
{{- define "tms.podMonitorLabels" -}}
{{- default (dict "release" "prometheus") .Values.server.autoscaling.prometheus.podMonitorLabels | toYaml -}}
{{- end -}}
