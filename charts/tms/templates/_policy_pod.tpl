{{/*
Policy, part 3: refuses a Triton that cannot run, as CheckTriton in pkg/policy/pod.go.
*/}}

{{/*
tms.policy.checkTriton: refuses names that occur twice, mounts of volumes that do not exist,
and a grace period that leaves Triton no time.
Argument: the lease (see _policy_lease.tpl). Result: nothing.
*/}}
{{- define "tms.policy.checkTriton" -}}
{{- if .spec.models -}}
{{- $own := default dict .spec.triton -}}
{{- $defaults := default dict .policy.root.Values.triton -}}
{{- $triton := dict "lease" . "own" $own "defaults" $defaults -}}
{{- range list "env" "initContainers" "volumes" -}}
{{- include "tms.policy.names" (dict "triton" $triton "key" .) -}}
{{- end -}}
{{- include "tms.policy.mounts" $triton -}}
{{- include "tms.policy.grace" $triton -}}
{{- include "tms.policy.podTemplate" (list .policy "triton.podTemplate" $defaults.podTemplate) -}}
{{- include "tms.policy.podTemplate" (list .policy (printf "%s.triton.podTemplate" .path) $own.podTemplate) -}}
{{- end -}}
{{- end -}}

{{/*
tms.policy.podTemplate: refuses keys that the values have, in a part of a pod template.
Argument: a list of the policy, the path of the template, and the template or nil. Result: nothing.
*/}}
{{- define "tms.policy.podTemplate" -}}
{{- $policy := index . 0 -}}
{{- $path := printf "%s.spec" (index . 1) -}}
{{- $spec := default dict (default dict (index . 2)).spec -}}
{{- $sentences := list -}}
{{- if kindIs "map" $spec -}}
{{- if hasKey $spec "terminationGracePeriodSeconds" -}}
{{- $sentences = append $sentences (printf "%s.terminationGracePeriodSeconds: Forbidden: set triton.terminationGracePeriodSeconds instead" $path) -}}
{{- end -}}
{{- if kindIs "slice" $spec.containers -}}
{{- range $index, $container := $spec.containers -}}
{{- if kindIs "map" $container -}}
{{- if eq (toString $container.name) "triton" -}}
{{- range $key := list "image" "command" "args" "lifecycle" "resources" -}}
{{- if hasKey $container $key -}}
{{- $instead := ternary "image of the lease" (printf "triton.%s" $key) (eq $key "image") -}}
{{- $sentences = append $sentences (printf "%s.containers[%d].%s: Forbidden: set %s instead" $path $index $key $instead) -}}
{{- end -}}
{{- end -}}
{{- if hasKey $container "ports" -}}
{{- $taken := kindIs "invalid" $container.ports -}}
{{- if kindIs "slice" $container.ports -}}
{{- range $container.ports -}}
{{- if kindIs "map" . -}}
{{- $taken = or $taken (has (toString .containerPort) (list "8000" "8001" "8002")) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if $taken -}}
{{- $sentences = append $sentences (printf "%s.containers[%d].ports: Forbidden: must not change the ports 8000, 8001 and 8002, which the probes, the Services and the PodMonitor use" $path $index) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $sentences -}}
{{- if not (has . $policy.errors) -}}
{{- include "tms.policy.error" (list $policy .) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
tms.policy.tritonError: adds an error about a key of triton, at the path of the lease or
of the defaults. An error about the defaults is added once.
Arguments: triton (see above), key, error (the sentence after the key). Result: nothing.
*/}}
{{- define "tms.policy.tritonError" -}}
{{- $policy := .triton.lease.policy -}}
{{- $path := ternary (printf "%s.triton" .triton.lease.path) "triton" (hasKey .triton.own .key) -}}
{{- $sentence := printf "%s.%s%s" $path .key .error -}}
{{- if not (has $sentence $policy.errors) -}}
{{- include "tms.policy.error" (list $policy $sentence) -}}
{{- end -}}
{{- end -}}

{{/*
tms.policy.names: refuses a list in which a name occurs twice.
Arguments: triton, key. Result: nothing.
*/}}
{{- define "tms.policy.names" -}}
{{- $arguments := . -}}
{{- $seen := dict -}}
{{- range $index, $item := ternary (get .triton.own .key) (get .triton.defaults .key) (hasKey .triton.own .key) | default list -}}
{{- if hasKey $seen $item.name -}}
{{- include "tms.policy.tritonError" (merge (dict "error" (printf "[%d].name: Duplicate value: %q" $index $item.name)) $arguments) -}}
{{- end -}}
{{- $_ := set $seen $item.name true -}}
{{- end -}}
{{- end -}}

{{/*
tms.policy.mounts: refuses mounts of unknown volumes, and two mounts at one path.
Argument: triton. Result: nothing.
*/}}
{{- define "tms.policy.mounts" -}}
{{- $triton := . -}}
{{- $taken := dict -}}
{{- $known := dict "shm" true -}}
{{- range (include "tms.repositories" (dict "root" .lease.policy.root "models" .lease.spec.models) | fromJson).mounts -}}
{{- $_ := set $taken .path true -}}
{{- if not .file -}}
{{- $_ := set $known .name true -}}
{{- end -}}
{{- end -}}
{{- range ternary .own.volumes .defaults.volumes (hasKey .own "volumes") | default list -}}
{{- $_ := set $known .name true -}}
{{- end -}}
{{- range list .defaults.podTemplate .own.podTemplate -}}
{{- $spec := default dict (default dict .).spec -}}
{{- range ternary (default dict $spec).volumes list (kindIs "map" $spec) | default list -}}
{{- if kindIs "map" . -}}
{{- $_ := set $known (toString .name) true -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $index, $mount := ternary .own.volumeMounts .defaults.volumeMounts (hasKey .own "volumeMounts") | default list -}}
{{- $arguments := dict "triton" $triton "key" "volumeMounts" -}}
{{- if not (hasKey $known $mount.name) -}}
{{- include "tms.policy.tritonError" (merge (dict "error" (printf "[%d].name: Not found: %q" $index $mount.name)) $arguments) -}}
{{- end -}}
{{- $path := regexReplaceAll "(.)/$" $mount.mountPath "${1}" -}}
{{- if eq $path "/dev/shm" -}}
{{- include "tms.policy.tritonError" (merge (dict "error" (printf "[%d].mountPath: Invalid value: %q: the chart mounts shared memory there; set its size with triton.sharedMemorySize, and remove this mount" $index $path)) $arguments) -}}
{{- else if hasKey $taken $path -}}
{{- include "tms.policy.tritonError" (merge (dict "error" (printf "[%d].mountPath: Duplicate value: %q" $index $path)) $arguments) -}}
{{- end -}}
{{- $_ := set $taken $path true -}}
{{- end -}}
{{- end -}}

{{/*
tms.policy.grace: refuses a grace period that leaves Triton no time after the preStop
sleep.
Argument: triton. Result: nothing.
*/}}
{{- define "tms.policy.grace" -}}
{{- $key := "terminationGracePeriodSeconds" -}}
{{- $grace := ternary (get .defaults $key) 30 (hasKey .defaults $key) | float64 | int64 -}}
{{- if hasKey .own $key -}}
{{- $grace = get .own $key | float64 | int64 -}}
{{- end -}}
{{- $lifecycle := default dict (ternary .own.lifecycle .defaults.lifecycle (hasKey .own "lifecycle")) -}}
{{- $sleep := 0 -}}
{{- if kindIs "map" $lifecycle.preStop -}}
{{- if kindIs "map" $lifecycle.preStop.sleep -}}
{{- $seconds := default 0 $lifecycle.preStop.sleep.seconds -}}
{{- if not (kindIs "string" $seconds) -}}
{{- $sleep = minf 1e9 (float64 $seconds) | int64 -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $least := add $sleep 6 -}}
{{- if lt $grace $least -}}
{{- $lease := dict "own" (ternary (dict $key true) dict (or (hasKey .own $key) (hasKey .own "lifecycle"))) "lease" .lease -}}
{{- include "tms.policy.tritonError" (dict "triton" $lease "key" $key "error" (printf ": Invalid value: %d: must be at least %d: lifecycle.preStop.sleep.seconds (%d) and 6 more, so that Triton can finish its requests" $grace $least $sleep)) -}}
{{- end -}}
{{- end -}}
