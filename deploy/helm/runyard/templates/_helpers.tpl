{{- define "runyard.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" }}{{ end -}}
{{- end }}

{{/* What a part is found by; never changes. Takes (dict "root" $ "part" "gateway"). */}}
{{- define "runyard.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end }}

{{- define "runyard.labels" -}}
{{ include "runyard.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{- define "runyard.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "runyard.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* Where pods of a part run. */}}
{{- define "runyard.placement" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: {{ .root.Values.spreadOver }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "runyard.selector" . | nindent 8 }}
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "runyard.selector" . | nindent 8 }}
{{- with .root.Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "runyard.account" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.serviceAccountName }}
serviceAccountName: {{ . }}
{{- end }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* One variable from the Secret. Takes (dict "root" $ "name" … "key" … "optional" …). */}}
{{- define "runyard.secret" -}}
- name: {{ .name }}
  valueFrom:
    secretKeyRef:
      name: {{ required "existingSecret: name the Secret with the addresses and keys (see values.yaml)" .root.Values.existingSecret }}
      key: {{ .key }}
      {{- if .optional }}
      optional: true
      {{- end }}
{{- end }}

{{- define "runyard.serverImage" -}}
{{ required "image.server: where your registry has the server image" .Values.image.server }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "runyard.publicUrl" -}}
{{ required "publicUrl: where people and agents reach the gateway, such as https://runyard.example.com" .Values.publicUrl }}
{{- end }}

{{/* Where everything but the gateway answers /metrics, /healthz and /readyz. */}}
{{- define "runyard.ops" -}}
- {name: RUNYARD_OPS_HOST, value: 0.0.0.0}
- {name: RUNYARD_OPS_PORT, value: {{ .Values.opsPort | quote }}}
{{- end }}
{{/* Spans to a collector. */}}
{{- define "runyard.tracing" -}}
{{- with .Values.tracing }}
{{- if .enabled }}
- {name: RUNYARD_TRACING, value: "true"}
- {name: OTEL_EXPORTER_OTLP_ENDPOINT, value: {{ required "tracing.endpoint: where the collector is, such as http://collector.observability:4318" .endpoint | quote }}}
- {name: OTEL_TRACES_SAMPLER, value: parentbased_traceidratio}
- {name: OTEL_TRACES_SAMPLER_ARG, value: {{ .sampledShare | quote }}}
{{- with .headersSecret }}
- name: OTEL_EXPORTER_OTLP_HEADERS
  valueFrom:
    secretKeyRef: {{- toYaml . | nindent 6 }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- define "runyard.opsProbes" -}}
ports:
  - {name: ops, containerPort: {{ .Values.opsPort }}}
startupProbe:
  httpGet: {path: /healthz, port: ops}
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /healthz, port: ops}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: ops}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 3
{{- end }}

{{/* Variables that only one part has. */}}
{{- define "runyard.env.orchestrator" -}}
{{- end }}
{{- define "runyard.env.dispatcher" -}}
{{ include "runyard.secret" (dict "root" . "name" "RUNYARD_MASTER_KEYS" "key" "master-keys") }}
{{ include "runyard.secret" (dict "root" . "name" "RUNYARD_AMQP_MANAGEMENT_URL" "key" "amqp-management-url" "optional" true) }}
{{- end }}
{{- define "runyard.env.approvals" -}}
{{ include "runyard.secret" (dict "root" . "name" "RUNYARD_APPROVALS_SECRET" "key" "approvals-secret") }}
- {name: RUNYARD_PUBLIC_URL, value: {{ include "runyard.publicUrl" . | quote }}}
{{- end }}
{{- define "runyard.env.projections" -}}
{{- if .Values.projections.archive.enabled }}
- {name: RUNYARD_ARCHIVE_DIR, value: /var/lib/runyard/archive}
{{- end }}
{{- end }}
{{- define "runyard.env.gateway" -}}
- {name: RUNYARD_HOST, value: 0.0.0.0}
- {name: RUNYARD_PORT, value: {{ .Values.gateway.port | quote }}}
- {name: RUNYARD_PUBLIC_URL, value: {{ include "runyard.publicUrl" . | quote }}}
{{- with .Values.gateway.trustedProxies }}
- {name: RUNYARD_TRUSTED_PROXIES, value: {{ join "," . | quote }}}
{{- end }}
{{ include "runyard.secret" (dict "root" . "name" "RUNYARD_ADMIN_TOKEN" "key" "admin-token") }}
{{ include "runyard.secret" (dict "root" . "name" "RUNYARD_GATEWAY_SECRET" "key" "gateway-secret") }}
{{ include "runyard.secret" (dict "root" . "name" "RUNYARD_METRICS_TOKEN" "key" "metrics-token") }}
{{- end }}
