{{/*
tms.server.enabled: whether tms-server is installed. It does not judge: where
the values are wrong, another template says so.
Argument: the root context. Result: "true", or nothing.
*/}}
{{- define "tms.server.enabled" -}}
{{- with .Values.server -}}
{{- if .enabled -}}true{{- end -}}
{{- end -}}
{{- end -}}

{{/*
tms.server.ofCluster: whether what a cluster has once is installed with it.
Argument: the root context. Result: "true", or nothing.
*/}}
{{- define "tms.server.ofCluster" -}}
{{- if and (include "tms.server.enabled" .) (default dict .Values.server.crd).enabled -}}true{{- end -}}
{{- end -}}

{{/*
tms.server.name: the name of the objects of tms-server. _policy.tpl refuses a
lease whose objects would have it, too.
Argument: the root context. Result: a string.
*/}}
{{- define "tms.server.name" -}}
{{- printf "%s-server" (include "tms.fullname" .) -}}
{{- end -}}

{{/*
tms.server.foreignName: a name for an object that does not stand in the namespace
of the release, where it must differ from that of another installation.
Arguments: root (the root context), suffix (of the name in the release). Result: a string.
*/}}
{{- define "tms.server.foreignName" -}}
{{- printf "%s-%s.%s" (include "tms.fullname" .root) .suffix .root.Release.Namespace -}}
{{- end -}}

{{/*
tms.server.selectorLabels: the labels that select the pods of tms-server. They lack
the label of a lease, so that no lease selects them, and no lease has this component.
Argument: the root context. Result: YAML.
*/}}
{{- define "tms.server.selectorLabels" -}}
app.kubernetes.io/name: {{ include "tms.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: "server"
{{- end -}}

{{/*
tms.server.podLabels: the labels of the pods of tms-server. None of them changes
with the version of the chart.
Argument: the root context. Result: YAML.
*/}}
{{- define "tms.server.podLabels" -}}
{{ include "tms.server.selectorLabels" . }}
{{ include "tms.releaseLabels" . }}
{{- end -}}

{{/*
tms.server.labels: the labels of every object of tms-server.
Argument: the root context. Result: YAML.
*/}}
{{- define "tms.server.labels" -}}
{{ include "tms.server.podLabels" . }}
{{ include "tms.chartLabels" . }}
{{- end -}}

{{/*
tms.server.metadata: the metadata that every object of tms-server in the namespace
of the release begins with.
Argument: the root context. Result: YAML.
*/}}
{{- define "tms.server.metadata" -}}
name: {{ include "tms.server.name" . | quote }}
namespace: {{ .Release.Namespace | quote }}
labels:
  {{- include "tms.server.labels" . | nindent 2 }}
{{- end -}}

{{/*
tms.server.memoryLimit: nine tenths of the memory limit, which GOMEMLIMIT is told:
the limit counts what Go's runtime does not, too. The downward API can tell the
whole limit only, and that of the node where there is none.
Argument: the quantity of the limit. Result: bytes, or nothing where there is no
limit, or one of an unusual unit.
*/}}
{{- define "tms.server.memoryLimit" -}}
{{- $units := dict "" 1 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 -}}
{{- $quantity := toString . -}}
{{- $unit := regexFind "[A-Za-z]*$" $quantity -}}
{{- if and (regexMatch "^[0-9.]*[1-9]" $quantity) (hasKey $units $unit) -}}
{{- mulf (trimSuffix $unit $quantity | float64) (get $units $unit | float64) 0.9 | int64 -}}
{{- end -}}
{{- end -}}
