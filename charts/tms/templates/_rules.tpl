{{/*
The rules of PrometheusRules. A PrometheusRule is that of one lease, or is shared: that of
all leases which share a PodMonitor. Its rules read the series of its PodMonitor only, so a
pod counts once, even if another monitor also scrapes it.
*/}}

{{/*
tms.rulePods: the selector of the series of a PodMonitor.
Arguments: root (the root context), grant (of the lease, or shared; see _grants.tpl).
Result: a part of PromQL.
*/}}
{{- define "tms.rulePods" -}}
{{- $namespace := .root.Release.Namespace -}}
{{- printf "namespace=%q,job=%q" $namespace (printf "%s/%s" $namespace .grant.name) -}}
{{- end -}}

{{/*
tms.ruleGroups: the groups of a PrometheusRule.
Arguments: root (the root context), grant (of the lease, or shared; see _grants.tpl),
shared (reports which of both it is), lease (the name of the lease in messages). Result:
YAML, a list.
*/}}
{{- define "tms.ruleGroups" -}}
{{- $root := .root -}}
{{- $grant := .grant -}}
{{- $prometheus := $root.Values.server.autoscaling.prometheus -}}
{{- $rules := dict "root" $root "grant" $grant "grants" $root.Values.__grants "shared" .shared "lease" .lease
  "window" $prometheus.rateWindow "pods" (include "tms.rulePods" .) -}}
{{- if $grant.autoscaled }}
- name: {{ $grant.name }}.signals
  interval: {{ $prometheus.evaluationInterval }}
  rules:
    {{- include "tms.signals" $rules | nindent 4 }}
    {{- /* The other series are recorded only if their metric is in effect: Triton exports the
           histogram only then, and each rule costs Prometheus time and memory. */}}
    {{- range $grant.metrics }}
    {{- if eq .name "firstResponseTime" }}
    {{- include "tms.firstResponseTime" $rules | nindent 4 }}
    {{- else if eq .name "waitingRequests" }}
    {{- include "tms.waitingRequests" $rules | nindent 4 }}
    {{- end }}
    {{- end }}
{{- end }}
{{- if $grant.renewed }}
- name: {{ $grant.name }}.renewal
  interval: {{ $prometheus.evaluationInterval }}
  rules:
    # The requests per second that the pod completed during the renewal interval.
    - record: tms_request_rate
      expr: |-
        sum by (namespace, pod) (rate(nv_inference_request_success{ {{- $rules.pods -}} }[{{ $root.Values.server.leases.autoRenew.interval }}]))
{{- end }}
{{- if and $grant.autoscaled (default dict $prometheus.alerts).enabled }}
- name: {{ $grant.name }}.alerts
  interval: {{ $prometheus.evaluationInterval }}
  rules:
    {{- include "tms.alerts" $rules | nindent 4 }}
{{- end }}
{{- end -}}

{{/*
tms.queryRules: the rules of the administrator's metrics.
Arguments: root (the root context), grant (of the lease, or shared; see _grants.tpl).
Result: YAML, a list, or nothing.
*/}}
{{- define "tms.queryRules" -}}
{{- $pods := include "tms.rulePods" . -}}
{{- $window := .root.Values.server.autoscaling.prometheus.rateWindow -}}
{{- range .grant.metrics }}
{{- if .query }}
- record: {{ .series }}
  expr: |-
    {{- .query | replace "$pods" $pods | replace "$window" $window | trim | nindent 4 }}
{{- end }}
{{- end }}
{{- end -}}

{{/*
tms.signals: the rules of the series that the HorizontalPodAutoscaler reads. They have the
labels namespace and pod only, because prometheus-adapter sums over all other labels.
Arguments: pods (see tms.rulePods), window (the rate window), grants (see _grants.tpl).
Result: YAML, a list.
*/}}
{{- define "tms.signals" -}}
# The mean time that a request of the pod waited, in microseconds. If requests
# waited during the whole window or were rejected, but none completed, it is the
# window (unless the pod is younger than the window). If the pod is idle, it is 0.
# With fewer than two scrapes in the window there is no value.
- record: tms_avg_request_queue_duration
  expr: |-
    sum by (namespace, pod) (rate(nv_inference_queue_duration_us{ {{- .pods -}} }[{{ .window }}]))
      / (sum by (namespace, pod) (rate(nv_inference_request_success{ {{- .pods -}} }[{{ .window }}])) > 0)
    or
    {{ .grants.rateWindowMicroseconds }} + 0 * (
      sum by (namespace, pod) (rate(nv_inference_request_success{ {{- .pods -}} }[{{ .window }}])) == 0
      and (
        (
          max by (namespace, pod) (min_over_time(nv_inference_pending_request_count{ {{- .pods -}} }[{{ .window }}])) > 0
          and
          group by (namespace, pod) (nv_inference_pending_request_count{ {{- .pods -}} } offset {{ .window }})
        )
        or
        sum by (namespace, pod) (rate(nv_inference_request_failure{ {{- .pods -}} ,reason="REJECTED"}[{{ .window }}])) > 0
      )
    )
    or
    0 * group by (namespace, pod) (rate(nv_inference_queue_duration_us{ {{- .pods -}} }[{{ .window }}]))
# The mean utilization of the GPUs of the pod, in percent.
- record: tms_avg_gpu_utilization
  expr: |-
    100 * avg by (namespace, pod) (avg_over_time(nv_gpu_utilization{ {{- .pods -}} }[{{ .window }}]))
# The number of requests that wait in the pod.
- record: tms_pending_requests
  expr: |-
    sum by (namespace, pod) (nv_inference_pending_request_count{ {{- .pods -}} })
{{- end -}}

{{/*
tms.firstResponseTime: the rule of tms_avg_first_response_duration.
Arguments: those of tms.signals. Result: YAML, a list of one rule.
*/}}
{{- define "tms.firstResponseTime" -}}
{{- $count := printf "nv_inference_first_response_histogram_ms_count{%s}" .pods -}}
{{- $success := printf "nv_inference_request_success{%s}" .pods -}}
{{- $executor := printf "nv_trt_llm_request_metrics{%s,request_type=" .pods -}}
# The mean time from the arrival of a request to its first response, in microseconds.
# An error is a response, too. If requests waited during the whole window and none got a
# response, it is the window. If nothing happens, it is 0, but only if Triton exports the
# histogram. With fewer than two scrapes in the window there is no value.
#
# A request waited during the whole window if
# - the queue of a model in Triton was never empty,
# - the TensorRT-LLM executor always had waiting requests, or was always full,
# - a backend had taken over more requests by the middle of the window than got a
#   response until now, and some of them in the window (vLLM: success means taken over),
# - or requests waited as long as the queue policy allows, and were rejected.
- record: tms_avg_first_response_duration
  expr: |-
    1000 * sum by (namespace, pod) (rate(nv_inference_first_response_histogram_ms_sum{ {{- .pods -}} }[{{ .window }}]))
      / (sum by (namespace, pod) (rate({{ $count }}[{{ .window }}])) > 0)
    or
    {{ .grants.rateWindowMicroseconds }} + 0 * (
      sum by (namespace, pod) (rate({{ $count }}[{{ .window }}])) == 0
      and
      sum by (namespace, pod) ({{ $count }}) == sum by (namespace, pod) ({{ $count }} offset {{ .window }})
      and (
        max by (namespace, pod) (min_over_time(nv_inference_pending_request_count{ {{- .pods -}} }[{{ .window }}])) > 0
        or
        max by (namespace, pod) (min_over_time({{ $executor }}"waiting"}[{{ .window }}])) > 0
        or
        group by (namespace, pod) (
          min_over_time({{ $executor }}"active"}[{{ .window }}])
          >= ignoring (request_type)
          ({{ $executor }}"max"} > 0)
        )
        or
        group by (namespace, pod) (
          sum by (namespace, pod, model, version) ({{ $success }} offset {{ .grants.halfRateWindow }})
          > sum by (namespace, pod, model, version) ({{ $count }})
          and
          sum by (namespace, pod, model, version) ({{ $success }} offset {{ .grants.halfRateWindow }})
          > sum by (namespace, pod, model, version) ({{ $success }} offset {{ .window }})
        )
        or
        sum by (namespace, pod) (rate(nv_inference_request_failure{ {{- .pods -}} ,reason="REJECTED"}[{{ .window }}])) > 0
      )
    )
    or
    0 * group by (namespace, pod) (rate({{ $count }}[{{ .window }}]))
{{- end -}}

{{/*
tms.waitingRequests: the rule of tms_waiting_requests.
Arguments: those of tms.signals. Result: YAML, a list of one rule.
*/}}
{{- define "tms.waitingRequests" -}}
{{- $executor := printf "nv_trt_llm_request_metrics{%s,request_type=" .pods -}}
# The requests that wait in the pod: in Triton, and in the executor of TensorRT-LLM. If
# the executor was full during the whole window, the queue before it is not visible, and
# all of its requests count.
- record: tms_waiting_requests
  expr: |-
    sum by (namespace, pod) (
      nv_inference_pending_request_count{ {{- .pods -}} }
      or
      (
        (
          min_over_time({{ $executor }}"active"}[{{ .window }}])
          and
          {{ $executor }}"active"} offset {{ .window }}
          and ignoring (request_type)
          (
            min_over_time({{ $executor }}"active"}[{{ .window }}])
            >= ignoring (request_type)
            {{ $executor }}"max"}
          )
        )
        or ignoring (request_type)
        {{ $executor }}"waiting"}
      )
    )
{{- end -}}
