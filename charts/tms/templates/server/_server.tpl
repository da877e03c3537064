{{/*
tms.server.enabled: reports whether tms-server is installed.
Argument: the root context. Result: "true", or nothing.
*/}}
{{- define "tms.server.enabled" -}}
{{- with .Values.server -}}
{{- if .enabled -}}true{{- end -}}
{{- end -}}
{{- end -}}

{{/*
tms.server.ofCluster: reports whether the release installs the objects that all
installations in the cluster share.
Argument: the root context. Result: "true", or nothing.
*/}}
{{- define "tms.server.ofCluster" -}}
{{- if and (include "tms.server.enabled" .) (default dict .Values.server.crd).enabled -}}true{{- end -}}
{{- end -}}

{{/*
tms.server.schedules: reports whether a lease in the values has a schedule.
Argument: the root context. Result: "true", or nothing.
*/}}
{{- define "tms.server.schedules" -}}
{{- include "tms.grants" . -}}
{{- $any := false -}}
{{- range .Values.__grants.leases -}}
{{- $any = or $any (default false .scheduled) -}}
{{- end -}}
{{- if $any -}}true{{- end -}}
{{- end -}}

{{/*
tms.server.name: the name of the objects of tms-server. _policy_lease.tpl refuses a
lease with the same name of objects.
Argument: the root context. Result: a string.
*/}}
{{- define "tms.server.name" -}}
{{- printf "%s-server" (include "tms.fullname" .) -}}
{{- end -}}

{{/*
tms.server.foreignName: the name of an object outside the namespace of the release.
It contains the namespace, so that the names of two installations differ.
Arguments: root (the root context), suffix. Result: a string.
*/}}
{{- define "tms.server.foreignName" -}}
{{- printf "%s-%s.%s" (include "tms.fullname" .root) .suffix .root.Release.Namespace -}}
{{- end -}}

{{/*
tms.server.selectorLabels: the labels that select the pods of tms-server. No lease
selects these pods, because they do not have the label of a lease.
Argument: the root context. Result: YAML.
*/}}
{{- define "tms.server.selectorLabels" -}}
app.kubernetes.io/name: {{ include "tms.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: "server"
{{- end -}}

{{/*
tms.server.podLabels: the labels of the pods of tms-server. They do not depend on the
version of the chart.
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
{{- with include "tms.moreLabels" (dict "root" .) }}
{{ . }}
{{- end }}
{{- end -}}

{{/*
tms.server.metadata: the beginning of the metadata of every object of tms-server in
the namespace of the release.
Argument: the root context. Result: YAML.
*/}}
{{- define "tms.server.metadata" -}}
name: {{ include "tms.server.name" . | quote }}
namespace: {{ .Release.Namespace | quote }}
labels:
  {{- include "tms.server.labels" . | nindent 2 }}
{{- end -}}

{{/*
tms.server.env: the environment variables of tms-server.
Argument: the root context. Result: items of a YAML list, or nothing.
*/}}
{{- define "tms.server.env" -}}
{{- $server := .Values.server -}}
{{- $variables := list -}}
{{- with include "tms.server.memoryLimit" (default dict (default dict $server.resources).limits).memory -}}
{{- $variables = append $variables (dict "name" "GOMEMLIMIT" "value" .) -}}
{{- end -}}
{{- range $server.extraEnv -}}
{{- if eq .name "GOMEMLIMIT" -}}{{- $variables = list -}}{{- end -}}
{{- end -}}
{{- with concat $variables (default list $server.extraEnv) -}}
{{- toYaml . -}}
{{- end -}}
{{- end -}}

{{/*
tms.server.memoryLimit: nine tenths of the memory limit, for GOMEMLIMIT. The limit also
counts memory that Go's runtime does not manage. The downward API offers only the whole
limit, or the memory of the node if there is no limit.
Argument: the quantity of the limit. Result: bytes, or nothing if there is no limit or
its unit is unusual.
*/}}
{{- define "tms.server.memoryLimit" -}}
{{- $units := dict "" 1 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 -}}
{{- $quantity := toString . -}}
{{- $unit := regexFind "[A-Za-z]*$" $quantity -}}
{{- if and (regexMatch "^[0-9.]*[1-9]" $quantity) (hasKey $units $unit) -}}
{{- mulf (trimSuffix $unit $quantity | float64) (get $units $unit | float64) 0.9 | int64 -}}
{{- end -}}
{{- end -}}
