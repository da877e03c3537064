{{/*
tms.name: the name of the chart.
Argument: the root context. Result: a string.
*/}}
{{- define "tms.name" -}}
{{- default .Chart.Name .Values.nameOverride -}}
{{- end -}}

{{/*
tms.fullname: what the names of all objects begin with. It is never truncated:
two truncated names can collide, so _policy.tpl refuses what does not fit.
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
tms.selectorLabels: the labels that select the pods of one lease, and nothing else's.
Arguments: root (the root context), lease (the name of the lease). Result: YAML.
*/}}
{{- define "tms.selectorLabels" -}}
app.kubernetes.io/name: {{ include "tms.name" .root | quote }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
tms.triton-leases.dev/lease: {{ .lease | quote }}
{{- end -}}

{{/*
tms.podLabels: the labels of the pods of one lease. None of them changes with
the version of the chart, so that an upgrade restarts no Triton needlessly.
Arguments: root (the root context), lease (the name of the lease). Result: YAML.
*/}}
{{- define "tms.podLabels" -}}
{{ include "tms.selectorLabels" . }}
app.kubernetes.io/component: "triton"
{{ include "tms.releaseLabels" .root }}
{{- end -}}

{{/*
tms.releaseLabels: what the labels of all pods say of the release.
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
tms.chartLabels: what the labels of all objects but pods say of the chart.
Argument: the root context. Result: YAML.
*/}}
{{- define "tms.chartLabels" -}}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | quote }}
{{- end -}}

{{/*
tms.metadata: the metadata that every object of one lease begins with.
Arguments: root (the root context), lease (the name of the lease), name (the
name of the object). Result: YAML.
*/}}
{{- define "tms.metadata" -}}
name: {{ .name | quote }}
namespace: {{ .root.Release.Namespace | quote }}
labels:
  {{- include "tms.labels" . | nindent 2 }}
{{- end -}}
