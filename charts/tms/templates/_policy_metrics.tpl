{{/*
Policy: metrics that the administrator defines, and the names of metrics in leases. As
pkg/policy/ownmetrics.go.
*/}}

{{/*
tms.policy.mergeMetrics: adds the administrator's metrics to those of TMS, ordered by
name.
Argument: the policy. Result: nothing.
*/}}
{{- define "tms.policy.mergeMetrics" -}}
{{- $policy := . -}}
{{- $known := dict -}}
{{- range .metrics -}}
{{- $_ := set $known .name true -}}
{{- end -}}
{{- range $name, $bounds := .config.metrics -}}
{{- if not (hasKey $known $name) -}}
{{- $series := printf "tms_metric_%s" (regexReplaceAll "[A-Z]" $name "_$0" | lower) -}}
{{- $_ := set $policy "metrics" (append $policy.metrics (dict "name" $name "unit" $bounds.unit "series" $series "query" $bounds.query)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
tms.policy.syntax: a query without its strings and comments.
Argument: PromQL. Result: text.
*/}}
{{- define "tms.policy.unquoted" -}}
"(\\.|[^"\\
])*"|'(\\.|[^'\\
])*'|`[^`]*`|#[^
]*
{{- end -}}
{{- define "tms.policy.syntax" -}}
{{- regexReplaceAll (include "tms.policy.unquoted" nil) . "" -}}
{{- end -}}

{{/*
tms.policy.queries: checks what can be known of the administrator's queries without a
parser of PromQL.
Argument: the policy. Result: nothing.
*/}}
{{- define "tms.policy.queries" -}}
{{- $policy := . -}}
{{- range .metrics -}}
{{- if .query -}}
{{- $path := printf "server.autoscaling.metrics.%s.query" .name -}}
{{- with include "tms.policy.query" .query -}}
{{- include "tms.policy.error" (list $policy (printf "%s: Invalid value: %s" $path .)) -}}
{{- end -}}
{{- if not (regexMatch `(?i)\bby\s*\(\s*(namespace\s*,\s*pod|pod\s*,\s*namespace)\s*\)` (include "tms.policy.syntax" .query)) -}}
{{- include "tms.policy.warn" (list $policy (printf "%s: does not contain \"by (namespace, pod)\": it must give one series for each pod, because prometheus-adapter adds up all series of a pod" $path)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
tms.policy.query: the first problem of a query.
Argument: PromQL. Result: a phrase, or nothing.
*/}}
{{- define "tms.policy.query" -}}
{{- $quoted := false -}}
{{- range regexFindAll (include "tms.policy.unquoted" nil) . -1 -}}
{{- $quoted = or $quoted (regexMatch "^[\"'`].*\\$(pods|window)" .) -}}
{{- end -}}
{{- $syntax := include "tms.policy.syntax" . -}}
{{- $unknown := "" -}}
{{- range regexFindAll `\$\w*` $syntax -1 -}}
{{- if and (not $unknown) (not (has . (list "$pods" "$window"))) -}}
{{- $unknown = . -}}
{{- end -}}
{{- end -}}
{{- $brackets := regexReplaceAll `[^()\[\]{}]` $syntax "" -}}
{{- range until (len $brackets) -}}
{{- $brackets = regexReplaceAll `\(\)|\[\]|\{\}` $brackets "" -}}
{{- end -}}
{{- if $quoted -}}
has $pods or $window between quotes; write it without quotes, such as up{$pods}
{{- else if regexMatch "[\"'`]" $syntax -}}
has a quote that does not end
{{- else if $unknown -}}
has the unknown placeholder {{ quote $unknown }}; the placeholders are $pods, the selector of the lease's pods, and $window, the rate window
{{- else if $brackets -}}
has a bracket without its counterpart
{{- else if not (regexMatch `[{,]\s*\$pods\s*[,}]` $syntax) -}}
must contain $pods in the braces of a selector, such as up{$pods}, so that it reads only the pods of the lease
{{- end -}}
{{- end -}}

{{/*
tms.policy.metricNames: refuses names of metrics that do not exist.
Argument: the lease. Result: nothing.
*/}}
{{- define "tms.policy.metricNames" -}}
{{- $lease := . -}}
{{- $known := list -}}
{{- range .policy.metrics -}}
{{- $known = append $known .name -}}
{{- end -}}
{{- range $name, $_ := .request.metrics -}}
{{- if not (has $name $known) -}}
{{- include "tms.policy.refuse" (list $lease (printf ".autoscaling.metrics.%s: Forbidden: unknown metric%s (known here: %s)" $name (include "tms.policy.didYouMean" (list $name $known)) (join ", " $known))) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
tms.policy.didYouMean: the part of a message that names the word that was probably meant, as
internal/spelling finds it.
Arguments: the word, the known words. Result: a text, which is empty if no word is near.
*/}}
{{- define "tms.policy.didYouMean" -}}
{{- $word := index . 0 -}}
{{- $best := "" -}}
{{- $begins := false -}}
{{- $fewest := add1 (div (len $word) 3) -}}
{{- range $candidate := index . 1 -}}
{{- $edits := include "tms.policy.distance" (list (lower $word) (lower $candidate)) | int64 -}}
{{- if $begins -}}
{{- else if and (ge (len $word) 3) (hasPrefix $word $candidate) -}}
{{- $begins = true -}}
{{- $best = $candidate -}}
{{- else if or (lt $edits $fewest) (and (eq $edits $fewest) (not $best)) -}}
{{- $best = $candidate -}}
{{- $fewest = $edits -}}
{{- end -}}
{{- end -}}
{{- if $best }}, did you mean {{ $best | quote }}?{{ end -}}
{{- end -}}

{{/*
tms.policy.distance: the Levenshtein distance of two words in ASCII.
Arguments: the words. Result: a number.
*/}}
{{- define "tms.policy.distance" -}}
{{- $letters := splitList "" (index . 1) -}}
{{- $row := untilStep 0 (int (add1 (len $letters))) 1 -}}
{{- range $i, $letter := splitList "" (index . 0) -}}
{{- $next := list (add1 $i) -}}
{{- range $j, $other := $letters -}}
{{- $change := add (index $row $j) (ternary 0 1 (eq $letter $other)) -}}
{{- $next = append $next (min $change (add1 (index $row (add1 $j))) (add1 (index $next $j))) -}}
{{- end -}}
{{- $row = $next -}}
{{- end -}}
{{- last $row -}}
{{- end -}}
