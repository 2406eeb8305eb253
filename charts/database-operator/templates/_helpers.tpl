{{- define "labels" -}}
app.kubernetes.io/name: database-operator
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: database-operator
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "image" -}}
{{- with .Values.image -}}
{{- $tag := printf ":%s" (.tag | default $.Chart.AppVersion) -}}
{{- $digest := printf "@%s" .digest -}}
{{- list .registry .repository | compact | join "/" }}{{ ternary $digest $tag (not (empty .digest)) -}}
{{- end -}}
{{- end }}

{{- /* What GitOps tools and Helm must not delete: a CRD takes its objects along, and without a policy nothing is admitted. */ -}}
{{- define "keep" -}}
helm.sh/resource-policy: keep
argocd.argoproj.io/sync-options: Prune=false,Delete=false
kustomize.toolkit.fluxcd.io/prune: disabled
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
{{ toYaml .Values.securityContext }}
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "selector" -}}
app.kubernetes.io/name: database-operator
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- /* Where the pods of a component run, and by whose rights. */ -}}
{{- define "pod" -}}
{{- $own := get .root.Values .component -}}
{{- with .root.Values -}}
serviceAccountName: database-operator-{{ $.component }}
{{- with .imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $own.priorityClassName | default .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
securityContext:
  {{- include "podSecurity" $.root | nindent 2 }}
{{- with merge (dict) $own.nodeSelector .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
affinity:
  {{- with $own.affinity | default .affinity }}
  {{- toYaml . | nindent 2 }}
  {{- else }}
  # Not a second constraint below: where nodes have no zone, the scheduler would then weigh neither of them.
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: topology.kubernetes.io/zone
          {{- include "replicas" $.component | nindent 10 }}
  {{- end }}
tolerations:
  # Kubernetes' own are 300 seconds: for so long nobody would answer if both replicas were on a node that dies.
  - {key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute, tolerationSeconds: {{ .tolerationSeconds }}}
  - {key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: {{ .tolerationSeconds }}}
  {{- with concat .tolerations $own.tolerations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
topologySpreadConstraints:
  - topologyKey: kubernetes.io/hostname
    maxSkew: 1
    whenUnsatisfiable: {{ .whenUnsatisfiable }}
    # Nodes that take no pods are no place to spread to.
    nodeTaintsPolicy: Honor
    {{- include "replicas" $.component | nindent 4 }}
{{- end }}
{{- end }}

{{- define "replicas" -}}
# The replicas that a rollout replaces don't count: they would push the new ones together.
matchLabelKeys: [pod-template-hash]
labelSelector:
  matchLabels:
    {{- include "selector" (dict "component" .) | nindent 4 }}
{{- end }}

{{- /* What others add takes the place of nothing that is found by its label. */ -}}
{{- define "podMetadata" -}}
{{- $own := get .root.Values .component -}}
{{- with merge (dict) $own.podAnnotations .root.Values.podAnnotations -}}
annotations:
  {{- toYaml . | nindent 2 }}
{{ end -}}
{{- $labels := include "labels" .root | fromYaml -}}
{{- $_ := set $labels "app.kubernetes.io/component" .component -}}
{{- if and (eq .component "controller") $own.workloadIdentity.clientId -}}
{{- $_ := set $labels "azure.workload.identity/use" "true" -}}
{{- end -}}
labels:
  {{- merge $labels $own.podLabels .root.Values.podLabels | toYaml | nindent 2 }}
{{- end }}

{{- define "env" -}}
{{- $own := get .root.Values .component -}}
- name: POD_NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
- name: RUST_LOG
  value: {{ .root.Values.logLevel | quote }}
{{- with concat .root.Values.extraEnv $own.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "probes" -}}
readinessProbe:
  httpGet: {path: /readyz, port: admin}
  periodSeconds: 2
livenessProbe:
  httpGet: {path: /livez, port: admin}
{{- end }}

{{- /* A node drains one replica after the other. */ -}}
{{- define "disruptionBudget" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: database-operator-{{ .component }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "labels" .root | nindent 4 }}
spec:
  maxUnavailable: 1
  # A pod that isn't ready protects nothing, and must not hold up a node that is drained.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "selector" . | nindent 6 }}
{{- end }}

{{- /* Whether the Services have a port for metrics. */ -}}
{{- define "metricsService" -}}
{{- with .Values.metrics }}{{ if or .service (eq .monitor.kind "ServiceMonitor") }}true{{ end }}{{ end -}}
{{- end }}
