{{- /* Names as `serin install` gives them: an instance's name follows after a dash, so that several stand side by side. */ -}}
{{- define "serin.name" -}}
{{- if .Values.instanceId -}}serin-{{ .Values.instanceId }}{{- else -}}serin{{- end -}}
{{- end }}

{{- define "serin.lock" -}}
{{- if .Values.instanceId -}}argo-rollouts-controller-lock-{{ .Values.instanceId }}{{- else -}}argo-rollouts-controller-lock{{- end -}}
{{- end }}

{{- define "serin.labels" -}}
app.kubernetes.io/name: serin
app.kubernetes.io/part-of: serin
{{- end }}

{{- define "serin.selector" -}}
app.kubernetes.io/name: serin
app.kubernetes.io/instance: {{ include "serin.name" . }}
{{- end }}

{{- define "serin.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{- /* The account, as the subject of a binding. */ -}}
{{- define "serin.subjects" -}}
- kind: ServiceAccount
  name: {{ include "serin.name" . }}
  namespace: {{ .Release.Namespace }}
{{- end }}
