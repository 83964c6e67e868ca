/** The names that templates of prometheus-webhook-dingtalk call, with its output. */
export const BUILT_IN_TEMPLATES = `
{{- define "__subject" }}[{{ toUpper .Status }}{{ if eq .Status "firing" }}:{{ len .Alerts.Firing }}{{ end }}] {{ join " " .GroupLabels.SortedPairs.Values }} {{ if gt (len .CommonLabels) (len .GroupLabels) }}({{ join " " (.CommonLabels.Remove .GroupLabels.Names).Values }}){{ end }}{{ end }}
{{- define "__alertmanagerURL" }}{{ .ExternalURL }}/#/alerts?receiver={{ .Receiver }}{{ end }}

{{- define "__polluxPair" }}> - {{ .Name }}: {{ .Value | markdown | html }}
{{ end }}
{{- define "__polluxHead" }}#### \\[{{ toUpper .Status }}{{ if eq .Status "firing" }}:{{ len .Alerts.Firing }}{{ end }}\\] **[{{ .GroupLabels.alertname }}]({{ template "__alertmanagerURL" . }})**
{{ end }}
{{- define "__polluxMentions" }}{{ range .AtMobiles }}@{{ . }}{{ end }}{{ end }}

{{- define "__text_alert_list" }}{{ range . }}
**Labels**
{{ range .Labels.SortedPairs }}{{ template "__polluxPair" . }}{{ end }}
**Annotations**
{{ range .Annotations.SortedPairs }}{{ template "__polluxPair" . }}{{ end }}
**Source:** [{{ .GeneratorURL }}]({{ .GeneratorURL }})
{{ end }}{{ end }}

{{- define "default.__text_alert_list" }}{{ range . }}
#### \\[{{ upper .Labels.severity }}\\] {{ .Annotations.summary }}

**Description:** {{ .Annotations.description }}

**Graph:** [📈]({{ .GeneratorURL }})

**Details:**
{{ range (.Labels.Remove (stringSlice "severity" "summary")).SortedPairs }}{{ template "__polluxPair" . }}{{ end }}
{{ end }}{{ end }}

{{- define "default.title" }}{{ template "__subject" . }}{{ end }}
{{- define "default.content" }}{{ template "__polluxHead" . }}
{{- with .Alerts.Firing }}**Alerts Firing**
{{ template "default.__text_alert_list" . }}
{{ template "__polluxMentions" $ }}{{ end }}
{{ with .Alerts.Resolved }}**Alerts Resolved**
{{ template "default.__text_alert_list" . }}
{{ template "__polluxMentions" $ }}{{ end }}{{ end }}

{{- define "legacy.title" }}{{ template "__subject" . }}{{ end }}
{{- define "legacy.content" }}{{ template "__polluxHead" . }}
{{- template "__text_alert_list" .Alerts.Firing }}{{ end }}

{{- define "ding.link.title" }}{{ template "default.title" . }}{{ end }}
{{- define "ding.link.content" }}{{ template "default.content" . }}{{ end }}
`;
