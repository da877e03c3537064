{{/*
tms.server.admission.metadata: the metadata of a ValidatingAdmissionPolicy and of its
binding.
Arguments: root (the root context), suffix (of the name). Result: YAML.
*/}}
{{- define "tms.server.admission.metadata" -}}
name: {{ include "tms.server.foreignName" . | quote }}
labels:
  {{- include "tms.server.labels" .root | nindent 2 }}
{{- end -}}

{{/*
tms.server.admission.binding: the binding of a ValidatingAdmissionPolicy.
Arguments: root (the root context), suffix (of the name). Result: a YAML document.
*/}}
{{- define "tms.server.admission.binding" -}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  {{- include "tms.server.admission.metadata" . | nindent 2 }}
spec:
  policyName: {{ include "tms.server.foreignName" . | quote }}
  validationActions: ["Deny"]
{{- end -}}

{{/*
tms.server.admission.namespaces: selects the namespaces of tms-server.
Argument: the root context. Result: YAML, or nothing if it manages all namespaces.
*/}}
{{- define "tms.server.admission.namespaces" -}}
{{- with uniq (default list .Values.server.namespaces) -}}
namespaceSelector:
  matchExpressions:
    - key: kubernetes.io/metadata.name
      operator: In
      values: {{ toJson . }}
{{- end -}}
{{- end -}}

{{/*
tms.server.admission.leases: the variables and validations for TritonLeases. What is
refused may stay as it was before: users must be able to label a lease that runs, and
tms-server to remove spec.acquireBy.
Argument: the root context. Result: YAML.
*/}}
{{- define "tms.server.admission.leases" -}}
{{- $bounds := default dict .Values.server.leases -}}
{{- $allowed := default list $bounds.allowedFields -}}
{{- $parts := list -}}
{{- range $allowed -}}
{{- if hasPrefix "podTemplate." . -}}{{- $parts = append $parts (trimPrefix "podTemplate." .) -}}{{- end -}}
{{- end -}}
{{- $triton := list -}}
{{- range keys (.Files.Get "files/values.yaml" | fromYaml).triton | sortAlpha -}}
{{- if not (or (has . $allowed) (eq . "podTemplate")) -}}{{- $triton = append $triton . -}}{{- end -}}
{{- end -}}
{{- $service := list -}}
{{- range list "annotations" "headless" "labels" "type" -}}
{{- if not (has (printf "service.%s" .) $allowed) -}}{{- $service = append $service . -}}{{- end -}}
{{- end -}}
{{- $administrator := "an administrator sets it in the values of the release" -}}
{{- $secrets := default list $bounds.allowedSecrets -}}
{{- $volumes := default list $bounds.allowedVolumes -}}
{{- $targets := default "Labelled" $bounds.allowedTargets -}}
variables:
  - name: spec
    expression: dyn(object.spec)
  - name: oldSpec
    expression: "oldObject == null ? dyn({}) : dyn(oldObject.spec)"
  - name: triton
    expression: variables.spec.?triton.orValue({})
  - name: oldTriton
    expression: variables.oldSpec.?triton.orValue({})
  - name: template
    expression: variables.triton.?podTemplate.orValue({})
  - name: oldTemplate
    expression: variables.oldTriton.?podTemplate.orValue({})
  - name: fields
    expression: >-
      dyn({{ toJson $triton }}).filter(k, k in variables.triton && variables.triton[?k] != variables.oldTriton[?k]).map(k, 'triton.' + k) +
      dyn({{ toJson $service }}).filter(k, variables.spec.?service[?k].hasValue() && variables.spec.?service[?k] != variables.oldSpec.?service[?k]).map(k, 'service.' + k)
  {{- if has "podTemplate" $allowed }}
  - name: refused
    expression: variables.fields
  {{- else }}
  - name: parts
    expression: {{ toJson $parts | squote }}
  # The refused parts of podTemplate, to the depth of allowedFields. CEL cannot flatten lists.
  - name: refused
    expression: >-
      variables.fields + (variables.template == {} ? variables.triton.filter(k, k == 'podTemplate' && !variables.oldTriton[?k].hasValue()) :
      variables.template.map(a,
      a in variables.parts || variables.template[?a] == variables.oldTemplate[?a] ? '' :
      type(variables.template[a]) != map || variables.template[a] == {} ? '.' + a :
      variables.template[a].map(b,
      (a + '.' + b) in variables.parts || variables.template[?a][?b] == variables.oldTemplate[?a][?b] ? '' :
      type(variables.template[a][b]) != map || variables.template[a][b] == {} ? '.' + a + '.' + b :
      variables.template[a][b].map(c,
      (a + '.' + b + '.' + c) in variables.parts || variables.template[?a][?b][?c] == variables.oldTemplate[?a][?b][?c] ? '' : '.' + a + '.' + b + '.' + c
      ).join(' ')).join(' ')).join(' ').split(' ').filter(part, part != '').map(part, 'podTemplate' + part)).map(part, 'triton.' + part)
  {{- end }}
  - name: volumes
    expression: variables.triton.?volumes.orValue([]) + variables.template.?spec.?volumes.orValue([])
  - name: oldVolumes
    expression: variables.oldTriton.?volumes.orValue([]) + variables.oldTemplate.?spec.?volumes.orValue([])
  {{- if not (has "*" $secrets) }}
  # spec.triton has the env and the envFrom of the Triton container.
  - name: containers
    expression: >-
      [variables.triton] + variables.triton.?initContainers.orValue([]) +
      variables.template.?spec.?containers.orValue([]) + variables.template.?spec.?initContainers.orValue([])
  - name: oldContainers
    expression: >-
      [variables.oldTriton] + variables.oldTriton.?initContainers.orValue([]) +
      variables.oldTemplate.?spec.?containers.orValue([]) + variables.oldTemplate.?spec.?initContainers.orValue([])
  - name: secrets
    expression: {{ toJson $secrets | squote }}
  {{- end }}
  {{- if ne $targets "None" }}
  - name: target
    expression: variables.spec.?target.orValue({})
  {{- end }}
validations:
  - expression: variables.refused.size() == 0
    message: the TritonLease sets keys that are not in server.leases.allowedFields
    messageExpression: >-
      variables.refused.map(k, 'spec.' + k + {{ printf ": Forbidden: a TritonLease may not set it: it is not in server.leases.allowedFields; %s" $administrator | squote }}).join('; ')
    reason: Forbidden
  - expression: >-
      variables.volumes == variables.oldVolumes || variables.volumes.all(v, v.all(k, k == 'name' || k in {{ toJson $volumes }}) || v in variables.oldVolumes)
    message: {{ printf "spec.triton.volumes: Forbidden: a TritonLease may not have a volume of this type: it is not in server.leases.allowedVolumes (%s); %s" (join ", " $volumes) $administrator | quote }}
    reason: Forbidden
  {{- if not (has "*" $secrets) }}
  - expression: >-
      variables.containers.all(c, c in variables.oldContainers ||
      c.?env.orValue([]).all(e, !e.?valueFrom.?secretKeyRef.hasValue() || e.valueFrom.secretKeyRef.?name.orValue('') in variables.secrets ||
      variables.oldContainers.exists(o, e in o.?env.orValue([]))) &&
      c.?envFrom.orValue([]).all(e, !e.?secretRef.hasValue() || e.secretRef.?name.orValue('') in variables.secrets ||
      variables.oldContainers.exists(o, e in o.?envFrom.orValue([])))) &&
      (variables.volumes == variables.oldVolumes || variables.volumes.all(v,
      (!v.?secret.hasValue() || v.secret.?secretName.orValue('') in variables.secrets) &&
      v.?projected.?sources.orValue([]).all(s, !s.?secret.hasValue() || s.secret.?name.orValue('') in variables.secrets) ||
      v in variables.oldVolumes))
    message: {{ printf "spec.triton: Forbidden: a TritonLease may not refer to this secret: it is not in server.leases.allowedSecrets; %s" $administrator | quote }}
    reason: Forbidden
  {{- end }}
  {{- if eq $targets "None" }}
  - expression: variables.spec.?target == optional.none() || variables.spec.?target == variables.oldSpec.?target
    message: {{ printf "spec.target: Forbidden: a TritonLease may not have a target, because server.leases.allowedTargets is None; %s" $administrator | quote }}
    reason: Forbidden
  {{- else }}
  # tms-server does not know who wrote a lease. It checks the label of the workload. The
  # resource of a kind is its plural: a kind with another plural is refused.
  - expression: >-
      variables.target == {} || variables.spec.?target == variables.oldSpec.?target ||
      authorizer.group([variables.target.?apiVersion.orValue('apps/v1')].map(v, v.contains('/') ? v.split('/')[0] : '')[0])
      .resource(variables.target.?kind.orValue('Deployment').lowerAscii() + 's').subresource('scale')
      .namespace(request.namespace).name(variables.target.name).check('update').allowed()
    message: "spec.target: Forbidden: you may set a target only if you may update its scale subresource; ask for the right to update deployments/scale, or the scale subresource of the kind of the target"
    reason: Forbidden
  {{- end }}
{{- end -}}
