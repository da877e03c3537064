{{/*
Policy, part 4: refuses models that Triton cannot get, as pkg/policy/repositories.go.
*/}}

{{/*
tms.policy.repositories: checks the URIs of the models of a lease.
Argument: the lease (see _policy_lease.tpl). Result: nothing.
*/}}
{{- define "tms.policy.repositories" -}}
{{- $lease := . -}}
{{- $root := .policy.root -}}
{{- $known := dict -}}
{{- range $name, $value := (default dict $root.Values.server).modelRepositories -}}
{{- if kindIs "map" $value -}}{{- $_ := set $known $name $value -}}{{- end -}}
{{- end -}}
{{- $models := (include "tms.models" (dict "root" $root "models" .spec.models) | fromJson).models -}}
{{- $account := default "" (default dict .spec.triton).serviceAccountName -}}
{{- $file := false -}}
{{- range $models -}}
{{- $file = or $file (not (not (default dict (get $known .repository)).credentialFile)) -}}
{{- end -}}
{{- $secrets := dict -}}
{{- range $index, $model := .spec.models -}}
{{- $resolved := index $models $index -}}
{{- $reasons := list -}}
{{- $named := default dict (get $known $resolved.repository) -}}
{{- if and (hasPrefix "repo://" $model.uri) (not $resolved.repository) -}}
{{- $names := keys $known | sortAlpha -}}
{{- $reasons = append $reasons (printf "server.modelRepositories has no repository %q: %s" (trimPrefix "repo://" $model.uri | regexFind "^[-a-z0-9]+") (ternary (printf "it has %s" (join ", " $names)) "it has no named repository" (gt (len $names) 0))) -}}
{{- else if hasPrefix "https://" $resolved.uri -}}
{{- if not (default dict $root.Values.images).server -}}
{{- $reasons = append $reasons "set images.server: a program of the image of tms-server downloads https:// models" -}}
{{- end -}}
{{- else if and $resolved.repository (contains "#" $model.uri) -}}
{{- $reasons = append $reasons (printf "must not have a digest, because only https:// models have one: the repository %q is %s" $resolved.repository $named.uri) -}}
{{- else if and (hasPrefix "oci://" $resolved.uri) (not (semverCompare ">=1.33.0-0 || 1.20.0" $root.Capabilities.KubeVersion.Version)) -}}
{{- $reasons = append $reasons "needs Kubernetes 1.33 or later, which mounts images as volumes" -}}
{{- end -}}
{{- with $named.serviceAccountName -}}
{{- if and $account (ne . $account) -}}
{{- $reasons = append $reasons (printf "needs the service account %q, but the lease already has %q: a pod has one service account" . $account) -}}
{{- end -}}
{{- $account = . -}}
{{- end -}}
{{- if and $named.secretName (not (hasPrefix "https://" $resolved.uri)) -}}
{{- $secret := ternary (printf "%s/%s" $named.secretName $named.credentialFile) $named.secretName (not (not $named.credentialFile)) -}}
{{- $kind := ternary "" (regexFind "^[a-z0-9]*" $named.uri) $file -}}
{{- $other := default $secret (get $secrets $kind) -}}
{{- if ne $other $secret -}}
{{- $reasons = append $reasons (printf "needs the secret %q, but another model of the lease has %q: Triton reads one secret for each kind of URI, or one credential file for all" $secret $other) -}}
{{- end -}}
{{- $_ := set $secrets $kind $secret -}}
{{- end -}}
{{- range $reasons -}}
{{- include "tms.policy.refuse" (list $lease (printf ".models[%d].uri: Invalid value: %q: %s" $index $model.uri .)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
tms.policy.downloads: reports whether a lease has an https:// model.
Argument: the root context. Result: "true", or nothing.
*/}}
{{- define "tms.policy.downloads" -}}
{{- $found := false -}}
{{- range $name, $spec := .Values.leases -}}
{{- range (include "tms.models" (dict "root" $ "models" $spec.models) | fromJson).models -}}
{{- $found = or $found (hasPrefix "https://" .uri) -}}
{{- end -}}
{{- end -}}
{{- if $found -}}true{{- end -}}
{{- end -}}
