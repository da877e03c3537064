{{/*
tms.keda: reports whether KEDA serves the metrics.
Argument: the root context. Result: "true", or nothing.
*/}}
{{- define "tms.keda" -}}
{{- if eq (default "adapter" .Values.server.autoscaling.source) "keda" -}}true{{- end -}}
{{- end -}}

{{/*
tms.kedaMetrics: a regular expression of PromQL that matches the metrics which KEDA serves
from Prometheus. KEDA names a metric after its place in the ScaledObject: s0-prometheus.
*/}}
{{- define "tms.kedaMetrics" -}}
s[0-9]+-prometheus
{{- end -}}

{{/*
tms.kedaQuery: what KEDA reads from Prometheus for one metric of a lease. The
HorizontalPodAutoscaler divides it by the replicas, and compares the result with the
threshold. Without a value for any pod there is no result, which KEDA reports as an error.

A pod without a value is one that Prometheus scrapes and that has no recorded series, such
as a new one. The HorizontalPodAutoscaler assumes for such a pod of a Pods metric what makes
the change smaller: the threshold if the mean of the others is below it, otherwise 0, but
never so that the direction of the change turns round. The query does the same.

The lease's own PodMonitor and the shared one have the same pods. While a lease changes from
one to the other, either can have them.
Arguments: root (the root context), lease (its name), grant, metric (with series and
threshold). Result: PromQL.
*/}}
{{- define "tms.kedaQuery" -}}
{{- $namespace := .root.Release.Namespace -}}
{{- $shared := printf "%s.leases" (include "tms.fullname" .root) -}}
{{- with .grant.serverNamespace -}}
{{- $shared = printf "%s.%s.leases" (include "tms.fullname" $.root) . -}}
{{- end -}}
{{- $pods := printf "up{namespace=%q,job=~\"%s/(%s|%s)\",tms_lease=~\"(%s)?\"}" $namespace $namespace .grant.name ($shared | replace "." "[.]") .lease -}}
{{- $count := printf "count(group by (pod) (%s))" $pods -}}
{{- /* A comparison drops NaN, which a query of the administrator can give. */ -}}
{{- $values := printf "%s{namespace=%q} < Inf and on (pod) %s" .metric.series $namespace $pods -}}
clamp_min(
  sum({{ $values }}),
  {{ .metric.threshold }} * scalar({{ $count }})
)
and
avg({{ $values }}) >= {{ .metric.threshold }}
or
sum({{ $values }})
+ {{ .metric.threshold }} * (
  {{ $count }}
  - count({{ $values }})
)
{{- end -}}
