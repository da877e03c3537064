{{/*
tms.models: the models of a lease, with the URIs that repo:// URIs stand for. tms-render and
tms-server resolve them before they run the templates, and set the key repository.
Arguments: root (the root context), models. Result: a JSON object with
  models  a list of dicts: name, uri, repository (the name of its named repository, or
          empty). The URI of an unknown repository stays as it is.
*/}}
{{- define "tms.models" -}}
{{- $known := default dict (default dict .root.Values.server).modelRepositories -}}
{{- $models := list -}}
{{- range .models -}}
{{- $uri := .uri -}}
{{- $repository := default "" .repository -}}
{{- if and (not $repository) (hasPrefix "repo://" .uri) -}}
{{- $name := trimPrefix "repo://" .uri | regexFind "^[-a-z0-9]+" -}}
{{- if kindIs "map" (get $known $name) -}}
{{- $repository = $name -}}
{{- $base := (get $known $name).uri -}}
{{- $rest := trimPrefix (printf "repo://%s" $name) .uri -}}
{{- $path := regexReplaceAll "#.*$" $rest "" | trimPrefix "/" -}}
{{- $uri = $base -}}
{{- if $path -}}
{{- $isImage := and (hasPrefix "oci://" $base) (not (contains "//" (trimPrefix "oci://" $base))) -}}
{{- $uri = printf "%s%s%s" (trimSuffix "/" $base) (ternary "//" "/" $isImage) $path -}}
{{- end -}}
{{- $uri = printf "%s%s" $uri (regexFind "#.*$" $rest) -}}
{{- end -}}
{{- end -}}
{{- $models = append $models (dict "name" .name "uri" $uri "repository" $repository) -}}
{{- end -}}
{{- dict "models" $models | toJson -}}
{{- end -}}

{{/*
tms.repositories: the model repositories of one lease, and what the pod needs for them.
Arguments: root (the root context), models (of the lease). Result: a JSON object with
  repositories    the distinct values of --model-repository, in the order given
  claims          the names of the distinct claims in pvc:// URIs, in the order given: the
                  claim at index n is the volume models-<n>
  images          the distinct images in oci:// URIs: the volume model-images-<n>
  downloads       the models with https:// URIs: name, uri
  credentials     the credentials of downloads: target, secret. The one at index n is the
                  volume fetch-credentials-<n>
  env             variables of the Triton container
  files           the files that Triton reads from secrets: volume, secret, key
  mounts          the mounts of the Triton container: name, path, and file, which is true for
                  the secrets
  serviceAccount  the service account that a named repository needs, or empty
*/}}
{{- define "tms.repositories" -}}
{{- $known := default dict (default dict .root.Values.server).modelRepositories -}}
{{- $models := (include "tms.models" . | fromJson).models -}}
{{- $repositories := list -}}
{{- $claims := list -}}
{{- $images := list -}}
{{- $imageMounts := list -}}
{{- $mounts := list -}}
{{- $downloads := list -}}
{{- $credentials := list -}}
{{- $env := list -}}
{{- $files := list -}}
{{- $serviceAccount := "" -}}
{{- $seen := dict -}}
{{- range $models -}}
{{- $repository := .uri -}}
{{- $named := ternary (get $known .repository) dict (ne .repository "") | default dict -}}
{{- if hasPrefix "pvc://" .uri -}}
{{- $path := trimPrefix "pvc://" .uri -}}
{{- $claim := regexFind "^[^/]*" $path -}}
{{- if not (hasKey $seen (printf "claim %s" $claim)) -}}
{{- $mounts = append $mounts (dict "name" (printf "models-%d" (len $claims)) "path" (printf "/mnt/models/%s" $claim)) -}}
{{- $claims = append $claims $claim -}}
{{- $_ := set $seen (printf "claim %s" $claim) true -}}
{{- end -}}
{{- $repository = printf "/mnt/models/%s" $path -}}
{{- else if hasPrefix "oci://" .uri -}}
{{- $parts := splitn "//" 2 (trimPrefix "oci://" .uri) -}}
{{- $key := printf "image %s" $parts._0 -}}
{{- if not (hasKey $seen $key) -}}
{{- $_ := set $seen $key (printf "/mnt/model-images/%d" (len $images)) -}}
{{- $imageMounts = append $imageMounts (dict "name" (printf "model-images-%d" (len $images)) "path" (get $seen $key)) -}}
{{- $images = append $images $parts._0 -}}
{{- end -}}
{{- $repository = get $seen $key -}}
{{- with $parts._1 -}}
{{- $repository = printf "%s/%s" $repository . -}}
{{- end -}}
{{- else if hasPrefix "https://" .uri -}}
{{- $downloads = append $downloads (dict "name" .name "uri" .uri) -}}
{{- $repository = "/mnt/fetched-models" -}}
{{- end -}}
{{- if not (hasKey $seen $repository) -}}
{{- $repositories = append $repositories $repository -}}
{{- $_ := set $seen $repository true -}}
{{- end -}}
{{- with $named.serviceAccountName -}}
{{- $serviceAccount = . -}}
{{- end -}}
{{- with $named.secretName -}}
{{- $kind := ternary "file" (regexFind "^[a-z0-9]*" $named.uri) (not (not $named.credentialFile)) -}}
{{- $key := printf "secret %s" (ternary $named.uri $kind (eq $kind "https")) -}}
{{- if not (hasKey $seen $key) -}}
{{- $_ := set $seen $key true -}}
{{- if eq $kind "https" -}}
{{- $credentials = append $credentials (dict "target" $named.uri "secret" .) -}}
{{- else if eq $kind "file" -}}
{{- $files = append $files (dict "volume" "cloud-credentials" "secret" . "key" $named.credentialFile) -}}
{{- $env = append $env (dict "name" "TRITON_CLOUD_CREDENTIAL_PATH" "value" "/var/run/secrets/tms/cloud-credentials/credentials.json") -}}
{{- else if eq $kind "gs" -}}
{{- $files = append $files (dict "volume" "gs-credentials" "secret" . "key" "credentials.json") -}}
{{- $env = append $env (dict "name" "GOOGLE_APPLICATION_CREDENTIALS" "value" "/var/run/secrets/tms/gs-credentials/credentials.json") -}}
{{- else -}}
{{- $secret := . -}}
{{- $required := ternary (list "AWS_ACCESS_KEY_ID" "AWS_SECRET_ACCESS_KEY") (list "AZURE_STORAGE_ACCOUNT" "AZURE_STORAGE_KEY") (eq $kind "s3") -}}
{{- range concat $required (ternary (list "AWS_SESSION_TOKEN" "AWS_DEFAULT_REGION") list (eq $kind "s3")) -}}
{{- $from := dict "name" $secret "key" . -}}
{{- if not (has . $required) -}}
{{- $_ := set $from "optional" true -}}
{{- end -}}
{{- $env = append $env (dict "name" . "valueFrom" (dict "secretKeyRef" $from)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $mounts = concat $mounts $imageMounts -}}
{{- if $downloads -}}
{{- $mounts = append $mounts (dict "name" "fetched-models" "path" "/mnt/fetched-models") -}}
{{- range default list $known.https | reverse -}}
{{- $credentials = prepend $credentials (dict "target" .targetUri "secret" .secretName) -}}
{{- end -}}
{{- end -}}
{{- range $files -}}
{{- $mounts = append $mounts (dict "name" .volume "path" (printf "/var/run/secrets/tms/%s" .volume) "file" true) -}}
{{- end -}}
{{- dict "repositories" $repositories "claims" $claims "images" $images "downloads" $downloads "credentials" $credentials
  "env" $env "files" $files "mounts" $mounts "serviceAccount" $serviceAccount | toJson -}}
{{- end -}}

{{/*
tms.fetch: the init container that downloads https:// models.
Arguments: root (the root context), storage (see tms.repositories). Result: YAML.
*/}}
{{- define "tms.fetch" -}}
{{- $images := .root.Values.images -}}
{{- $limits := default dict .root.Values.server.modelDownloads -}}
name: fetch-models
image: {{ $images.server | quote }}
{{- with $images.pullPolicy }}
imagePullPolicy: {{ . | quote }}
{{- end }}
args:
  - fetch
  - "--to=/mnt/fetched-models"
  {{- with include "tms.quantity" $limits.sizeLimit }}
  - {{ printf "--max-size=%s" . | quote }}
  {{- end }}
  {{- with $limits.maximumFiles }}
  - {{ printf "--max-files=%d" (int64 .) | quote }}
  {{- end }}
  - "--progress-address=:8004"
  {{- range $index, $credential := .storage.credentials }}
  - {{ printf "--credential=%s=/var/run/secrets/tms/fetch/%d" $credential.target $index | quote }}
  {{- end }}
  {{- range .storage.downloads }}
  - {{ printf "--model=%s=%s" .name .uri | quote }}
  {{- end }}
ports:
  - name: progress
    containerPort: 8004
{{- /* The end of the log says why a download failed, and becomes a part of the status. */}}
terminationMessagePolicy: FallbackToLogsOnError
{{- with include "tms.withoutEmpty" $limits.resources }}
resources:
  {{- . | nindent 2 }}
{{- end }}
securityContext:
  allowPrivilegeEscalation: false
  capabilities:
    drop:
      - ALL
  readOnlyRootFilesystem: true
volumeMounts:
  - name: fetched-models
    mountPath: /mnt/fetched-models
  {{- range $index, $credential := .storage.credentials }}
  - name: fetch-credentials-{{ $index }}
    mountPath: /var/run/secrets/tms/fetch/{{ $index }}
    readOnly: true
  {{- end }}
{{- end -}}

{{/*
tms.quantity: a quantity without the quotes of JSON.
Argument: a string, a number or nil. Result: a string, or nothing.
*/}}
{{- define "tms.quantity" -}}
{{- if not (kindIs "invalid" .) -}}{{- toJson . | trimAll "\"" -}}{{- end -}}
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
