{{/*
tms.hpa: the HorizontalPodAutoscaler of one lease.
Arguments: root (the root context), lease (the name of the lease), grant. Result: YAML.
*/}}
{{- define "tms.hpa" -}}
{{- $grant := .grant -}}
{{- $target := default dict (get .root.Values.leases .lease).target -}}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  {{- include "tms.metadata" (dict "root" .root "lease" .lease "name" (include "tms.hpa.name" $grant)) | nindent 2 }}
  {{- with $grant.adjustments }}
  annotations:
    tms.triton-leases.dev/adjustments: |-
      {{- join "\n" . | nindent 6 }}
  {{- end }}
spec:
  scaleTargetRef:
    apiVersion: {{ default "apps/v1" $target.apiVersion | quote }}
    kind: {{ default "Deployment" $target.kind | quote }}
    name: {{ default $grant.name $target.name | quote }}
  minReplicas: {{ $grant.minReplicas }}
  maxReplicas: {{ $grant.maxReplicas }}
  metrics:
    {{- range $grant.metrics }}
    {{- if .series }}
    - type: Pods
      pods:
        metric:
          name: {{ .series }}
        target:
          type: AverageValue
          averageValue: {{ .threshold | quote }}
    {{- else }}
    - type: ContainerResource
      containerResource:
        name: cpu
        container: {{ default "triton" $target.container | quote }}
        target:
          type: Utilization
          averageUtilization: {{ .threshold }}
    {{- end }}
    {{- end }}
  {{- with .root.Values.server.autoscaling.behavior }}
  behavior:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/*
tms.hpa.name: the name of the HorizontalPodAutoscaler of a lease. For a lease in the
values with a schedule, tms-server applies it. It then has another name than without a
schedule, because Helm creates and deletes only its own objects. The objects of other leases
have no dot in their names.
Argument: the grant. Result: a string.
*/}}
{{- define "tms.hpa.name" -}}
{{- ternary (printf "%s.schedule" .name) .name (not (empty .schedule)) -}}
{{- end -}}
