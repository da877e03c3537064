{{/*
Policy, part 2: grants one lease. Part 1 is _policy_config.tpl, part 3 is
_policy_pod.tpl.

Below, the "lease" is a dict: policy, path (leases.<name>), spec (the values of the
lease), request (its autoscaling), grant (see _grants.tpl), thresholds (numbers by
metric), arguments (see tms.policy.parse), image (see tms.policy.image) and warnings
(sentences).
*/}}

{{/*
tms.policy.leases: grants all leases. Autoscaling is granted only if the
configuration is valid and autoscaling is on.
Arguments: policy, valid. Result: nothing.
*/}}
{{- define "tms.policy.leases" -}}
{{- $policy := .policy -}}
{{- $valid := .valid -}}
{{- $fullname := include "tms.fullname" $policy.root -}}
{{- $monitors := default "perLease" (default dict $policy.config.prometheus).monitors -}}
{{- $targets := dict -}}
{{- range $name, $spec := $policy.root.Values.leases -}}
{{- if $spec.models -}}
{{- $_ := set $targets (printf "apps Deployment %s-%s" $fullname $name) true -}}
{{- end -}}
{{- end -}}
{{- range $name, $spec := $policy.root.Values.leases -}}
{{- $path := printf "leases.%s" $name -}}
{{- $models := list -}}
{{- range $spec.models -}}
{{- $models = append $models .name -}}
{{- end -}}
{{- $grant := dict "name" (printf "%s-%s" $fullname $name) "path" $path "models" $models "autoscaled" false "adjustments" list
  "ownMonitors" (or (ne $monitors "shared") (not (not $spec.target))) -}}
{{- $_ := set $policy.grants.leases $name $grant -}}
{{- $lease := dict "policy" $policy "path" $path "spec" $spec "request" (default dict $spec.autoscaling) "grant" $grant "thresholds" dict "warnings" list -}}
{{- include "tms.policy.name" $lease -}}
{{- include "tms.policy.models" $lease -}}
{{- include "tms.policy.repositories" $lease -}}
{{- include "tms.policy.checkTriton" $lease -}}
{{- include "tms.policy.target" (dict "lease" $lease "targets" $targets) -}}
{{- include "tms.policy.image" $lease -}}
{{- include "tms.policy.arguments" (list $policy (printf "%s.triton" $path) $spec.triton) -}}
{{- include "tms.policy.triton" $lease -}}
{{- include "tms.policy.schedule" $lease -}}
{{- if and $valid $lease.request.enable -}}
{{- if $policy.config.enable -}}
{{- $_ := set $grant "autoscaled" true -}}
{{- include "tms.policy.grantReplicas" $lease -}}
{{- include "tms.policy.grantMetrics" $lease -}}
{{- include "tms.policy.window" $lease -}}
{{- include "tms.policy.pod" $lease -}}
{{- include "tms.policy.signals" $lease -}}
{{- else -}}
{{- include "tms.policy.warnLease" (list $lease ".autoscaling.enable: autoscaling is switched off by server.autoscaling.enable") -}}
{{- end -}}
{{- end -}}
{{- with concat $grant.adjustments $lease.warnings -}}
{{- $_ := set $policy.grants "warnings" (concat $policy.grants.warnings .) -}}
{{- end -}}
{{- end -}}
{{- if ne $monitors "perLease" -}}
{{- include "tms.policy.share" $policy -}}
{{- end -}}
{{- end -}}

{{/*
tms.policy.share: sets what the leases that share a PodMonitor need together. A lease with
a target has its own.
Argument: the policy. Result: nothing.
*/}}
{{- define "tms.policy.share" -}}
{{- $policy := . -}}
{{- $scraped := false -}}
{{- $autoscaled := false -}}
{{- $scheduled := false -}}
{{- $used := dict -}}
{{- range $name, $spec := .root.Values.leases -}}
{{- if not $spec.target -}}
{{- $grant := get $policy.grants.leases $name -}}
{{- $scraped = true -}}
{{- $autoscaled = or $autoscaled $grant.autoscaled -}}
{{- $scheduled = or $scheduled (default false $grant.scheduled) -}}
{{- range $grant.metrics -}}
{{- $_ := set $used .name true -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $metrics := list -}}
{{- range .metrics -}}
{{- if hasKey $used .name -}}
{{- $metrics = append $metrics (dict
  "name" .name "series" (default "" .series) "unit" .unit "waiting" (default false .waiting) "query" (default "" .query)) -}}
{{- end -}}
{{- end -}}
{{- if or $autoscaled (and $scraped (default dict .root.Values.metrics).enabled) -}}
{{- $_ := set .grants "shared" (dict
  "name" (printf "%s.leases" (include "tms.fullname" .root)) "path" "leases.{{ $labels.tms_lease }}"
  "autoscaled" $autoscaled "renewed" false "scheduled" $scheduled "metrics" $metrics) -}}
{{- end -}}
{{- end -}}

{{/*
tms.policy.refuse, tms.policy.warnLease: add a sentence about a lease to the errors
of the policy, or to the warnings of the lease.
Argument: a list of the lease and the sentence without the lease's path. Result: nothing.
*/}}
{{- define "tms.policy.refuse" -}}
{{- $lease := index . 0 -}}
{{- include "tms.policy.error" (list $lease.policy (printf "%s%s" $lease.path (index . 1))) -}}
{{- end -}}
{{- define "tms.policy.warnLease" -}}
{{- $lease := index . 0 -}}
{{- $_ := set $lease "warnings" (append $lease.warnings (printf "%s%s" $lease.path (index . 1))) -}}
{{- end -}}

{{/*
tms.policy.name: checks the name of the lease's objects.
Argument: the lease. Result: nothing.
*/}}
{{- define "tms.policy.name" -}}
{{- $root := .policy.root -}}
{{- if and (default dict $root.Values.server).enabled (eq .grant.name (printf "%s-server" (include "tms.fullname" $root))) -}}
{{- include "tms.policy.refuse" (list . (printf ": Invalid value: %q: the name of the lease's objects must not be that of tms-server: change the name of the lease" .grant.name)) -}}
{{- end -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$" .grant.name) -}}
{{- include "tms.policy.refuse" (list . (printf ": Invalid value: %q: the name of the lease's objects must be a DNS label of at most 63 characters that begins with a letter: change the name of the lease or of the release, or set fullnameOverride" .grant.name)) -}}
{{- else if hasSuffix "-headless" .grant.name -}}
{{- include "tms.policy.refuse" (list . (printf ": Invalid value: %q: the name of the lease's objects must not end in -headless, which ends the names of headless Services: change the name of the lease" .grant.name)) -}}
{{- else if gt (len .grant.name) 54 -}}
{{- $own := default dict .spec.service -}}
{{- if and .spec.models (ternary $own.headless (default dict $root.Values.service).headless (hasKey $own "headless")) -}}
{{- include "tms.policy.refuse" (list . (printf ": Invalid value: %q: the name of the headless Service must have at most 63 characters: change the name of the lease or of the release, or set service.headless: false" (printf "%s-headless" .grant.name))) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
tms.policy.models: checks that no two models have the same name, and warns of URIs that
end in the name of their model.
Argument: the lease. Result: nothing.
*/}}
{{- define "tms.policy.models" -}}
{{- $lease := . -}}
{{- $seen := dict -}}
{{- range $index, $model := .spec.models -}}
{{- if hasKey $seen $model.name -}}
{{- include "tms.policy.refuse" (list $lease (printf ".models[%d].name: Duplicate value: %q" $index $model.name)) -}}
{{- end -}}
{{- if and (eq $model.name "*") (gt (len $lease.spec.models) 1) -}}
{{- include "tms.policy.refuse" (list $lease (printf ".models[%d].name: Invalid value: \"*\": must be the only model, because it loads all models of its repository" $index)) -}}
{{- end -}}
{{- $_ := set $seen $model.name true -}}
{{- $resolved := (index (include "tms.models" (dict "root" $lease.policy.root "models" (list $model)) | fromJson).models 0).uri -}}
{{- $uri := trimSuffix "/" $model.uri -}}
{{- $above := trimSuffix (printf "/%s" $model.name) $uri -}}
{{- if not (or (eq $above $uri) (eq $above "") (hasSuffix "/" $above) (hasPrefix "https://" $resolved) (hasPrefix "oci://" $resolved)) -}}
{{- include "tms.policy.warnLease" (list $lease (printf ".models[%d].uri: %q ends in the name of the model, but must be the model repository, which contains the folder of the model: if it is the folder of the model, set %q" $index $model.uri $above)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
tms.policy.target: checks that no other lease scales the same workload.
Arguments: lease, targets (a dict of the workloads so far; it adds the one of this lease). Result: nothing.
*/}}
{{- define "tms.policy.target" -}}
{{- $target := .lease.spec.target -}}
{{- if and $target .lease.request.enable -}}
{{- $group := regexReplaceAll "/?[^/]*$" (default "apps/v1" $target.apiVersion) "" -}}
{{- $workload := printf "%s %s %s" $group (default "Deployment" $target.kind) $target.name -}}
{{- if hasKey .targets $workload -}}
{{- include "tms.policy.refuse" (list .lease (printf ".target.name: Duplicate value: %q" $target.name)) -}}
{{- end -}}
{{- $_ := set .targets $workload true -}}
{{- end -}}
{{- end -}}

{{/*
tms.policy.image: checks that the lease may use its image.
Argument: the lease. Result: nothing.
*/}}
{{- define "tms.policy.image" -}}
{{- $values := .policy.root.Values -}}
{{- $image := .spec.image -}}
{{- if and $image (ne $image (default dict $values.images).triton) (not (has $image (default list (default dict $values.server).allowlist))) -}}
{{- include "tms.policy.refuse" (list . (printf ".image: Forbidden: image %q is not allowed: it must be images.triton or in server.allowlist" $image)) -}}
{{- end -}}
{{- end -}}

{{/*
tms.policy.clamp: clamps a number to its bounds.
Argument: a dict with request (a map), key (of the number in it), default (the number
if the key is absent), lowest and highest (each a list of a number and its path; a
highest number of 0 means no upper limit).
Result: nothing. It sets origin ("asked" or "default"), from, to (the number within
the bounds) and limit (the path of the bound that decided).
*/}}
{{- define "tms.policy.clamp" -}}
{{- $asked := hasKey .request .key -}}
{{- $from := ternary (get .request .key) .default $asked | float64 | int64 -}}
{{- $_ := set (set . "origin" (ternary "asked" "default" $asked)) "from" $from -}}
{{- $_ := set (set . "to" $from) "limit" "" -}}
{{- if lt $from (index .lowest 0) -}}
{{- $_ := set (set . "to" (index .lowest 0)) "limit" (index .lowest 1) -}}
{{- else if and (ne (index .highest 0) 0) (gt $from (index .highest 0)) -}}
{{- $_ := set (set . "to" (index .highest 0)) "limit" (index .highest 1) -}}
{{- end -}}
{{- end -}}

{{/*
tms.policy.adjust: records a number that differs from the request or the default.
Arguments: lease, field (the path of the number), number (see tms.policy.clamp). Result: nothing.
*/}}
{{- define "tms.policy.adjust" -}}
{{- with .number -}}
{{- if ne .from .to -}}
{{- $_ := set $.lease.grant "adjustments" (append $.lease.grant.adjustments (printf "%s: %s %d, granted %d (%s)" $.field .origin .from .to .limit)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
tms.policy.schedule: refuses a schedule without tms-server or with KEDA, and warns of a schedule that has
no effect.
Argument: the lease. Result: nothing.
*/}}
{{- define "tms.policy.schedule" -}}
{{- if (default dict .request.replicas).schedule -}}
{{- if not (default dict .policy.root.Values.server).enabled -}}
{{- include "tms.policy.refuse" (list . ".autoscaling.replicas.schedule: Forbidden: needs server.enabled: true, because tms-server changes the replicas at these times") -}}
{{- end -}}
{{- if eq (default "" .policy.config.source) "keda" -}}
{{- include "tms.policy.refuse" (list . ".autoscaling.replicas.schedule: Forbidden: needs server.autoscaling.source: adapter; with keda, only a TritonLease can have a schedule") -}}
{{- end -}}
{{- if not .request.enable -}}
{{- include "tms.policy.warnLease" (list . ".autoscaling.replicas.schedule: ignored, because the lease is not autoscaled: set autoscaling.enable to true") -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
tms.policy.grantReplicas: grants the replicas and those of the schedule, as grantReplicas in
pkg/policy/grant.go does.
Argument: the lease. Result: nothing.
*/}}
{{- define "tms.policy.grantReplicas" -}}
{{- $lease := . -}}
{{- $request := default dict .request.replicas -}}
{{- $whole := dict "lease" . "path" ".autoscaling.replicas" "request" $request
  "minimum" (include "tms.policy.at" (list .policy.config.replicas "default.minimum"))
  "maximum" (include "tms.policy.at" (list .policy.config.replicas "default.maximum")) -}}
{{- include "tms.policy.grantRange" $whole -}}
{{- if $whole.granted -}}
{{- $_ := set (set .grant "minReplicas" (toString $whole.minimum)) "maxReplicas" (toString $whole.maximum) -}}
{{- range $index, $entry := $request.schedule -}}
{{- $range := dict "lease" $lease "path" (printf ".autoscaling.replicas.schedule[%d]" $index) "request" $entry
  "minimum" $whole.minimum "maximum" $whole.maximum -}}
{{- include "tms.policy.grantRange" $range -}}
{{- $zone := default "Etc/UTC" $entry.timeZone -}}
{{- $_ := set $lease.grant "schedule" (append (default list $lease.grant.schedule) (dict
  "cron" $entry.cron "timeZone" $zone "minReplicas" (toString $range.minimum) "maxReplicas" (toString $range.maximum))) -}}
{{- $_ := set $lease.grant "scheduled" true -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
tms.policy.grantRange: grants a minimum and a maximum, as grantRange in pkg/policy/grant.go
does.
Argument: a dict with lease, path (of the two numbers, below that of the lease), request (a
map), minimum and maximum (the defaults). Result: nothing. It sets minimum, maximum and
granted (true), or refuses the lease.
*/}}
{{- define "tms.policy.grantRange" -}}
{{- $bounds := .lease.policy.config.replicas -}}
{{- $server := "server.autoscaling.replicas" -}}
{{- $path := printf "%s%s" .lease.path .path -}}
{{- $lowest := list (include "tms.policy.at" (list $bounds "limits.minimum.lowerBound") | int64) (printf "%s.limits.minimum.lowerBound" $server) -}}
{{- $minimum := dict "request" .request "key" "minimum" "default" .minimum
  "lowest" $lowest
  "highest" (list (include "tms.policy.at" (list $bounds "limits.minimum.upperBound") | int64) (printf "%s.limits.minimum.upperBound" $server)) -}}
{{- $maximum := dict "request" .request "key" "maximum" "default" .maximum
  "lowest" $lowest
  "highest" (list (include "tms.policy.at" (list $bounds "limits.maximum") | int64) (printf "%s.limits.maximum" $server)) -}}
{{- include "tms.policy.clamp" $minimum -}}
{{- include "tms.policy.clamp" $maximum -}}
{{- if and (eq $minimum.origin "asked") (eq $maximum.origin "asked") (gt $minimum.from $maximum.from) -}}
{{- include "tms.policy.refuse" (list .lease (printf "%s.minimum: Invalid value: %d: must not exceed maximum (%d)" .path $minimum.from $maximum.from)) -}}
{{- else -}}
{{- if lt $maximum.to $minimum.to -}}
{{- if eq $minimum.origin "default" -}}
{{- $_ := set (set $minimum "to" $maximum.to) "limit" (printf "%s.maximum" $path) -}}
{{- else -}}
{{- $_ := set (set $maximum "to" $minimum.to) "limit" (printf "%s.minimum" $path) -}}
{{- end -}}
{{- end -}}
{{- include "tms.policy.adjust" (dict "lease" .lease "field" (printf "%s.minimum" $path) "number" $minimum) -}}
{{- include "tms.policy.adjust" (dict "lease" .lease "field" (printf "%s.maximum" $path) "number" $maximum) -}}
{{- $_ := set (set (set . "minimum" $minimum.to) "maximum" $maximum.to) "granted" true -}}
{{- end -}}
{{- end -}}

{{/*
tms.policy.grantMetrics: grants the metrics, as grantMetrics in pkg/policy/grant.go does.
Argument: the lease. Result: nothing.
*/}}
{{- define "tms.policy.grantMetrics" -}}
{{- $lease := . -}}
{{- $granted := list -}}
{{- include "tms.policy.metricNames" . -}}
{{- range $metric := .policy.metrics -}}
{{- $server := printf "server.autoscaling.metrics.%s" $metric.name -}}
{{- $path := printf ".autoscaling.metrics.%s" $metric.name -}}
{{- $bounds := default dict (get (default dict $lease.policy.config.metrics) $metric.name) -}}
{{- $request := default dict (get (default dict $lease.request.metrics) $metric.name) -}}
{{- $default := or (default false $bounds.enabled) (default false $bounds.enable) -}}
{{- $key := ternary "enabled" "enable" (hasKey $request "enabled") -}}
{{- $inEffect := ternary (get $request $key) $default (hasKey $request $key) -}}
{{- if and (hasKey $request "enable") (ne $request.enable $inEffect) -}}
{{- include "tms.policy.refuse" (list $lease (printf "%s.enable: Invalid value: %t: must not contradict enabled (%t)" $path $request.enable $inEffect)) -}}
{{- end -}}
{{- if and (ne $inEffect $default) (not $bounds.allowed) -}}
{{- include "tms.policy.refuse" (list $lease (printf "%s.%s: Forbidden: a lease may not turn this metric %s (%s.allowed is false)" $path $key (ternary "on" "off" $inEffect) $server)) -}}
{{- end -}}
{{- if $inEffect -}}
{{- $maximum := include "tms.policy.at" (list $bounds "threshold.maximum") | int64 -}}
{{- if eq $maximum 0 -}}
{{- $maximum = include "tms.policy.at" (list $metric "highest") | int64 -}}
{{- end -}}
{{- $threshold := dict "request" $request "key" "threshold"
  "default" (include "tms.policy.at" (list $bounds "threshold.default"))
  "lowest" (list (include "tms.policy.at" (list $bounds "threshold.minimum") | int64) (printf "%s.threshold.minimum" $server))
  "highest" (list $maximum (printf "%s.threshold.maximum" $server)) -}}
{{- include "tms.policy.clamp" $threshold -}}
{{- include "tms.policy.adjust" (dict "lease" $lease "field" (printf "%s%s.threshold" $lease.path $path) "number" $threshold) -}}
{{- $granted = append $granted (dict
  "name" $metric.name "series" (default "" $metric.series) "unit" $metric.unit "waiting" (default false $metric.waiting)
  "query" (default "" $metric.query) "threshold" (toString $threshold.to)) -}}
{{- $_ := set $lease.thresholds $metric.name $threshold.to -}}
{{- else if hasKey $request "threshold" -}}
{{- include "tms.policy.refuse" (list $lease (printf "%s.threshold: Forbidden: the metric is not in effect for this lease; set enabled: true beside the threshold, or remove the threshold" $path)) -}}
{{- end -}}
{{- end -}}
{{- if not $granted -}}
{{- include "tms.policy.refuse" (list . ".autoscaling.metrics: Required value: no metric is in effect for this lease; turn one on here, or for all leases with server.autoscaling.metrics.<metric>.enabled") -}}
{{- end -}}
{{- $_ := set .grant "metrics" $granted -}}
{{- end -}}

{{/*
tms.policy.window: warns of thresholds that the recorded time cannot exceed if no request
completes.
Argument: the lease. Result: nothing.
*/}}
{{- define "tms.policy.window" -}}
{{- $lease := . -}}
{{- range $metric := .policy.metrics -}}
{{- if and $metric.waiting (eq $metric.unit "microseconds") (hasKey $lease.thresholds $metric.name) -}}
{{- $threshold := get $lease.thresholds $metric.name -}}
{{- if ge $threshold (mul 1000 $lease.policy.window) -}}
{{- include "tms.policy.warnLease" (list $lease (printf ".autoscaling.metrics.%s.threshold: %d microseconds should be below server.autoscaling.prometheus.rateWindow (%s): otherwise a Triton in which no request completes is not scaled up" $metric.name $threshold $lease.policy.config.prometheus.rateWindow)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
tms.policy.pod: checks what the metrics in effect need of the Triton container.
Argument: the lease. Result: nothing.
*/}}
{{- define "tms.policy.pod" -}}
{{- if .spec.models -}}
{{- $own := default dict .spec.triton -}}
{{- $resources := default dict (mergeOverwrite (deepCopy (default dict .policy.root.Values.triton)) (deepCopy $own)).resources -}}
{{- $requests := default dict $resources.requests -}}
{{- $limits := default dict $resources.limits -}}
{{- if hasKey .thresholds "cpuUtilization" -}}
{{- if not (include "tms.policy.positive" (ternary $requests.cpu $limits.cpu (and (hasKey $requests "cpu") (ne (toString $requests.cpu) "")))) -}}
{{- include "tms.policy.refuse" (list . ".triton.resources.requests.cpu: Required value: cpuUtilization is a percentage of the CPU request, and the Triton of this lease has none") -}}
{{- end -}}
{{- end -}}
{{- if hasKey .thresholds "gpuUtilization" -}}
{{- $gpu := "" -}}
{{- range $resource, $quantity := $limits -}}
{{- if and (hasPrefix "nvidia.com/" $resource) (not (hasPrefix "nvidia.com/mig-" $resource)) -}}
{{- $gpu = or $gpu (include "tms.policy.positive" $quantity) -}}
{{- end -}}
{{- end -}}
{{- if not $gpu -}}
{{- include "tms.policy.warnLease" (list . ".triton.resources.limits: gpuUtilization is in effect, but the Triton of this lease has no nvidia.com/gpu limit") -}}
{{- end -}}
{{- end -}}
{{- if hasKey $own "replicas" -}}
{{- include "tms.policy.warnLease" (list . ".triton.replicas: ignored, because the lease is autoscaled: its HorizontalPodAutoscaler owns the replica count") -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
tms.policy.positive: reports whether a quantity is more than zero.
Argument: a quantity or nil. Result: "true", or nothing.
*/}}
{{- define "tms.policy.positive" -}}
{{- if regexMatch "^[0-9.]*[1-9]" (ternary "0" (toString .) (kindIs "invalid" .)) -}}true{{- end -}}
{{- end -}}
