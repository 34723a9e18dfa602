{{/* What every pod of the chart shares, services and provisioning alike. */}}

{{/* Settings of the program that say where Kafka and S3 are: (dict "root" $). */}}
{{- define "radhical.env" -}}
{{- $values := .root.Values -}}
- { name: RADHICAL_LOG_LEVEL, value: {{ $values.logLevel | quote }} }
- { name: KAFKA_BROKERS, value: {{ join "," $values.kafka.brokers | quote }} }
- { name: KAFKA_PREFIX, value: {{ $values.kafka.prefix | quote }} }
- { name: KAFKA_PARTITIONS, value: {{ $values.kafka.partitions | int64 | quote }} }
- { name: KAFKA_SESSION_TIMEOUT_MS, value: {{ $values.kafka.sessionTimeoutMs | int64 | quote }} }
{{- with $values.kafka.replication }}
- { name: KAFKA_REPLICATION, value: {{ . | int64 | quote }} }
{{- end }}
{{- if $values.kafka.tls.enabled }}
- { name: KAFKA_TLS, value: "true" }
{{- if $values.kafka.tls.caSecret }}
- { name: KAFKA_CA_FILE, value: /etc/radhical/kafka-ca/ca.crt }
{{- end }}
{{- end }}
{{- with $values.kafka.sasl }}
{{- if .mechanism }}
- { name: KAFKA_SASL_MECHANISM, value: {{ .mechanism | quote }} }
- { name: KAFKA_USERNAME, valueFrom: { secretKeyRef: { name: {{ .existingSecret | quote }}, key: {{ .usernameKey | quote }} } } }
- { name: KAFKA_PASSWORD, valueFrom: { secretKeyRef: { name: {{ .existingSecret | quote }}, key: {{ .passwordKey | quote }} } } }
{{- end }}
{{- end }}
{{- with $values.s3 }}
- { name: S3_ENDPOINT, value: {{ .endpoint | quote }} }
- { name: S3_REGION, value: {{ .region | quote }} }
- { name: S3_BUCKET, value: {{ .bucket | quote }} }
- { name: S3_PATH_STYLE, value: {{ .pathStyle | quote }} }
- { name: S3_ACCESS_KEY, valueFrom: { secretKeyRef: { name: {{ .existingSecret | quote }}, key: {{ .accessKeyKey | quote }} } } }
- { name: S3_SECRET_KEY, valueFrom: { secretKeyRef: { name: {{ .existingSecret | quote }}, key: {{ .secretKeyKey | quote }} } } }
{{- if .caSecret }}
- { name: S3_CA_FILE, value: /etc/radhical/s3-ca/ca.crt }
{{- end }}
{{- end }}
{{- end -}}

{{- define "radhical.mounts" -}}
- { name: tmp, mountPath: /tmp }
{{- if and .root.Values.kafka.tls.enabled .root.Values.kafka.tls.caSecret }}
- { name: kafka-ca, mountPath: /etc/radhical/kafka-ca, readOnly: true }
{{- end }}
{{- if .root.Values.s3.caSecret }}
- { name: s3-ca, mountPath: /etc/radhical/s3-ca, readOnly: true }
{{- end }}
{{- end -}}

{{- define "radhical.volumes" -}}
- { name: tmp, emptyDir: { sizeLimit: {{ .root.Values.tmp.sizeLimit | quote }} } }
{{- with .root.Values.kafka.tls }}
{{- if and .enabled .caSecret }}
- { name: kafka-ca, secret: { secretName: {{ .caSecret | quote }}, items: [{ key: {{ .caKey | quote }}, path: ca.crt }] } }
{{- end }}
{{- end }}
{{- with .root.Values.s3 }}
{{- if .caSecret }}
- { name: s3-ca, secret: { secretName: {{ .caSecret | quote }}, items: [{ key: {{ .caKey | quote }}, path: ca.crt }] } }
{{- end }}
{{- end }}
{{- end -}}

{{- define "radhical.podSecurity" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: { type: RuntimeDefault }
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "radhical.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end -}}
