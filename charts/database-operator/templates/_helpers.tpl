{{- define "labels" -}}
app.kubernetes.io/name: database-operator
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: database-operator
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- /* How the API server reaches the webhook. Never a caBundle: the webhook, or cert-manager, publishes it. */ -}}
{{- define "clientConfig" -}}
{{- if .root.Values.webhook.url -}}
url: {{ .root.Values.webhook.url }}{{ .path }}
{{- else -}}
service:
  name: database-operator-webhook
  namespace: {{ .root.Release.Namespace }}
  path: {{ .path }}
  port: 443
{{- end }}
{{- end }}

{{- /* Who publishes the CA, where the webhook doesn't. */ -}}
{{- define "webhookAnnotations" -}}
{{- with .Values.webhook.certificate -}}
{{- if .certManagerInjectFrom -}}
{{- if not .mountedSecret -}}
{{- fail "webhook.certificate.certManagerInjectFrom: the webhook would publish its own CA against cert-manager's; write the name of the Certificate's Secret in webhook.certificate.mountedSecret too" -}}
{{- end -}}
{{- printf "cert-manager.io/inject-ca-from: %s" (quote .certManagerInjectFrom) | nindent 4 -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}
