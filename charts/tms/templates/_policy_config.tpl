{{/*
The policy decides what leases are granted. This file checks the administrator's
configuration, and _policy_lease.tpl grants one lease. Both files together are the twin of
the Go package pkg/policy: they grant the same numbers with the same sentences, byte for
byte. tms-render and tms-server use pkg/policy and leave these files out, so no other
template may use what they define.

Below, the "policy" is a dict: root (the root context), grants (see _grants.tpl),
config (server.autoscaling), metrics (the rows of files/policy.yaml, and those of the
administrator), options (the rows of files/policy.yaml), window (the rate window in
milliseconds) and errors (sentences).
*/}}

{{/*
tms.policy: fills the grants. It fails with all errors at once, each on its own line.
Arguments: root (the root context), grants (an empty dict). Result: nothing.
*/}}
{{- define "tms.policy" -}}
{{- $tables := .root.Files.Get "files/policy.yaml" | fromYaml -}}
{{- $policy := dict
  "root" .root
  "grants" (set (set .grants "leases" dict) "warnings" list)
  "config" (default dict (default dict .root.Values.server).autoscaling)
  "metrics" $tables.metrics
  "options" $tables.options
  "errors" list -}}
{{- include "tms.policy.release" $policy -}}
{{- include "tms.policy.ignored" $policy -}}
{{- include "tms.policy.mergeMetrics" $policy -}}
{{- $before := len $policy.errors -}}
{{- include "tms.policy.replicas" $policy -}}
{{- include "tms.policy.thresholds" $policy -}}
{{- include "tms.policy.queries" $policy -}}
{{- include "tms.policy.durations" $policy -}}
{{- include "tms.policy.source" $policy -}}
{{- include "tms.policy.ruleLabels" $policy -}}
{{- $valid := eq $before (len $policy.errors) -}}
{{- include "tms.policy.server" $policy -}}
{{- include "tms.policy.arguments" (list $policy "triton" .root.Values.triton) -}}
{{- include "tms.policy.leases" (dict "policy" $policy "valid" $valid) -}}
{{- if $policy.errors -}}
{{- fail (printf "\n%s" (join "\n" $policy.errors)) -}}
{{- end -}}
{{- end -}}

{{/*
tms.policy.error, tms.policy.warn: add a sentence to the errors or the warnings.
Argument: a list of the policy and the sentence. Result: nothing.
*/}}
{{- define "tms.policy.error" -}}
{{- $policy := index . 0 -}}
{{- $_ := set $policy "errors" (append $policy.errors (index . 1)) -}}
{{- end -}}
{{- define "tms.policy.warn" -}}
{{- $grants := (index . 0).grants -}}
{{- $_ := set $grants "warnings" (append $grants.warnings (index . 1)) -}}
{{- end -}}

{{/*
tms.policy.at: the integer at a path of maps. Helm reads numbers as floating point: int64
of their text, such as 1e+06, would be 0.
Argument: a list of a map and a path such as limits.maximum. Result: digits; 0 if
the path does not exist.
*/}}
{{- define "tms.policy.at" -}}
{{- $value := index . 0 -}}
{{- range splitList "." (index . 1) -}}
{{- $value = get (default dict $value) . -}}
{{- end -}}
{{- default 0 $value | float64 | int64 -}}
{{- end -}}

{{/*
tms.policy.milliseconds: a duration such as 1m30s in milliseconds.
Argument: a duration, or nil, which counts as 0. Result: digits.
*/}}
{{- define "tms.policy.milliseconds" -}}
{{- $milliseconds := 0 -}}
{{- range $unit := list (list "h" 3600000) (list "m" 60000) (list "s" 1000) (list "ms" 1) -}}
{{- $part := regexFind (printf "[0-9]+%s([0-9]|$)" (index $unit 0)) (default "" $) -}}
{{- $milliseconds = add $milliseconds (mul (regexFind "^[0-9]+" $part | atoi) (index $unit 1)) -}}
{{- end -}}
{{- $milliseconds -}}
{{- end -}}

{{/*
tms.policy.release: checks the namespace, which the PromQL expressions contain.
Argument: the policy. Result: nothing.
*/}}
{{- define "tms.policy.release" -}}
{{- if not (regexMatch "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$" .root.Release.Namespace) -}}
{{- include "tms.policy.error" (list . (printf "namespace: Invalid value: %q: must be a DNS label of at most 63 characters" .root.Release.Namespace)) -}}
{{- end -}}
{{- end -}}

{{/*
tms.policy.ignored: warns of keys that have no effect.
Argument: the policy. Result: nothing.
*/}}
{{- define "tms.policy.ignored" -}}
{{- $policy := . -}}
{{- $images := default dict .root.Values.images -}}
{{- $server := default dict .root.Values.server -}}
{{- $api := default dict $server.apiService -}}
{{- if and $images.server (not $server.enabled) (not (include "tms.policy.downloads" .root)) -}}
{{- include "tms.policy.warn" (list . "images.server: has no effect while server.enabled is false and no lease has an https:// model") -}}
{{- else if contains "nvidia/tms-server" (default "" $images.server) -}}
{{- include "tms.policy.warn" (list . "images.server: the image of NVIDIA TMS does not work here: set it to the image of this chart's tms-server, which make image builds") -}}
{{- end -}}
{{- if and (not $api.enabled) (not (has (default "" $api.type) (list "" "ClusterIP"))) -}}
{{- include "tms.policy.warn" (list . "server.apiService.type: has no effect while server.apiService.enabled is false") -}}
{{- end -}}
{{- if and (not $api.enabled) (not (has (include "tms.policy.at" (list $api "port")) (list "0" "30345"))) -}}
{{- include "tms.policy.warn" (list . "server.apiService.port: has no effect while server.apiService.enabled is false") -}}
{{- end -}}
{{- $metrics := default dict $server.metrics -}}
{{- range list
  (list "images.sidecar" $images.sidecar) (list "images.mongodb" $images.mongodb) (list "images.rest" $images.rest)
  (list "server.metrics.reportingWindow" $metrics.reportingWindow) (list "server.metrics.minimumVisibility" $metrics.minimumVisibility) -}}
{{- if not (kindIs "invalid" (index . 1)) -}}
{{- include "tms.policy.warn" (list $policy (printf "%s: ignored, because this key of NVIDIA TMS has no effect here" (index . 0))) -}}
{{- end -}}
{{- end -}}
{{- range $name, $value := $server.modelRepositories -}}
{{- if and (kindIs "slice" $value) (ne $name "https") -}}
{{- include "tms.policy.warn" (list $policy (printf "server.modelRepositories.%s: ignored, because lists other than https are of NVIDIA TMS and have no effect here: make it a named repository, with uri and secretName" $name)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
tms.policy.replicas: checks the order of the administrator's numbers of replicas.
Argument: the policy. Result: nothing.
*/}}
{{- define "tms.policy.replicas" -}}
{{- $policy := . -}}
{{- $path := "server.autoscaling.replicas." -}}
{{- $numbers := dict -}}
{{- range list "default.minimum" "default.maximum" "limits.maximum" "limits.minimum.lowerBound" "limits.minimum.upperBound" -}}
{{- $number := include "tms.policy.at" (list $policy.config.replicas .) | int64 -}}
{{- $_ := set $numbers . $number -}}
{{- if lt $number 1 -}}
{{- include "tms.policy.error" (list $policy (printf "%s%s: Invalid value: %d: must be at least 1" $path . $number)) -}}
{{- end -}}
{{- end -}}
{{- range list
  (list "limits.minimum.lowerBound" "must not exceed" "limits.minimum.upperBound")
  (list "limits.minimum.upperBound" "must not exceed" "limits.maximum")
  (list "default.minimum" "must be at least" "limits.minimum.lowerBound")
  (list "default.minimum" "must not exceed" "limits.minimum.upperBound")
  (list "default.maximum" "must be at least" "default.minimum")
  (list "default.maximum" "must not exceed" "limits.maximum") -}}
{{- $number := get $numbers (index . 0) -}}
{{- $bound := get $numbers (index . 2) -}}
{{- if ternary (gt $number $bound) (lt $number $bound) (eq (index . 1) "must not exceed") -}}
{{- include "tms.policy.error" (list $policy (printf "%s%s: Invalid value: %d: %s %s%s (%d)" $path (index . 0) $number (index . 1) $path (index . 2) $bound)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
tms.policy.thresholds: checks the administrator's thresholds of each metric, and warns if
its two spellings of enabled contradict each other.
Argument: the policy. Result: nothing.
*/}}
{{- define "tms.policy.thresholds" -}}
{{- $policy := . -}}
{{- range $metric := .metrics -}}
{{- $path := printf "server.autoscaling.metrics.%s.threshold" $metric.name -}}
{{- $bounds := get (default dict $policy.config.metrics) $metric.name -}}
{{- if hasKey (default dict $policy.config.metrics) $metric.name -}}
{{- if and $bounds.enabled (hasKey $bounds "enable") (not $bounds.enable) -}}
{{- include "tms.policy.warn" (list $policy (printf "server.autoscaling.metrics.%s.enable: false has no effect beside enabled: true: remove enable, or set enabled: false" $metric.name)) -}}
{{- end -}}
{{- $default := include "tms.policy.at" (list $bounds "threshold.default") | int64 -}}
{{- $minimum := include "tms.policy.at" (list $bounds "threshold.minimum") | int64 -}}
{{- $maximum := include "tms.policy.at" (list $bounds "threshold.maximum") | int64 -}}
{{- $highest := include "tms.policy.at" (list $metric "highest") | int64 -}}
{{- if lt $minimum 1 -}}
{{- include "tms.policy.error" (list $policy (printf "%s.minimum: Invalid value: %d: must be at least 1" $path $minimum)) -}}
{{- end -}}
{{- if lt $default $minimum -}}
{{- include "tms.policy.error" (list $policy (printf "%s.default: Invalid value: %d: must be at least %s.minimum (%d)" $path $default $path $minimum)) -}}
{{- end -}}
{{- if and (ne $maximum 0) (gt $default $maximum) -}}
{{- include "tms.policy.error" (list $policy (printf "%s.default: Invalid value: %d: must not exceed %s.maximum (%d)" $path $default $path $maximum)) -}}
{{- end -}}
{{- range list (list "default" $default) (list "minimum" $minimum) (list "maximum" $maximum) -}}
{{- if and (ne $highest 0) (gt (index . 1) $highest) -}}
{{- include "tms.policy.error" (list $policy (printf "%s.%s: Invalid value: %d: must not exceed %d %s" $path (index . 0) (index . 1) $highest $metric.unit)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
tms.policy.durations: checks the intervals of Prometheus, and sets the rate window.
Argument: the policy. Result: nothing.
*/}}
{{- define "tms.policy.durations" -}}
{{- $policy := . -}}
{{- $path := "server.autoscaling.prometheus." -}}
{{- $prometheus := default dict .config.prometheus -}}
{{- $milliseconds := dict -}}
{{- range list "scrapeInterval" "evaluationInterval" "rateWindow" -}}
{{- $_ := set $milliseconds . (include "tms.policy.milliseconds" (get $prometheus .) | int64) -}}
{{- if and (ne . "rateWindow") (ge (get $milliseconds .) 300000) -}}
{{- include "tms.policy.error" (list $policy (printf "%s%s: Invalid value: %q: must be shorter than 5m, because Prometheus drops a series after 5m without a sample" $path . (get $prometheus .))) -}}
{{- end -}}
{{- end -}}
{{- if lt $milliseconds.rateWindow (mul 4 $milliseconds.scrapeInterval) -}}
{{- include "tms.policy.error" (list . (printf "%srateWindow: Invalid value: %q: must be at least four times %sscrapeInterval (%s)" $path $prometheus.rateWindow $path $prometheus.scrapeInterval)) -}}
{{- end -}}
{{- $_ := set . "window" $milliseconds.rateWindow -}}
{{- $_ := set .grants "rateWindowMicroseconds" (mul 1000 $milliseconds.rateWindow | toString) -}}
{{- $_ := set .grants "halfRateWindow" (printf "%dms" (div $milliseconds.rateWindow 2)) -}}
{{- end -}}

{{/*
tms.policy.source: checks that KEDA knows what it needs to read Prometheus.
Argument: the policy. Result: nothing.
*/}}
{{- define "tms.policy.source" -}}
{{- $keda := default dict .config.keda -}}
{{- if eq (default "" .config.source) "keda" -}}
{{- if not (default dict .config.prometheus).address -}}
{{- include "tms.policy.error" (list . "server.autoscaling.prometheus.address: Required value: server.autoscaling.source is keda: set the URL at which KEDA reaches Prometheus, such as http://prometheus-operated.monitoring.svc:9090") -}}
{{- end -}}
{{- if and $keda.authModes (not (default dict $keda.authenticationRef).name) -}}
{{- include "tms.policy.error" (list . (printf "server.autoscaling.keda.authenticationRef.name: Required value: server.autoscaling.keda.authModes (%s) needs a TriggerAuthentication with the credentials" $keda.authModes)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
tms.policy.ruleLabels: merges ruleLables (a spelling of NVIDIA TMS) with ruleLabels,
which wins.
Argument: the policy. Result: nothing.
*/}}
{{- define "tms.policy.ruleLabels" -}}
{{- $policy := . -}}
{{- $path := "server.autoscaling.prometheus." -}}
{{- $prometheus := default dict .config.prometheus -}}
{{- $labels := deepCopy (default dict $prometheus.ruleLables) -}}
{{- if not (or $labels $prometheus.ruleLabels) -}}
{{- $labels = dict "release" "prometheus" -}}
{{- end -}}
{{- range $key, $value := $prometheus.ruleLabels -}}
{{- if and (hasKey $labels $key) (ne (get $labels $key) $value) -}}
{{- include "tms.policy.warn" (list $policy (printf "%sruleLables.%s: %q is overridden by %sruleLabels.%s (%q)" $path $key (get $labels $key) $path $key $value)) -}}
{{- end -}}
{{- $_ := set $labels $key $value -}}
{{- end -}}
{{- $_ := set .grants "ruleLabels" $labels -}}
{{- end -}}

{{/*
tms.policy.server: checks the name of the Service of the API, the environment variables of
tms-server, and how long leases last.
Argument: the policy. Result: nothing.
*/}}
{{- define "tms.policy.server" -}}
{{- $policy := . -}}
{{- $server := default dict .root.Values.server -}}
{{- $name := printf "%s-server" (include "tms.fullname" .root) -}}
{{- if and (default dict $server.apiService).enabled (not (regexMatch "^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$" $name)) -}}
{{- include "tms.policy.error" (list . (printf "server.apiService: Invalid value: %q: the name of the API's Service must be a DNS label of at most 63 characters that begins with a letter: change the name of the release, or set fullnameOverride" $name)) -}}
{{- end -}}
{{- $seen := dict -}}
{{- range $index, $variable := $server.extraEnv -}}
{{- if hasKey $seen $variable.name -}}
{{- include "tms.policy.error" (list $policy (printf "server.extraEnv[%d].name: Duplicate value: %q" $index $variable.name)) -}}
{{- end -}}
{{- $_ := set $seen $variable.name true -}}
{{- end -}}
{{- $leases := default dict $server.leases -}}
{{- $duration := default dict $leases.duration -}}
{{- $default := include "tms.policy.milliseconds" $duration.default | int64 -}}
{{- $maximum := include "tms.policy.milliseconds" $duration.maximum | int64 -}}
{{- $path := printf "server.leases.duration.default: Invalid value: %q:" (default "" $duration.default) -}}
{{- if and (ne $maximum 0) (eq $default 0) -}}
{{- include "tms.policy.error" (list . (printf "%s must be longer than 0s, which means no expiry, because server.leases.duration.maximum is %s" $path $duration.maximum)) -}}
{{- else if and (ne $maximum 0) (gt $default $maximum) -}}
{{- include "tms.policy.error" (list . (printf "%s must not exceed server.leases.duration.maximum (%s)" $path $duration.maximum)) -}}
{{- end -}}
{{- $interval := default "" (default dict $leases.autoRenew).interval -}}
{{- if lt (include "tms.policy.milliseconds" $interval | int64) .window -}}
{{- include "tms.policy.error" (list . (printf "server.leases.autoRenew.interval: Invalid value: %q: must be at least server.autoscaling.prometheus.rateWindow (%s)" $interval (default "" (default dict .config.prometheus).rateWindow))) -}}
{{- end -}}
{{- end -}}
