{{/*
Policy: arguments of Triton that contradict the chart. As pkg/policy/arguments.go.
*/}}

{{/*
tms.policy.parse: the arguments that begin with two hyphens, of one list in the values.
Argument: a list of the path of the list, the list, and true if an item may hold several
arguments. Result: a JSON object with arguments, a list of dicts: path (of the item), name
(without hyphens) and value.
*/}}
{{- define "tms.policy.parse" -}}
{{- $path := index . 0 -}}
{{- $command := index . 2 -}}
{{- $words := list -}}
{{- range $index, $item := index . 1 -}}
{{- range ternary (regexFindAll "[^\\s;&|]+" (regexReplaceAll "[\"']" $item "") -1) (list $item) $command -}}
{{- $words = append $words (dict "path" (printf "%s[%d]" $path $index) "text" .) -}}
{{- end -}}
{{- end -}}
{{- $arguments := list -}}
{{- range $index, $word := $words -}}
{{- $text := trimPrefix "--" .text -}}
{{- if and (hasPrefix "--" .text) $text -}}
{{- $parts := splitn "=" 2 $text -}}
{{- $value := "" -}}
{{- if contains "=" $text -}}
{{- $value = $parts._1 -}}
{{- else if lt (add1 $index) (len $words) -}}
{{- $value = (index $words (add1 $index)).text -}}
{{- end -}}
{{- $arguments = append $arguments (dict "path" .path "name" $parts._0 "value" $value) -}}
{{- end -}}
{{- end -}}
{{- dict "arguments" $arguments | toJson -}}
{{- end -}}

{{/*
tms.policy.sets: reports whether an argument sets an option.
Argument: a list of the argument and the option. Result: "true", or nothing.
*/}}
{{- define "tms.policy.sets" -}}
{{- $argument := index . 0 -}}
{{- $option := index . 1 -}}
{{- if and (hasPrefix $argument.name $option.name) (hasPrefix $option.shortest $argument.name) -}}
{{- if or (not $option.onlyFalse) (include "tms.policy.false" $argument.value) -}}true{{- end -}}
{{- end -}}
{{- end -}}
{{- define "tms.policy.false" -}}
{{- if has (lower .) (list "false" "off" "0") -}}true{{- end -}}
{{- end -}}

{{/*
tms.policy.spelled: an option, and how the argument abbreviates it.
Argument: a list of the argument and the name of the option. Result: text.
*/}}
{{- define "tms.policy.spelled" -}}
{{- $name := (index . 0).name -}}
--{{ $name }}{{- if ne $name (index . 1) }} (--{{ index . 1 }}){{- end -}}
{{- end -}}

{{/*
tms.policy.arguments: refuses arguments that contradict what the chart sets.
Argument: a list of the policy, a path such as triton, and the values at the path. Result: nothing.
*/}}
{{- define "tms.policy.arguments" -}}
{{- $policy := index . 0 -}}
{{- $path := index . 1 -}}
{{- $triton := default dict (index . 2) -}}
{{- $args := (include "tms.policy.parse" (list (printf "%s.args" $path) $triton.args false) | fromJson).arguments -}}
{{- $command := (include "tms.policy.parse" (list (printf "%s.command" $path) $triton.command true) | fromJson).arguments -}}
{{- range concat $args $command -}}
{{- $argument := . -}}
{{- range $policy.options -}}
{{- if include "tms.policy.sets" (list $argument .) -}}
{{- include "tms.policy.error" (list $policy (printf "%s: Forbidden: %s contradicts the chart: %s; %s" $argument.path (include "tms.policy.spelled" (list $argument .name)) .reason .instead)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
