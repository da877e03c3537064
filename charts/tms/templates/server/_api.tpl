{{/*
tms.server.api: reports whether tms-server serves the lease API.
Argument: the root context. Result: "true", or nothing.
*/}}
{{- define "tms.server.api" -}}
{{- if and (include "tms.server.enabled" .) (default dict .Values.server.apiService).enabled -}}true{{- end -}}
{{- end -}}

{{/*
tms.server.issuer: the cert-manager issuer that signs the certificate of the API.
Argument: the root context. Result: its name, or nothing.
*/}}
{{- define "tms.server.issuer" -}}
{{- $tls := default dict .Values.server.apiService.tls -}}
{{- default "" (default dict (default dict $tls.certManager).issuerRef).name -}}
{{- end -}}

{{/*
tms.server.apiSecret: the secret with the certificate of the API.
Argument: the root context. Result: its name, or nothing if the API has no TLS.
*/}}
{{- define "tms.server.apiSecret" -}}
{{- if include "tms.server.issuer" . -}}
{{- include "tms.server.name" . }}-tls
{{- else -}}
{{- default "" (default dict .Values.server.apiService.tls).secretName -}}
{{- end -}}
{{- end -}}

{{/*
tms.server.allowlist: the name of the ConfigMap with the images that users allow
through the API.
Argument: the root context. Result: a string.
*/}}
{{- define "tms.server.allowlist" -}}
{{- include "tms.server.name" . }}-allowlist
{{- end -}}
