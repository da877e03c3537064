{{/*
tms.firstResponseTime: the rule of tms_avg_first_response_duration.
Arguments: pods (the selector of the lease's pods), window (the rate window), grants (see
_grants.tpl). Result: YAML, a list of one rule.
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
Arguments: pods (the selector of the lease's pods), window (the rate window). Result:
YAML, a list of one rule.
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
