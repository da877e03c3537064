{{/*
tms.repositories: the model repositories of one lease.
Argument: the models of the lease. Result: a JSON object with
  repositories  the distinct values of --model-repository, in the order given
  claims        the names of the distinct claims in pvc:// URIs, in the order
                given: the claim at index n is the volume models-<n>
*/}}
{{- define "tms.repositories" -}}
{{- $repositories := list -}}
{{- $claims := list -}}
{{- $seen := dict -}}
{{- range . -}}
{{- $repository := .uri -}}
{{- if hasPrefix "pvc://" .uri -}}
{{- $path := trimPrefix "pvc://" .uri -}}
{{- $claim := regexFind "^[^/]*" $path -}}
{{- if not (hasKey $seen (printf "claim %s" $claim)) -}}
{{- $claims = append $claims $claim -}}
{{- $_ := set $seen (printf "claim %s" $claim) true -}}
{{- end -}}
{{- $repository = printf "/mnt/models/%s" $path -}}
{{- end -}}
{{- if not (hasKey $seen $repository) -}}
{{- $repositories = append $repositories $repository -}}
{{- $_ := set $seen $repository true -}}
{{- end -}}
{{- end -}}
{{- dict "repositories" $repositories "claims" $claims | toJson -}}
{{- end -}}

{{/*
tms.probe: one probe of the Triton container.
Arguments: path (of the HTTP request), timing (a map or nil). Result: YAML.
*/}}
{{- define "tms.probe" -}}
httpGet:
  path: {{ .path }}
  port: http
{{- range $key, $value := .timing }}
{{ $key }}: {{ int64 $value }}
{{- end }}
{{- end -}}
