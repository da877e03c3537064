{{/*
tms.server.config: the configuration of tms-server: the values that decide what a lease
is granted and what its manifests contain.
Argument: the root context. Result: a values file in YAML.

It is complete, because tms-server merges it with the defaults of its own chart, which
may be another version. If the values removed a default, the result has a null.
*/}}
{{- define "tms.server.config" -}}
{{- /* Invalid values fail here, before the code below reads them. */ -}}
{{- include "tms.grants" . -}}
{{- $defaults := .Files.Get "files/values.yaml" | fromYaml -}}
{{- $whole := dict
  "images" (pick .Values.images "triton" "server" "secrets" "pullPolicy")
  "server" (deepCopy (pick .Values.server "autoscaling" "leases" "allowlist" "modelRepositories" "modelDownloads"))
  "dashboards" (pick (default dict .Values.dashboards) "enabled" "grafanaUrl")
  "fullnameOverride" (default "" .Values.fullnameOverride) -}}
{{- $ofLeases := list "kubernetes" "triton" "service" "routes" "networkPolicy" "metrics" "commonLabels" -}}
{{- range $ofLeases -}}
{{- $_ := set $whole . (deepCopy (default dict (get $.Values .))) -}}
{{- end -}}
{{- /* In a parent chart, an alias can rename this chart. */ -}}
{{- $_ := set $whole "nameOverride" (include "tms.name" .) -}}
{{- range $key := concat (list "images" "server" "dashboards") $ofLeases -}}
{{- $below := get $defaults $key -}}
{{- if eq $key "images" -}}{{- $below = pick $below "triton" "server" "secrets" "pullPolicy" -}}{{- end -}}
{{- if eq $key "server" -}}{{- $below = pick $below "autoscaling" "leases" "allowlist" "modelRepositories" "modelDownloads" -}}{{- end -}}
{{- if eq $key "dashboards" -}}{{- $below = pick $below "enabled" "grafanaUrl" -}}{{- end -}}
{{- include "tms.server.removed" (dict "values" (get $whole $key) "defaults" $below) -}}
{{- end -}}
{{- /* Helm removes the text "<no value>" from manifests. JSON escapes it as
       \u003cno value\u003e, and JSON is YAML. */ -}}
{{- $text := toYaml $whole -}}
{{- ternary (toPrettyJson $whole) $text (contains "<no value>" $text) -}}
{{- end -}}

{{/*
tms.server.removed: sets a null for each default that the values do not have.
Arguments: values (which it changes), defaults. Result: nothing.
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
