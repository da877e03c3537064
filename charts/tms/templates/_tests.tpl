{{/*
What the pods of helm test have in common.
*/}}

{{/*
tms.test.metadata: the metadata of a pod of helm test, after its name. Helm prints the log
of a pod that fails, and deletes a pod that succeeds.
Argument: the root context. Result: YAML.
*/}}
{{- define "tms.test.metadata" -}}
{{- $pods := default dict .Values.kubernetes -}}
namespace: {{ .Release.Namespace | quote }}
labels:
  app.kubernetes.io/name: {{ include "tms.name" . | quote }}
  app.kubernetes.io/instance: {{ .Release.Name | quote }}
  app.kubernetes.io/component: "test"
  {{- with $pods.customLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
annotations:
  helm.sh/hook: test
  helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
  helm.sh/hook-output-log-policy: hook-failed
  {{- with $pods.customAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/*
tms.test.spec: the beginning of the spec of a pod of helm test.
Argument: the root context. Result: YAML.
*/}}
{{- define "tms.test.spec" -}}
restartPolicy: Never
automountServiceAccountToken: false
{{- with .Values.images.secrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
{{- end -}}

{{/*
tms.test.container: fields of the container of a pod of helm test.
Argument: the root context. Result: YAML.
*/}}
{{- define "tms.test.container" -}}
{{- with .Values.images.pullPolicy -}}
imagePullPolicy: {{ . | quote }}
{{ end -}}
terminationMessagePolicy: FallbackToLogsOnError
resources:
  requests:
    cpu: 10m
    memory: 32Mi
  limits:
    memory: 128Mi
{{- end -}}
