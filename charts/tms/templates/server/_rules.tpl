{{/*
tms.server.rules: the rights of tms-server in the namespaces of its leases.
Argument: the root context. Result: YAML.
*/}}
{{- define "tms.server.rules" -}}
# Watch leases, and delete those that have expired.
- apiGroups: ["tms.triton-leases.dev"]
  resources: ["tritonleases"]
  verbs: ["get", "list", "watch", "delete"]
{{- if include "tms.server.api" . }}
# Create and renew leases for callers of the API, if the callers themselves may do so.
- apiGroups: ["tms.triton-leases.dev"]
  resources: ["tritonleases"]
  verbs: ["create", "patch"]
{{- end }}
# Write the status of leases.
- apiGroups: ["tms.triton-leases.dev"]
  resources: ["tritonleases/status"]
  verbs: ["update"]
# Make the lease the owner of its objects, so that Kubernetes deletes them with it. The
# admission plugin OwnerReferencesPermissionEnforcement asks for this right.
- apiGroups: ["tms.triton-leases.dev"]
  resources: ["tritonleases/finalizers"]
  verbs: ["update"]
# Read what the pods of a lease that starts wait for.
- apiGroups: [""]
  resources: ["pods"]
  verbs: ["list"]
# Watch the objects of leases, apply them (server-side apply is a patch, or a create for
# a new object), and prune them.
- apiGroups: ["apps"]
  resources: ["deployments"]
  verbs: ["get", "list", "watch", "create", "patch", "delete"]
{{- if eq .Values.server.leases.allowedTargets "Labelled" }}
# Read the label of a workload that a lease scales as its target. The target can also be a
# Deployment. For other kinds, bind a role with this right to the service account.
- apiGroups: ["apps"]
  resources: ["replicasets", "statefulsets"]
  verbs: ["get"]
{{- end }}
- apiGroups: [""]
  resources: ["services"]
  verbs: ["get", "list", "watch", "create", "patch", "delete"]
- apiGroups: ["networking.k8s.io"]
  resources: ["networkpolicies"]
  verbs: ["get", "list", "watch", "create", "patch", "delete"]
- apiGroups: ["gateway.networking.k8s.io"]
  resources: ["httproutes", "grpcroutes"]
  verbs: ["get", "list", "watch", "create", "patch", "delete"]
- apiGroups: ["policy"]
  resources: ["poddisruptionbudgets"]
  verbs: ["get", "list", "watch", "create", "patch", "delete"]
- apiGroups: ["autoscaling"]
  resources: ["horizontalpodautoscalers"]
  verbs: ["get", "list", "watch", "create", "patch", "delete"]
# Also without KEDA: a lease that changes back to prometheus-adapter deletes its ScaledObject.
- apiGroups: ["keda.sh"]
  resources: ["scaledobjects"]
  verbs: ["get", "list", "watch", "create", "patch", "delete"]
- apiGroups: ["monitoring.coreos.com"]
  resources: ["podmonitors", "prometheusrules"]
  verbs: ["get", "list", "watch", "create", "patch", "delete"]
# Write events about leases.
- apiGroups: ["events.k8s.io"]
  resources: ["events"]
  verbs: ["create", "patch"]
# Read the request rate of leases, for automatic renewal. The custom metrics API asks
# for "get" even if the metric of all pods is read at once.
- apiGroups: ["custom.metrics.k8s.io"]
  resources: ["pods/tms_request_rate"]
  verbs: ["get"]
{{- end -}}
