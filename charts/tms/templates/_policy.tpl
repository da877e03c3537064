{{/*
The judgement of the chart: what each lease is granted, and why it got less.
This file is the twin of the Go package pkg/policy and says the same to the
byte; the library puts Go's grants in its place. No other template decides.

tms.grants: the grants of all leases.
Argument: the root context. Result: a JSON object with
  leases                  per name: name (of its objects), path (where it stands),
                          autoscaled, minReplicas, maxReplicas, metrics (thresholds
                          of those in effect), adjustments (sentences); renewed says
                          that tms-server looks whether requests come
  warnings                sentences, those of the adjustments among them
  ruleLabels              labels of the PrometheusRules
  rateWindowMicroseconds  the rate window
It fails with every error at once, a line for each.

The answer is kept in the values, because a chart has no other place that lasts
from one template to the next, and every template asks.
*/}}
{{- define "tms.grants" -}}
{{- if not (hasKey .Values "__grants") -}}
{{- $_ := set .Values "__grants" (include "tms.judge" .) -}}
{{- end -}}
{{- .Values.__grants -}}
{{- end -}}

{{- define "tms.judge" -}}
{{- $state := dict "errors" list "warnings" list -}}
{{- $result := dict "leases" dict -}}
{{- include "tms.judge.release" (dict "root" . "state" $state) -}}
{{- include "tms.judge.foreign" (dict "root" . "state" $state) -}}
{{- $config := default dict (default dict .Values.server).autoscaling -}}
{{- $before := len $state.errors -}}
{{- include "tms.judge.config" (dict "config" $config "state" $state) -}}
{{- include "tms.judge.prometheus" (dict "config" $config "state" $state "result" $result) -}}
{{- $coherent := eq $before (len $state.errors) -}}
{{- include "tms.judge.server" (dict "root" . "window" (div $result.rateWindowMicroseconds 1000) "state" $state) -}}
{{- $fullname := include "tms.fullname" . -}}
{{- $targets := dict -}}
{{- $images := append (default list (default dict .Values.server).allowlist) (default dict .Values.images).triton -}}
{{- range $name, $lease := .Values.leases -}}
{{- $grant := dict "name" (printf "%s-%s" $fullname $name) "path" (printf "leases.%s" $name) "autoscaled" false "adjustments" list -}}
{{- $_ := set $result.leases $name $grant -}}
{{- $args := dict "config" $config "lease" $lease "path" $grant.path "grant" $grant "state" $state "targets" $targets "images" $images "server" (ternary (printf "%s-server" $fullname) "" (default false (default dict $.Values.server).enabled)) "defaults" $.Values.triton "window" $result.rateWindowMicroseconds -}}
{{- include "tms.judge.names" $args -}}
{{- include "tms.judge.image" $args -}}
{{- if and $coherent (default dict $lease.autoscaling).enable -}}
{{- if $config.enable -}}
{{- $_ := set $grant "autoscaled" true -}}
{{- include "tms.judge.replicas" $args -}}
{{- include "tms.judge.metrics" $args -}}
{{- include "tms.judge.window" $args -}}
{{- include "tms.judge.pod" $args -}}
{{- else -}}
{{- include "tms.warn" (list $state (printf "%s.autoscaling.enable: autoscaling is switched off by server.autoscaling.enable" $args.path)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if $state.errors -}}
{{- fail (printf "\n%s" (join "\n" $state.errors)) -}}
{{- end -}}
{{- $_ := set $result "warnings" $state.warnings -}}
{{- toJson $result -}}
{{- end -}}

{{/*
tms.error, tms.warn: add one sentence to the state.
Argument: a list of the state and the sentence. Result: nothing.
*/}}
{{- define "tms.error" -}}
{{- $state := index . 0 -}}
{{- $_ := set $state "errors" (append $state.errors (index . 1)) -}}
{{- end -}}
{{- define "tms.warn" -}}
{{- $state := index . 0 -}}
{{- $_ := set $state "warnings" (append $state.warnings (index . 1)) -}}
{{- end -}}

{{/*
tms.adjust: records that a number was not granted as asked.
Arguments: field (its path), origin ("asked" or "default"), from, to, limit (the
path of the bound that decided), grant, state. Result: nothing.
*/}}
{{- define "tms.adjust" -}}
{{- $sentence := printf "%s: %s %d, granted %d (%s)" .field .origin .from .to .limit -}}
{{- $_ := set .grant "adjustments" (append .grant.adjustments $sentence) -}}
{{- include "tms.warn" (list .state $sentence) -}}
{{- end -}}

{{/*
tms.int: a number of the values as an integer. Values are floating point, so
they go through one: int64 of a text such as 1e+06 would be 0.
Argument: a number or nil, which counts as 0. Result: digits.
*/}}
{{- define "tms.int" -}}
{{- . | float64 | int64 -}}
{{- end -}}

{{/*
tms.at: the number at a path of maps, 0 where any of them is missing.
Argument: a list of a map and keys. Result: digits.
*/}}
{{- define "tms.at" -}}
{{- $value := first . -}}
{{- range rest . -}}
{{- $value = get (default dict $value) . -}}
{{- end -}}
{{- include "tms.int" (default 0 $value) -}}
{{- end -}}

{{/*
tms.milliseconds: a duration such as 1m30s in milliseconds.
Argument: a string that the schema accepts. Result: digits.
*/}}
{{- define "tms.milliseconds" -}}
{{- $pattern := "^(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)s)?(?:([0-9]+)ms)?$" -}}
{{- $hours := regexReplaceAll $pattern . "${1}" | atoi -}}
{{- $minutes := regexReplaceAll $pattern . "${2}" | atoi -}}
{{- $seconds := regexReplaceAll $pattern . "${3}" | atoi -}}
{{- $milliseconds := regexReplaceAll $pattern . "${4}" | atoi -}}
{{- add (mul (add (mul (add (mul $hours 60) $minutes) 60) $seconds) 1000) $milliseconds -}}
{{- end -}}

{{/*
tms.judge.release: the names that the whole release is made with.
Arguments: root, state. Result: nothing.
*/}}
{{- define "tms.judge.release" -}}
{{- if not (regexMatch "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$" .root.Release.Namespace) -}}
{{- include "tms.error" (list .state (printf "namespace: Invalid value: %q: must be a DNS label of at most 63 characters" .root.Release.Namespace)) -}}
{{- end -}}
{{- if not (default dict .root.Values.images).triton -}}
{{- include "tms.error" (list .state "images.triton: Required value: the image of Triton Inference Server") -}}
{{- end -}}
{{- end -}}

{{/*
tms.judge.foreign: keys of NVIDIA TMS that mean nothing here, or not as it is installed.
Arguments: root, state. Result: nothing.
*/}}
{{- define "tms.judge.foreign" -}}
{{- $state := .state -}}
{{- $images := default dict .root.Values.images -}}
{{- $server := default dict .root.Values.server -}}
{{- if and $images.server (not $server.enabled) -}}
{{- include "tms.warn" (list $state "images.server: has no effect while server.enabled is false") -}}
{{- end -}}
{{- $api := default dict $server.apiService -}}
{{- if not $api.enabled -}}
{{- /* A default that was removed or repeated asks for nothing. */ -}}
{{- if not (has (default "" $api.type) (list "" "ClusterIP")) -}}
{{- include "tms.warn" (list $state "server.apiService.type: has no effect while server.apiService.enabled is false") -}}
{{- end -}}
{{- if not (has (include "tms.int" (default 0 $api.port)) (list "0" "30345")) -}}
{{- include "tms.warn" (list $state "server.apiService.port: has no effect while server.apiService.enabled is false") -}}
{{- end -}}
{{- end -}}
{{- $metrics := default dict $server.metrics -}}
{{- range list
  (list "images" $images "sidecar") (list "images" $images "mongodb") (list "images" $images "rest")
  (list "server" $server "modelRepositories")
  (list "server.metrics" $metrics "reportingWindow") (list "server.metrics" $metrics "minimumVisibility") -}}
{{- $map := index . 1 -}}
{{- $key := index . 2 -}}
{{- if and (hasKey $map $key) (not (kindIs "invalid" (get $map $key))) -}}
{{- include "tms.warn" (list $state (printf "%s.%s: a key of NVIDIA TMS that has no meaning here is ignored" (index . 0) $key)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
tms.judge.config: whether the administrator's own numbers are coherent.
Arguments: config, state. Result: nothing.
*/}}
{{- define "tms.judge.config" -}}
{{- $state := .state -}}
{{- $config := .config -}}
{{- $path := "server.autoscaling.replicas." -}}
{{- $replicas := dict
  "default.minimum" (include "tms.at" (list $config "replicas" "default" "minimum") | int64)
  "default.maximum" (include "tms.at" (list $config "replicas" "default" "maximum") | int64)
  "limits.maximum" (include "tms.at" (list $config "replicas" "limits" "maximum") | int64)
  "limits.minimum.lowerBound" (include "tms.at" (list $config "replicas" "limits" "minimum" "lowerBound") | int64)
  "limits.minimum.upperBound" (include "tms.at" (list $config "replicas" "limits" "minimum" "upperBound") | int64) -}}
{{- range list "default.minimum" "default.maximum" "limits.maximum" "limits.minimum.lowerBound" "limits.minimum.upperBound" -}}
{{- if lt (get $replicas .) 1 -}}
{{- include "tms.error" (list $state (printf "%s%s: Invalid value: %d: must be at least 1" $path . (get $replicas .))) -}}
{{- end -}}
{{- end -}}
{{- range list
  (list "limits.minimum.lowerBound" "must not exceed" "limits.minimum.upperBound")
  (list "limits.minimum.upperBound" "must not exceed" "limits.maximum")
  (list "default.minimum" "must be at least" "limits.minimum.lowerBound")
  (list "default.minimum" "must not exceed" "limits.minimum.upperBound")
  (list "default.maximum" "must be at least" "default.minimum")
  (list "default.maximum" "must not exceed" "limits.maximum") -}}
{{- $number := get $replicas (index . 0) -}}
{{- $bound := get $replicas (index . 2) -}}
{{- if or (and (eq (index . 1) "must not exceed") (gt $number $bound)) (and (eq (index . 1) "must be at least") (lt $number $bound)) -}}
{{- include "tms.error" (list $state (printf "%s%s: Invalid value: %d: %s %s%s (%d)" $path (index . 0) $number (index . 1) $path (index . 2) $bound)) -}}
{{- end -}}
{{- end -}}
{{- range $metric := list "cpuUtilization" "gpuUtilization" "queueTime" -}}
{{- $path := printf "server.autoscaling.metrics.%s.threshold" $metric -}}
{{- $default := include "tms.at" (list $config "metrics" $metric "threshold" "default") | int64 -}}
{{- $minimum := include "tms.at" (list $config "metrics" $metric "threshold" "minimum") | int64 -}}
{{- $maximum := include "tms.at" (list $config "metrics" $metric "threshold" "maximum") | int64 -}}
{{- if lt $minimum 1 -}}
{{- include "tms.error" (list $state (printf "%s.minimum: Invalid value: %d: must be at least 1" $path $minimum)) -}}
{{- end -}}
{{- if lt $default $minimum -}}
{{- include "tms.error" (list $state (printf "%s.default: Invalid value: %d: must be at least %s.minimum (%d)" $path $default $path $minimum)) -}}
{{- end -}}
{{- if and (ne $maximum 0) (gt $default $maximum) -}}
{{- include "tms.error" (list $state (printf "%s.default: Invalid value: %d: must not exceed %s.maximum (%d)" $path $default $path $maximum)) -}}
{{- end -}}
{{- if eq $metric "gpuUtilization" -}}
{{- range list (list "default" $default) (list "minimum" $minimum) (list "maximum" $maximum) -}}
{{- if gt (index . 1) 100 -}}
{{- include "tms.error" (list $state (printf "%s.%s: Invalid value: %d: must not exceed 100 percent" $path (index . 0) (index . 1))) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
tms.judge.prometheus: the durations and the labels of rules.
Arguments: config, state, result. Result: nothing.
*/}}
{{- define "tms.judge.prometheus" -}}
{{- $state := .state -}}
{{- $path := "server.autoscaling.prometheus." -}}
{{- $prometheus := default dict .config.prometheus -}}
{{- $milliseconds := dict -}}
{{- range list "scrapeInterval" "evaluationInterval" "rateWindow" -}}
{{- $_ := set $milliseconds . (include "tms.milliseconds" (default "" (get $prometheus .)) | int64) -}}
{{- if eq (get $milliseconds .) 0 -}}
{{- include "tms.error" (list $state (printf "%s%s: Invalid value: %q: must be longer than 0" $path . (default "" (get $prometheus .)))) -}}
{{- end -}}
{{- end -}}
{{- range list "scrapeInterval" "evaluationInterval" -}}
{{- if ge (get $milliseconds .) 300000 -}}
{{- include "tms.error" (list $state (printf "%s%s: Invalid value: %q: must be shorter than 5m, after which Prometheus takes a series for gone" $path . (get $prometheus .))) -}}
{{- end -}}
{{- end -}}
{{- if lt $milliseconds.rateWindow (mul 4 $milliseconds.scrapeInterval) -}}
{{- include "tms.error" (list $state (printf "%srateWindow: Invalid value: %q: must be at least four times %sscrapeInterval (%s)" $path (default "" $prometheus.rateWindow) $path (default "" $prometheus.scrapeInterval))) -}}
{{- end -}}
{{- $_ := set .result "rateWindowMicroseconds" (mul 1000 $milliseconds.rateWindow) -}}
{{- $labels := dict -}}
{{- range $key, $value := $prometheus.ruleLables -}}
{{- $_ := set $labels $key $value -}}
{{- end -}}
{{- range $key, $value := $prometheus.ruleLabels -}}
{{- if and (hasKey $labels $key) (ne (get $labels $key) $value) -}}
{{- include "tms.warn" (list $state (printf "%sruleLables.%s: %q is overridden by %sruleLabels.%s (%q)" $path $key (get $labels $key) $path $key $value)) -}}
{{- end -}}
{{- $_ := set $labels $key $value -}}
{{- end -}}
{{- $_ := set .result "ruleLabels" $labels -}}
{{- end -}}

{{/*
tms.judge.server: what tms-server needs, and how long leases at run time last.
Arguments: root, window (the rate window in milliseconds), state. Result: nothing.
*/}}
{{- define "tms.judge.server" -}}
{{- $state := .state -}}
{{- $server := default dict .root.Values.server -}}
{{- if and $server.enabled (not (default dict .root.Values.images).server) -}}
{{- include "tms.error" (list $state "images.server: Required value: the image of tms-server, which server.enabled installs") -}}
{{- end -}}
{{- include "tms.judge.api" (dict "root" .root "server" $server "state" $state) -}}
{{- $leases := default dict $server.leases -}}
{{- $duration := default dict $leases.duration -}}
{{- $default := include "tms.milliseconds" (default "" $duration.default) | int64 -}}
{{- $maximum := include "tms.milliseconds" (default "" $duration.maximum) | int64 -}}
{{- $said := printf "server.leases.duration.default: Invalid value: %q:" (default "" $duration.default) -}}
{{- if and (ne $maximum 0) (eq $default 0) -}}
{{- include "tms.error" (list $state (printf "%s has no end, which server.leases.duration.maximum (%s) does not allow" $said $duration.maximum)) -}}
{{- else if and (ne $maximum 0) (gt $default $maximum) -}}
{{- include "tms.error" (list $state (printf "%s must not exceed server.leases.duration.maximum (%s)" $said $duration.maximum)) -}}
{{- end -}}
{{- $interval := default "" (default dict $leases.autoRenew).interval -}}
{{- if lt (include "tms.milliseconds" $interval | int64) .window -}}
{{- $rateWindow := (default dict (default dict $server.autoscaling).prometheus).rateWindow -}}
{{- include "tms.error" (list $state (printf "server.leases.autoRenew.interval: Invalid value: %q: must be at least server.autoscaling.prometheus.rateWindow (%s)" $interval (default "" $rateWindow))) -}}
{{- end -}}
{{- end -}}

{{/*
tms.judge.api: whether the API would be served as it is said.
Arguments: root, server, state. Result: nothing.
*/}}
{{- define "tms.judge.api" -}}
{{- $state := .state -}}
{{- $api := default dict .server.apiService -}}
{{- if $api.enabled -}}
{{- if not .server.enabled -}}
{{- include "tms.error" (list $state "server.apiService.enabled: Invalid value: true: needs server.enabled, which installs tms-server") -}}
{{- end -}}
{{- $name := printf "%s-server" (include "tms.fullname" .root) -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$" $name) -}}
{{- include "tms.error" (list $state (printf "server.apiService: Invalid value: %q: the Service of the API would have this name, which must be a DNS label of at most 63 characters that begins with a letter; change the name of the release, or set fullnameOverride" $name)) -}}
{{- end -}}
{{- $port := include "tms.int" (default 0 $api.port) | int64 -}}
{{- if eq $port 0 -}}
{{- include "tms.error" (list $state "server.apiService.port: Required value: the port of the Service") -}}
{{- else if and (eq (default "" $api.type) "NodePort") (or (lt $port 30000) (gt $port 32767)) -}}
{{- include "tms.error" (list $state (printf "server.apiService.port: Invalid value: %d: must be from 30000 to 32767 with the type NodePort, where it is the port of the nodes, too" $port)) -}}
{{- end -}}
{{- include "tms.judge.tls" (dict "tls" (default dict $api.tls) "state" $state) -}}
{{- if and $api.acquireTimeout (eq (include "tms.milliseconds" $api.acquireTimeout) "0") -}}
{{- include "tms.error" (list $state (printf "server.apiService.acquireTimeout: Invalid value: %q: must be longer than 0" $api.acquireTimeout)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
tms.judge.tls: whether exactly one of the three choices is made. None of them is a
default, because one needs a secret, one cert-manager, and one shows tokens to others.
Arguments: tls, state. Result: nothing.
*/}}
{{- define "tms.judge.tls" -}}
{{- $issuer := (default dict (default dict .tls.certManager).issuerRef).name -}}
{{- /* A default that was removed does not turn it off. */ -}}
{{- $off := eq (toString .tls.enabled) "false" -}}
{{- if and .tls.secretName $issuer -}}
{{- include "tms.error" (list .state (printf "server.apiService.tls.secretName: Invalid value: %q: must be empty beside certManager.issuerRef.name, which has cert-manager keep a secret of its own" .tls.secretName)) -}}
{{- end -}}
{{- if and $off (or .tls.secretName $issuer) -}}
{{- include "tms.error" (list .state "server.apiService.tls.enabled: Invalid value: false: must be true where secretName or certManager.issuerRef.name is set") -}}
{{- else if not (or $off .tls.secretName $issuer) -}}
{{- include "tms.error" (list .state "server.apiService.tls: Required value: one of secretName, a secret with the certificate of the API; certManager.issuerRef.name, who signs one; and enabled: false, which serves the API without TLS, so that tokens can be read on their way") -}}
{{- end -}}
{{- end -}}

{{/*
tms.judge.image: whether a lease may have the image that it names.
Arguments: lease, path, images (those that it may have), state. Result: nothing.
*/}}
{{- define "tms.judge.image" -}}
{{- if and .lease.image (not (has .lease.image .images)) -}}
{{- include "tms.error" (list .state (printf "%s.image: Forbidden: %q is neither images.triton nor among server.allowlist" .path .lease.image)) -}}
{{- end -}}
{{- end -}}

{{/*
tms.judge.names: the names that a lease brings with it.
Arguments: lease, path, grant, state, targets (the names of targets seen, which
grows), server (the name of the objects of tms-server, where there are any).
Result: nothing.
*/}}
{{- define "tms.judge.names" -}}
{{- $args := . -}}
{{- if eq .grant.name .server -}}
{{- include "tms.error" (list .state (printf "%s: Invalid value: %q: the objects of this lease would have this name, which is that of tms-server" .path .grant.name)) -}}
{{- end -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$" .grant.name) -}}
{{- include "tms.error" (list .state (printf "%s: Invalid value: %q: the objects of this lease would have this name, which must be a DNS label of at most 63 characters that begins with a letter; change the name of the lease or of the release, or set fullnameOverride" .path .grant.name)) -}}
{{- end -}}
{{- $seen := dict -}}
{{- range $index, $model := .lease.models -}}
{{- if hasKey $seen $model.name -}}
{{- include "tms.error" (list $args.state (printf "%s.models[%d].name: Duplicate value: %q" $args.path $index $model.name)) -}}
{{- end -}}
{{- $_ := set $seen $model.name true -}}
{{- end -}}
{{- if and .lease.target (default dict .lease.autoscaling).enable -}}
{{- with .lease.target -}}
{{- $group := regexReplaceAll "/?[^/]*$" (default "apps/v1" .apiVersion) "" -}}
{{- $key := printf "%s %s %s" $group (default "Deployment" .kind) .name -}}
{{- if hasKey $args.targets $key -}}
{{- include "tms.error" (list $args.state (printf "%s.target.name: Duplicate value: %q" $args.path .name)) -}}
{{- end -}}
{{- $_ := set $args.targets $key true -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
tms.judge.replicas: rules 1 to 4 of the policy.
Arguments: config, lease, path, grant, state. Result: nothing.
*/}}
{{- define "tms.judge.replicas" -}}
{{- $asked := default dict .lease.autoscaling.replicas -}}
{{- $defaults := .config.replicas.default -}}
{{- $limits := .config.replicas.limits -}}
{{- $lowerBound := include "tms.int" $limits.minimum.lowerBound | int64 -}}
{{- $upperBound := include "tms.int" $limits.minimum.upperBound | int64 -}}
{{- $maximum := include "tms.int" $limits.maximum | int64 -}}
{{- $path := printf "%s.autoscaling.replicas" .path -}}
{{- $min := dict "field" (printf "%s.minimum" $path) "origin" "default" "from" (include "tms.int" $defaults.minimum | int64) "grant" .grant "state" .state "limit" "" -}}
{{- if hasKey $asked "minimum" -}}
{{- $_ := set (set $min "origin" "asked") "from" (include "tms.int" $asked.minimum | int64) -}}
{{- end -}}
{{- $max := dict "field" (printf "%s.maximum" $path) "origin" "default" "from" (include "tms.int" $defaults.maximum | int64) "grant" .grant "state" .state "limit" "" -}}
{{- if hasKey $asked "maximum" -}}
{{- $_ := set (set $max "origin" "asked") "from" (include "tms.int" $asked.maximum | int64) -}}
{{- end -}}
{{- if and (eq $min.origin "asked") (eq $max.origin "asked") (gt $min.from $max.from) -}}
{{- include "tms.error" (list .state (printf "%s.minimum: Invalid value: %d: must not exceed %s.maximum (%d)" $path $min.from $path $max.from)) -}}
{{- else -}}
{{- include "tms.clamp" (list $min $lowerBound "server.autoscaling.replicas.limits.minimum.lowerBound" $upperBound "server.autoscaling.replicas.limits.minimum.upperBound") -}}
{{- include "tms.clamp" (list $max $lowerBound "server.autoscaling.replicas.limits.minimum.lowerBound" $maximum "server.autoscaling.replicas.limits.maximum") -}}
{{- if lt $max.to $min.to -}}
{{- if eq $min.origin "default" -}}
{{- $_ := set (set $min "to" $max.to) "limit" $max.field -}}
{{- else -}}
{{- $_ := set (set $max "to" $min.to) "limit" $min.field -}}
{{- end -}}
{{- end -}}
{{- range list $min $max -}}
{{- if ne .from .to -}}
{{- include "tms.adjust" . -}}
{{- end -}}
{{- end -}}
{{- $_ := set (set .grant "minReplicas" $min.to) "maxReplicas" $max.to -}}
{{- end -}}
{{- end -}}

{{/*
tms.clamp: brings the number "from" of a map into a band, as its number "to",
and names the bound that decided as its "limit".
Argument: a list of the map, the lowest number, its path, the highest number
(0: no upper limit), its path. Result: nothing.
*/}}
{{- define "tms.clamp" -}}
{{- $number := index . 0 -}}
{{- $_ := set $number "to" $number.from -}}
{{- if lt $number.from (index . 1) -}}
{{- $_ := set (set $number "to" (index . 1)) "limit" (index . 2) -}}
{{- else if and (ne (index . 3) 0) (gt $number.from (index . 3)) -}}
{{- $_ := set (set $number "to" (index . 3)) "limit" (index . 4) -}}
{{- end -}}
{{- end -}}

{{/*
tms.judge.metrics: rules 5 to 9 of the policy.
Arguments: config, lease, path, grant, state. Result: nothing.
*/}}
{{- define "tms.judge.metrics" -}}
{{- $args := . -}}
{{- $state := .state -}}
{{- $granted := dict -}}
{{- range $metric := list "cpuUtilization" "gpuUtilization" "queueTime" -}}
{{- $server := printf "server.autoscaling.metrics.%s" $metric -}}
{{- $path := printf "%s.autoscaling.metrics.%s" $args.path $metric -}}
{{- $config := get $args.config.metrics $metric -}}
{{- $asked := default dict (get (default dict $args.lease.autoscaling.metrics) $metric) -}}
{{- $default := or (default false $config.enabled) (default false $config.enable) -}}
{{- $effective := $default -}}
{{- $key := ternary "enabled" "enable" (hasKey $asked "enabled") -}}
{{- if hasKey $asked $key -}}
{{- $effective = get $asked $key -}}
{{- if and (hasKey $asked "enable") (ne $asked.enable $effective) -}}
{{- include "tms.error" (list $state (printf "%s.enable: Invalid value: %t: must not contradict %s.enabled (%t)" $path $asked.enable $path $effective)) -}}
{{- end -}}
{{- if and (ne $effective $default) (not $config.allowed) -}}
{{- include "tms.error" (list $state (printf "%s.%s: Forbidden: a lease may not turn this metric %s (%s.allowed is false)" $path $key (ternary "on" "off" $effective) $server)) -}}
{{- end -}}
{{- end -}}
{{- if $effective -}}
{{- $maximum := include "tms.int" (default 0 $config.threshold.maximum) | int64 -}}
{{- if and (eq $metric "gpuUtilization") (eq $maximum 0) -}}
{{- $maximum = int64 100 -}}
{{- end -}}
{{- $threshold := dict "field" (printf "%s.threshold" $path) "origin" "default" "from" (include "tms.int" $config.threshold.default | int64) "grant" $args.grant "state" $state -}}
{{- if hasKey $asked "threshold" -}}
{{- $_ := set (set $threshold "origin" "asked") "from" (include "tms.int" $asked.threshold | int64) -}}
{{- end -}}
{{- include "tms.clamp" (list $threshold (include "tms.int" $config.threshold.minimum | int64) (printf "%s.threshold.minimum" $server) $maximum (printf "%s.threshold.maximum" $server)) -}}
{{- if ne $threshold.from $threshold.to -}}
{{- include "tms.adjust" $threshold -}}
{{- end -}}
{{- $_ := set $granted $metric $threshold.to -}}
{{- else if hasKey $asked "threshold" -}}
{{- include "tms.error" (list $state (printf "%s.threshold: Forbidden: the metric is not in effect for this lease; turn it on with %s.enabled, or leave the threshold out" $path $path)) -}}
{{- end -}}
{{- end -}}
{{- if not $granted -}}
{{- include "tms.error" (list $state (printf "%s.autoscaling.metrics: Required value: no metric is in effect for this lease; turn one on here, or for every lease with server.autoscaling.metrics.<metric>.enabled" .path)) -}}
{{- end -}}
{{- $_ := set .grant "metrics" $granted -}}
{{- end -}}

{{/*
tms.judge.window: a threshold that a jammed Triton cannot pass.
Arguments: config, path, grant, state, window (microseconds). Result: nothing.
*/}}
{{- define "tms.judge.window" -}}
{{- $threshold := get .grant.metrics "queueTime" -}}
{{- if $threshold -}}
{{- if ge $threshold .window -}}
{{- include "tms.warn" (list .state (printf "%s.autoscaling.metrics.queueTime.threshold: %d microseconds are not below server.autoscaling.prometheus.rateWindow (%s), so a Triton in which no request completes is not scaled up" .path $threshold .config.prometheus.rateWindow)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
tms.judge.pod: what the metrics in effect need of a Triton that we run.
Arguments: lease, path, grant, state, defaults (the top-level triton). Result: nothing.
*/}}
{{- define "tms.judge.pod" -}}
{{- if .lease.models -}}
{{- $triton := mergeOverwrite (deepCopy (default dict .defaults)) (deepCopy (default dict .lease.triton)) -}}
{{- $requests := default dict (default dict $triton.resources).requests -}}
{{- $limits := default dict (default dict $triton.resources).limits -}}
{{- if hasKey .grant.metrics "cpuUtilization" -}}
{{- $cpu := ternary $requests.cpu $limits.cpu (hasKey $requests "cpu") -}}
{{- if not (include "tms.positive" $cpu) -}}
{{- include "tms.error" (list .state (printf "%s.triton.resources.requests.cpu: Required value: cpuUtilization is a percentage of the CPU request, and the Triton of this lease has none" .path)) -}}
{{- end -}}
{{- end -}}
{{- if hasKey .grant.metrics "gpuUtilization" -}}
{{- $gpu := false -}}
{{- range $resource, $quantity := $limits -}}
{{- if and (hasPrefix "nvidia.com/" $resource) (include "tms.positive" $quantity) -}}
{{- $gpu = true -}}
{{- end -}}
{{- end -}}
{{- if not $gpu -}}
{{- include "tms.warn" (list .state (printf "%s.triton.resources.limits: gpuUtilization is in effect, but the Triton of this lease has no nvidia.com/gpu limit" .path)) -}}
{{- end -}}
{{- end -}}
{{- if hasKey (default dict .lease.triton) "replicas" -}}
{{- include "tms.warn" (list .state (printf "%s.triton.replicas: ignored, because the lease is autoscaled: its HorizontalPodAutoscaler owns the replica count" .path)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
tms.positive: whether a quantity is there and is not zero.
Argument: a quantity or nil. Result: true, or the empty string.
*/}}
{{- define "tms.positive" -}}
{{- if regexMatch "^[0-9.]*[1-9]" (ternary "0" (toString .) (kindIs "invalid" .)) -}}true{{- end -}}
{{- end -}}
