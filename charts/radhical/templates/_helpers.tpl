{{/* Names, labels, and what an entry of .Values.services comes to. */}}

{{- define "radhical.fullname" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name }}{{ end -}}
{{- end -}}

{{- define "radhical.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (ternary (include "radhical.fullname" .) "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{/* (dict "root" $ "component" name): labels that select; component is the entry's name. */}}
{{- define "radhical.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "radhical.labels" -}}
{{ include "radhical.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{/* (dict "root" $ "name" name): the entry over the defaults, as YAML. */}}
{{- define "radhical.entry" -}}
{{- $own := index .root.Values.services .name -}}
{{- toYaml (mergeOverwrite (deepCopy .root.Values.defaults) (deepCopy $own)) -}}
{{- end -}}

{{/* (dict "root" $ "image" own): an entry's own tag stands against the digest of all others. */}}
{{- define "radhical.image" -}}
{{- $base := ternary (omit .root.Values.image "digest") .root.Values.image (hasKey .image "tag") -}}
{{- $image := mergeOverwrite (deepCopy $base) .image -}}
{{- if $image.digest -}}
{{ printf "%s@%s" $image.repository $image.digest }}
{{- else -}}
{{ printf "%s:%s" $image.repository ($image.tag | default .root.Chart.AppVersion) }}
{{- end -}}
{{- end -}}

{{/* An entry's work, as the program has it: a line "<topic> <consumer group>" each. `npm run chart:check` compares them with a broker. */}}
{{- define "radhical.work" -}}
{{- if eq .service "datasets" -}}
datasets.list datasets-list
datasets.database datasets-database
{{- else if eq .service "extraction" -}}
extraction.image extraction
{{- else if eq .service "training" -}}
training.level training
{{- else if eq .service "tuning" -}}
tuning.tune tuning-tune
tuning.grade tuning-grade
{{- else if eq .service "segmentation" -}}
segmentation.assemble segmentation
{{- else -}}
{{- range $level := ternary (list .level) (untilStep 1 9 1) (hasKey . "level") }}
inference.level-{{ $level }} inference-level-{{ $level }}
{{- end }}
{{- end -}}
{{- end -}}
