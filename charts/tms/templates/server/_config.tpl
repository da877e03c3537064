{{/*
tms.server.config: the administrator's configuration, as tms-server reads it: what
decides what a lease is granted and what its manifests say, and nothing else.
Argument: the root context. Result: a values file in YAML.

It is whole: tms-server lays it over the defaults of its own chart, which may be of
another version. A default that the values removed is null in it.
*/}}
{{- define "tms.server.config" -}}
{{- /* What is wrong with the values is said before anything of them is read. */ -}}
{{- include "tms.grants" . -}}
{{- $defaults := .Files.Get "files/values.yaml" | fromYaml -}}
{{- $whole := dict
  "images" (pick .Values.images "triton" "secrets")
  "kubernetes" (deepCopy (default dict .Values.kubernetes))
  "server" (deepCopy (pick .Values.server "autoscaling" "leases" "allowlist"))
  "triton" (deepCopy (default dict .Values.triton))
  "fullnameOverride" (default "" .Values.fullnameOverride) -}}
{{- /* The chart may be called otherwise here: below another chart, by an alias. */ -}}
{{- $_ := set $whole "nameOverride" (include "tms.name" .) -}}
{{- range $key := list "images" "kubernetes" "server" "triton" -}}
{{- $below := get $defaults $key -}}
{{- if eq $key "images" -}}{{- $below = pick $below "triton" "secrets" -}}{{- end -}}
{{- if eq $key "server" -}}{{- $below = pick $below "autoscaling" "leases" "allowlist" -}}{{- end -}}
{{- include "tms.server.removed" (dict "values" (get $whole $key) "defaults" $below) -}}
{{- end -}}
{{- /* Helm removes "<no value>" from all that it renders. JSON, which YAML is as well,
       has it as \u003cno value\u003e. */ -}}
{{- $text := toYaml $whole -}}
{{- ternary (toPrettyJson $whole) $text (contains "<no value>" $text) -}}
{{- end -}}

{{/*
tms.server.removed: sets null in values where a default is that they do not have.
Arguments: values (which are changed), defaults. Result: nothing.
*/}}
{{- define "tms.server.removed" -}}
{{- $values := .values -}}
{{- range $key, $default := .defaults -}}
{{- if not (hasKey $values $key) -}}
{{- $_ := set $values $key nil -}}
{{- else if and (kindIs "map" $default) (kindIs "map" (get $values $key)) -}}
{{- include "tms.server.removed" (dict "values" (get $values $key) "defaults" $default) -}}
{{- end -}}
{{- end -}}
{{- end -}}
