{{/*
tms.grants: sets .Values.__grants, which all templates read. It is a dict:
  leases                  a dict by name of the lease:
    name                    the name of its objects
    path                    the path of the lease in the values
    models                  the names of its models
    autoscaled              true if the lease scales
    renewed                 true if tms-server renews the lease while it serves requests
    connectionAge           true if the Triton of the image is known to have the option
                            --grpc-max-connection-age
    ownMonitors             true if the lease has its own PodMonitor and PrometheusRules
    serverNamespace         the namespace of tms-server, for a TritonLease
    reloadedAt              when the pods were last reloaded, in RFC 3339, or empty
    minReplicas             digits
    maxReplicas             digits
    scheduled               true if the replicas change by a schedule
    schedule                the entries of the schedule of a lease in the values, each with
                            cron, timeZone, minReplicas and maxReplicas
    metrics                 the metrics in effect, each with
      name
      series                  the recorded series, or empty for the CPU of the Triton
                              container
      unit
      waiting                 true if it measures how long or how many requests wait
      query                   the PromQL of a metric of the administrator, or empty
      threshold               digits
    adjustments             one sentence for each number that differs from the request
                            or the default
  shared                  the PodMonitor and the PrometheusRules that leases share, or empty:
    name                    their name
    path                    the path of a lease, in messages
    autoscaled, renewed     true if one of these leases is
    scheduled               true if one of these leases in the values is
    metrics                 the metrics in effect for any of them, as above but without
                            threshold
  ruleLabels              the labels of PrometheusRules
  rateWindowMicroseconds  digits
  halfRateWindow          half of the rate window, as a duration of PromQL
  warnings                sentences for NOTES.txt
An empty list or dict may be absent.

tms-render and tms-server set .Values.__grants themselves, from the Go package
pkg/policy. Otherwise tms.policy fills it, once: the values last from one template to
the next.
Argument: the root context. Result: nothing.
*/}}
{{- define "tms.grants" -}}
{{- if not (hasKey .Values "__grants") -}}
{{- $grants := dict -}}
{{- include "tms.policy" (dict "root" . "grants" $grants) -}}
{{- $_ := set .Values "__grants" $grants -}}
{{- end -}}
{{- end -}}
