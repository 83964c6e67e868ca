/**
 * The built-in templates, under the names that users' own templates call. A file of the configuration may redefine any of
 * them. The `zh` names are the Chinese variants.
 */
export const DEFAULT_TEMPLATES = `
{{- define "__alertmanager" }}Alertmanager{{ end }}
{{- define "__alertmanagerURL" }}{{ .ExternalURL }}/#/alerts?receiver={{ urlquery .Receiver }}{{ end }}

{{- define "__subject" -}}
[{{ toUpper .Status }}{{ with .Alerts.Firing }}:{{ len . }}{{ end }}]
{{- range .GroupLabels.SortedPairs }} {{ .Value }}{{ end }}
{{- with .CommonLabels.Remove .GroupLabels.Names }}{{ with .Values }} ({{ join " " . }}){{ end }}{{ end }}
{{- end }}

{{- define "__description" }}{{ end }}

{{- define "__text_alert_list" }}
{{- range . }}Labels:
{{ range .Labels.SortedPairs }} - {{ .Name }} = {{ .Value }}
{{ end }}Annotations:
{{ range .Annotations.SortedPairs }} - {{ .Name }} = {{ .Value }}
{{ end }}Source: {{ .GeneratorURL }}
{{ end }}
{{- end }}

{{- define "__text_alert_list_markdown" }}
{{- range . }}
Labels:
{{ range .Labels.SortedPairs }}  - {{ .Name }} = {{ .Value }}
{{ end }}
Annotations:
{{ range .Annotations.SortedPairs }}  - {{ .Name }} = {{ .Value }}
{{ end }}
Source: {{ .GeneratorURL }}
{{ end }}
{{- end }}

{{- define "dingtalk.default.title" }}{{ template "__subject" . }}{{ end }}
{{- define "dingtalk.default.text" }}
{{- template "__dingtalk_head" . }}
{{- with .Alerts.Firing }}
**Firing**
{{ range . }}{{ template "__dingtalk_alert" . }}{{ end }}
{{- end }}
{{- with .Alerts.Resolved }}
**Resolved**
{{ range . }}{{ template "__dingtalk_alert" . }}{{ end }}
{{- end }}
{{- end }}

{{- define "dingtalk.zh.title" -}}
[{{ if eq .Status "firing" }}告警 {{ len .Alerts.Firing }} 条{{ else }}已恢复{{ end }}]
{{- range .GroupLabels.SortedPairs }} {{ .Value }}{{ end }}
{{- end }}
{{- define "dingtalk.zh.text" }}### [{{ template "dingtalk.zh.title" . }}]({{ template "__alertmanagerURL" . }})
{{- with .Alerts.Firing }}

**正在告警**
{{ range . }}{{ template "__dingtalk_alert_zh" . }}{{ end }}
{{- end }}
{{- with .Alerts.Resolved }}

**已恢复**
{{ range . }}{{ template "__dingtalk_alert_zh" . }}{{ end }}
{{- end }}
{{- end }}

{{- define "__dingtalk_head" }}### [{{ template "dingtalk.default.title" . }}]({{ template "__alertmanagerURL" . }})

{{ end }}

{{- define "__dingtalk_alert" }}
> **{{ with .Labels.alertname }}{{ . }}{{ else }}alert{{ end }}**
{{- range (.Labels.Remove (stringSlice "alertname")).SortedPairs }} {{ .Name }}={{ .Value }}{{ end }}
{{ range .Annotations.SortedPairs }}
> {{ .Name }}: {{ .Value }}
{{ end }}
> since {{ .StartsAt.Format "2006-01-02 15:04:05 MST" }}
{{- if eq .Status "resolved" }} until {{ .EndsAt.Format "2006-01-02 15:04:05 MST" }}{{ end }}
{{- with .GeneratorURL }} · [source]({{ . }}){{ end }}
{{ end }}

{{- define "__dingtalk_alert_zh" }}
> **{{ with .Labels.alertname }}{{ . }}{{ else }}告警{{ end }}**
{{- range (.Labels.Remove (stringSlice "alertname")).SortedPairs }} {{ .Name }}={{ .Value }}{{ end }}
{{ range .Annotations.SortedPairs }}
> {{ .Name }}：{{ .Value }}
{{ end }}
> 开始：{{ (tz "Asia/Shanghai" .StartsAt).Format "2006-01-02 15:04:05" }}
{{- if eq .Status "resolved" }} 恢复：{{ (tz "Asia/Shanghai" .EndsAt).Format "2006-01-02 15:04:05" }}{{ end }}
{{- with .GeneratorURL }} · [来源]({{ . }}){{ end }}
{{ end }}
`;
