{{- define "jithook.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "jithook.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "jithook.labels" -}}
{{ include "jithook.selector" . }}
{{- /* A tag may have a digest behind an @, which no label may have. */}}
app.kubernetes.io/version: {{ regexReplaceAll "@.*" (.Values.image.tag | default .Chart.AppVersion) "" | trunc 63 | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- /* What Go may use of the memory: nine tenths of a limit in Mi or Gi, all of one in other words. */}}
{{- define "jithook.memory" -}}
{{- with dig "limits" "memory" "" (.Values.resources | default dict) | toString }}
env:
  - name: GOMEMLIMIT
    {{- if regexMatch "^[1-9][0-9]{0,5}[MG]i$" . }}
    value: {{ printf "%dMiB" (div (mul 9 (ternary 1024 1 (hasSuffix "Gi" .)) (regexFind "[0-9]+" . | int64)) 10) }}
    {{- else }}
    valueFrom: {resourceFieldRef: {containerName: jithook, resource: limits.memory}}
    {{- end }}
{{- end }}
{{- end }}
