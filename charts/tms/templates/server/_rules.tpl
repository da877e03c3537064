{{/*
tms.server.rules: what tms-server may do in the namespaces that it looks after.
Argument: the root context.
Result: YAML.
*/}}
{{- define "tms.server.rules" -}}
# It watches leases, and deletes those that have ended.
- apiGroups: ["tms.triton-leases.dev"]
  resources: ["tritonleases"]
  verbs: ["get", "list", "watch", "delete"]
{{- if include "tms.server.api" . }}
# Who calls its API has it make leases, and renew them, where he may do so himself.
- apiGroups: ["tms.triton-leases.dev"]
  resources: ["tritonleases"]
  verbs: ["create", "patch"]
{{- end }}
# It says in their status what they were granted and how they are.
- apiGroups: ["tms.triton-leases.dev"]
  resources: ["tritonleases/status"]
  verbs: ["update"]
# What it makes is owned by the lease, so that it goes with it, and blocks its
# deletion in the foreground. Where the API server runs the admission plugin
# OwnerReferencesPermissionEnforcement, that takes this right.
- apiGroups: ["tms.triton-leases.dev"]
  resources: ["tritonleases/finalizers"]
  verbs: ["update"]
# What a lease consists of is watched, applied on the server (a patch, which is
# a create where there is nothing yet), and deleted where the lease has it no more.
- apiGroups: ["apps"]
  resources: ["deployments"]
  verbs: ["get", "list", "watch", "create", "patch", "delete"]
- apiGroups: [""]
  resources: ["services"]
  verbs: ["get", "list", "watch", "create", "patch", "delete"]
- apiGroups: ["policy"]
  resources: ["poddisruptionbudgets"]
  verbs: ["get", "list", "watch", "create", "patch", "delete"]
- apiGroups: ["autoscaling"]
  resources: ["horizontalpodautoscalers"]
  verbs: ["get", "list", "watch", "create", "patch", "delete"]
- apiGroups: ["monitoring.coreos.com"]
  resources: ["podmonitors", "prometheusrules"]
  verbs: ["get", "list", "watch", "create", "patch", "delete"]
# It tells of leases in events, and counts one that repeats.
- apiGroups: ["events.k8s.io"]
  resources: ["events"]
  verbs: ["create", "patch"]
# It asks whether a lease serves requests, to renew it. The metrics API asks for
# "get" even where the metric of all pods is read at once.
- apiGroups: ["custom.metrics.k8s.io"]
  resources: ["pods/tms_request_rate"]
  verbs: ["get"]
{{- end -}}
