{{/*
tms.podTemplate: the template of the pods of one lease.
Arguments: context (see tms.metadata), grant (see _grants.tpl), spec (the lease), triton
(its triton, merged over the defaults). Result: YAML.
*/}}
{{- define "tms.podTemplate" -}}
{{- $values := .context.root.Values -}}
{{- $pods := default dict $values.kubernetes -}}
{{- $triton := .triton -}}
{{- $storage := include "tms.repositories" (dict "root" .context.root "models" .spec.models) | fromJson -}}
metadata:
  {{- $annotations := mergeOverwrite (deepCopy (default dict $pods.customAnnotations)) (default dict $triton.podAnnotations) }}
  {{- $reloaded := "tms.triton-leases.dev/reloaded-at" }}
  {{- if .grant.reloadedAt }}
  {{- $annotations = omit $annotations $reloaded }}
  {{- end }}
  {{- if or .grant.reloadedAt $annotations }}
  annotations:
    {{- with .grant.reloadedAt }}
    {{ $reloaded }}: {{ . | quote }}
    {{- end }}
    {{- with $annotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- end }}
  labels:
    {{- include "tms.podLabels" .context | nindent 4 }}
    {{- with mergeOverwrite (deepCopy (default dict $pods.customLabels)) (default dict $triton.podLabels) }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  automountServiceAccountToken: false
  {{- /* Triton does not need the variables, and thousands of Services make too many of them. */}}
  enableServiceLinks: false
  {{- with coalesce $storage.serviceAccount $triton.serviceAccountName (include "tms.serviceAccount" .context.root) }}
  serviceAccountName: {{ . | quote }}
  {{- end }}
  {{- with $values.images.secrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . | quote }}
    {{- end }}
  {{- end }}
  {{- with include "tms.withoutEmpty" $triton.podSecurityContext }}
  securityContext:
    {{- . | nindent 4 }}
  {{- end }}
  {{- if hasKey $triton "terminationGracePeriodSeconds" }}
  terminationGracePeriodSeconds: {{ int64 $triton.terminationGracePeriodSeconds }}
  {{- end }}
  {{- range $key := list "priorityClassName" "runtimeClassName" "schedulerName" "dnsPolicy" }}
  {{- with get $triton $key }}
  {{ $key }}: {{ . | quote }}
  {{- end }}
  {{- end }}
  {{- if $triton.hostIPC }}
  hostIPC: true
  {{- end }}
  {{- if or $storage.downloads $triton.initContainers }}
  initContainers:
    {{- if $storage.downloads }}
    - {{ include "tms.fetch" (dict "root" .context.root "storage" $storage) | nindent 6 | trim }}
    {{- end }}
    {{- with $triton.initContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- end }}
  containers:
    - {{ include "tms.container" (set (omit . "storage") "storage" $storage) | nindent 6 | trim }}
  volumes:
    - name: shm
      emptyDir:
        medium: Memory
        {{- with $triton.sharedMemorySize }}
        sizeLimit: {{ toJson . | trimAll "\"" | quote }}
        {{- end }}
    {{- range $index, $claim := $storage.claims }}
    - name: models-{{ $index }}
      persistentVolumeClaim:
        claimName: {{ $claim | quote }}
        readOnly: true
    {{- end }}
    {{- range $index, $image := $storage.images }}
    - name: model-images-{{ $index }}
      image:
        reference: {{ $image | quote }}
        {{- with $values.images.pullPolicy }}
        pullPolicy: {{ . | quote }}
        {{- end }}
    {{- end }}
    {{- if $storage.downloads }}
    - name: fetched-models
      emptyDir:
        {{- with include "tms.quantity" (default dict $values.server.modelDownloads).sizeLimit }}
        sizeLimit: {{ . | quote }}
        {{- else }} {}
        {{- end }}
    {{- range $index, $credential := $storage.credentials }}
    - name: fetch-credentials-{{ $index }}
      secret:
        secretName: {{ $credential.secret | quote }}
        optional: true
    {{- end }}
    {{- end }}
    {{- range $storage.files }}
    - name: {{ .volume }}
      secret:
        secretName: {{ .secret | quote }}
        items:
          - key: {{ .key | quote }}
            path: credentials.json
    {{- end }}
    {{- with $triton.volumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- range $key := list "nodeSelector" "affinity" "tolerations" "topologySpreadConstraints" "resourceClaims" }}
  {{- with get $triton $key }}
  {{ $key }}:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
{{- end -}}

{{/*
tms.container: the Triton container.
Arguments: as of tms.podTemplate, and storage (see tms.repositories). Result: YAML.
*/}}
{{- define "tms.container" -}}
{{- $values := .context.root.Values -}}
{{- $triton := .triton -}}
{{- $storage := .storage -}}
{{- $probes := default dict $triton.probes -}}
{{- /* A lease's own hooks are not merged: a hook has one handler. */ -}}
{{- $own := default dict .spec.triton -}}
{{- $lifecycle := ternary $own.lifecycle $triton.lifecycle (hasKey $own "lifecycle") -}}
name: triton
image: {{ default $values.images.triton .spec.image | quote }}
{{- with default $values.images.pullPolicy $triton.imagePullPolicy }}
imagePullPolicy: {{ . | quote }}
{{- end }}
{{- with $triton.command }}
command:
  {{- range . }}
  - {{ . | quote }}
  {{- end }}
{{- end }}
args:
  {{- if not $triton.command }}
  {{- /* The entrypoint of the image prepares CUDA for the driver of the node, and then
         runs its arguments. */}}
  - tritonserver
  {{- end }}
  {{- range $storage.repositories }}
  - {{ printf "--model-repository=%s" . | quote }}
  {{- end }}
  - "--model-control-mode=explicit"
  {{- range .spec.models }}
  - {{ printf "--load-model=%s" .name | quote }}
  {{- end }}
  {{- range .grant.metrics }}
  {{- if eq .name "firstResponseTime" }}
  - "--metrics-config=histogram_latencies=true"
  {{- end }}
  {{- end }}
  - {{ printf "--exit-timeout-secs=%s" (include "tms.exitTimeout" (dict "triton" $triton "lifecycle" $lifecycle)) | quote }}
  {{- $given := concat (default list $triton.command) (default list $triton.args) | join " " }}
  {{- if and .grant.connectionAge $triton.connectionAgeSeconds (not (regexMatch `(^|[\s"'])--grpc-max-connection-age($|[\s"'=])` $given)) }}
  - {{ printf "--grpc-max-connection-age=%d" (mul 1000 (int64 $triton.connectionAgeSeconds)) | quote }}
  {{- end }}
  {{- range $triton.args }}
  - {{ . | quote }}
  {{- end }}
{{- /* The lease's own variables replace those of named repositories. */ -}}
{{- $env := default list $triton.env -}}
{{- range $variable := $storage.env -}}
{{- $given := false -}}
{{- range $triton.env -}}{{- $given = or $given (eq .name $variable.name) -}}{{- end -}}
{{- if not $given -}}{{- $env = append $env $variable -}}{{- end -}}
{{- end -}}
{{- with $env }}
env:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $triton.envFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
ports:
  - name: http
    containerPort: 8000
  - name: grpc
    containerPort: 8001
  - name: metrics
    containerPort: 8002
startupProbe:
  {{- include "tms.probe" (dict "path" "/v2/health/ready" "timing" $probes.startup) | nindent 2 }}
readinessProbe:
  {{- include "tms.probe" (dict "path" "/v2/health/ready" "timing" $probes.readiness) | nindent 2 }}
livenessProbe:
  {{- include "tms.probe" (dict "path" "/v2/health/live" "timing" $probes.liveness) | nindent 2 }}
{{- with include "tms.withoutEmpty" $lifecycle }}
lifecycle:
  {{- . | nindent 2 }}
{{- end }}
{{- with include "tms.withoutEmpty" $triton.resources }}
resources:
  {{- . | nindent 2 }}
{{- end }}
{{- with include "tms.withoutEmpty" $triton.securityContext }}
securityContext:
  {{- . | nindent 2 }}
{{- end }}
volumeMounts:
  - name: shm
    mountPath: /dev/shm
  {{- range $storage.mounts }}
  - name: {{ .name }}
    mountPath: {{ .path | quote }}
    readOnly: true
  {{- end }}
  {{- with $triton.volumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/*
tms.exitTimeout: the seconds in which Triton finishes its requests after the signal to
end: the grace period without the preStop sleep, and 5 seconds less, so that Triton exits
before it is killed.
Arguments: triton, lifecycle (its hooks). Result: digits.
*/}}
{{- define "tms.exitTimeout" -}}
{{- $hook := default dict (default dict .lifecycle).preStop -}}
{{- $sleep := int64 (default 0 (default dict $hook.sleep).seconds) -}}
{{- $grace := int64 (ternary .triton.terminationGracePeriodSeconds 30 (hasKey .triton "terminationGracePeriodSeconds")) -}}
{{- max 1 (sub $grace (add $sleep 5)) -}}
{{- end -}}

{{/*
tms.withoutEmpty: a map without keys that have null, an empty string or an empty
map as their value, at any depth. So an empty string removes a default of the chart.
Null cannot do that in a parent chart: Helm 4.2 and later ignore it.
Argument: a map or nil. Result: YAML; nothing if no key is left.
*/}}
{{- define "tms.withoutEmpty" -}}
{{- $kept := dict -}}
{{- range $key, $value := . -}}
{{- if kindIs "map" $value -}}
{{- $value = include "tms.withoutEmpty" $value | fromYaml -}}
{{- end -}}
{{- if not (or (kindIs "invalid" $value) (eq (toString $value) "") (and (kindIs "map" $value) (not $value))) -}}
{{- $_ := set $kept $key $value -}}
{{- end -}}
{{- end -}}
{{- with $kept -}}{{- toYaml . -}}{{- end -}}
{{- end -}}

{{/*
tms.overlay: lays a part of an object over the object. Maps are merged. An item of a list
below is merged with the item of the same key, or appended; other lists are replaced. Of
a variable or a volume, only the keys of the overlay remain, because it has one source. A
null removes a key.
Arguments: base (the object, which changes), overlay. Result: nothing.
*/}}
{{- define "tms.overlay" -}}
{{- $base := .base -}}
{{- $keys := dict "containers" "name" "initContainers" "name" "volumes" "name" "env" "name" "resourceClaims" "name" "imagePullSecrets" "name" "volumeMounts" "mountPath" "ports" "containerPort" "hostAliases" "ip" -}}
{{- range $name, $value := .overlay -}}
{{- $old := get $base $name -}}
{{- if kindIs "invalid" $value -}}
{{- $_ := unset $base $name -}}
{{- else if and (kindIs "map" $value) (kindIs "map" $old) -}}
{{- include "tms.overlay" (dict "base" $old "overlay" $value) -}}
{{- else if and (kindIs "slice" $value) (kindIs "slice" $old) (hasKey $keys $name) -}}
{{- $key := get $keys $name -}}
{{- range $item := $value -}}
{{- $same := list -}}
{{- if kindIs "map" $item -}}
{{- range $old -}}
{{- if kindIs "map" . -}}
{{- if eq (toString (get . $key)) (toString (get $item $key)) -}}
{{- $same = append $same . -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $match := $same -}}
{{- if has $name (list "env" "volumes") -}}
{{- range keys $match -}}
{{- if not (hasKey $item .) -}}
{{- $_ := unset $match . -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- include "tms.overlay" (dict "base" $match "overlay" $item) -}}
{{- else -}}
{{- $old = append $old $item -}}
{{- end -}}
{{- end -}}
{{- $_ := set $base $name $old -}}
{{- else -}}
{{- $_ := set $base $name $value -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
tms.serviceAccount: the name of the ServiceAccount of the Tritons of the release.
Argument: the root context. Result: a string, or nothing.
*/}}
{{- define "tms.serviceAccount" -}}
{{- with .Values.serviceAccount -}}
{{- default (ternary (include "tms.fullname" $) "" (default false .create)) .name -}}
{{- end -}}
{{- end -}}
