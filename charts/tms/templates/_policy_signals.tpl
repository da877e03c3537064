{{/*
Policy: checks that the Triton of a lease reports the metrics in effect, as far as its
image and its arguments tell. As pkg/policy/signals.go and image.go.
*/}}

{{/*
tms.policy.triton: sets what the image and the arguments of a lease tell.
Argument: the lease. Result: nothing. It sets the lease's release (such as 26.08, or
empty), engine (vllm, trtllm or empty) and arguments, and connectionAge of the grant.
*/}}
{{- define "tms.policy.triton" -}}
{{- $values := .policy.root.Values -}}
{{- $image := ternary (default (default dict $values.images).triton .spec.image | default "") "" (not (empty .spec.models)) -}}
{{- $release := regexFind `:[0-9]{2}\.(0[1-9]|1[0-2])-[^:/@]*(@|$)` $image | trimPrefix ":" | trunc 5 -}}
{{- $engine := regexFind `:[^:/@]*(vllm|trtllm)[^:/@]*(@|$)` $image -}}
{{- $_ := set . "release" $release -}}
{{- $_ := set . "engine" (regexReplaceAll `^:[^:/@]*(vllm|trtllm)[^:/@]*@?$` $engine "$1") -}}
{{- $_ := set .grant "connectionAge" (and (ne $release "") (ge $release "24.01")) -}}
{{- $own := default dict .spec.triton -}}
{{- $defaults := default dict $values.triton -}}
{{- $arguments := list -}}
{{- range list "args" "command" -}}
{{- $path := printf "%s.%s" (ternary (printf "%s.triton" $.path) "triton" (hasKey $own .)) . -}}
{{- $items := ternary (get $own .) (get $defaults .) (hasKey $own .) | default list -}}
{{- $arguments = concat $arguments (include "tms.policy.parse" (list $path $items (eq . "command")) | fromJson).arguments -}}
{{- end -}}
{{- $_ := set . "arguments" $arguments -}}
{{- end -}}

{{/*
tms.policy.signals: checks each metric in effect.
Argument: the lease. Result: nothing.
*/}}
{{- define "tms.policy.signals" -}}
{{- if .spec.models -}}
{{- $lease := . -}}
{{- $better := hasKey .thresholds "firstResponseTime" -}}
{{- if hasKey .thresholds "gpuUtilization" -}}
{{- $option := dict "name" "allow-gpu-metrics" "shortest" "allow-gp" "onlyFalse" true -}}
{{- range .arguments -}}
{{- if include "tms.policy.sets" (list . $option) -}}
{{- $_ := set $lease "warnings" (append $lease.warnings (printf "%s: %s is false, so Triton does not report the GPU utilization that %s.autoscaling.metrics.gpuUtilization reads; the lease does not scale down while the metric is missing" .path (include "tms.policy.spelled" (list . $option.name)) $lease.path)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if hasKey .thresholds "queueTime" -}}
{{- include "tms.policy.needs" (list . "queueTime" "counter_latencies") -}}
{{- if and .engine (not $better) -}}
{{- include "tms.policy.warnLease" (list . (printf ".autoscaling.metrics.queueTime: the image is for %s, and requests wait in that engine, not in Triton's queue: queueTime reads nearly 0 under any load; use firstResponseTime" .engine)) -}}
{{- end -}}
{{- include "tms.policy.pending" (list . "queueTime") -}}
{{- end -}}
{{- if $better -}}
{{- include "tms.policy.needs" (list . "firstResponseTime" "histogram_latencies") -}}
{{- if and .release (lt .release "24.11") -}}
{{- include "tms.policy.warnLease" (list . (printf ".autoscaling.metrics.firstResponseTime: Triton %s has no histogram of first responses, which exists since 24.11; the lease does not scale down while the metric is missing" .release)) -}}
{{- end -}}
{{- end -}}
{{- if hasKey .thresholds "waitingRequests" -}}
{{- if and (eq .engine "vllm") (not $better) -}}
{{- include "tms.policy.warnLease" (list . ".autoscaling.metrics.waitingRequests: the image is for vllm, which does not report its waiting requests to Triton: waitingRequests reads nearly 0 under any load; use firstResponseTime") -}}
{{- end -}}
{{- include "tms.policy.pending" (list . "waitingRequests") -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
tms.policy.needs: refuses arguments that turn off a setting of --metrics-config.
Argument: a list of the lease, the metric and the setting. Result: nothing.
*/}}
{{- define "tms.policy.needs" -}}
{{- $lease := index . 0 -}}
{{- $metric := index . 1 -}}
{{- $setting := index . 2 -}}
{{- $option := dict "name" "metrics-config" "shortest" "metrics-c" -}}
{{- range $lease.arguments -}}
{{- $parts := splitn "=" 2 .value -}}
{{- if and (eq $parts._0 $setting) (include "tms.policy.sets" (list . $option)) (include "tms.policy.false" (default "" $parts._1)) -}}
{{- include "tms.policy.error" (list $lease.policy (printf "%s: Forbidden: %s turns off %s, which %s.autoscaling.metrics.%s needs; remove the argument, or turn the metric off" .path (include "tms.policy.spelled" (list . $option.name)) $setting $lease.path $metric)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
tms.policy.pending: warns of releases in which the number of pending requests can stay
too high.
Argument: a list of the lease and the metric. Result: nothing.
*/}}
{{- define "tms.policy.pending" -}}
{{- $release := (index . 0).release -}}
{{- if and $release (lt $release "23.11") -}}
{{- include "tms.policy.warnLease" (list (index . 0) (printf ".autoscaling.metrics.%s: Triton %s does not always count down its pending requests, which is fixed in 23.11: the metric can stay high without load" (index . 1) $release)) -}}
{{- end -}}
{{- end -}}
