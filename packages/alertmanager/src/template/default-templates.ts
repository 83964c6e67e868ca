import { EMAIL_TEMPLATES } from './email-templates.ts';

/**
 * The built-in templates, under the names that users' own templates call. A file of the configuration may redefine any of
 * them. Those of receivers that Alertmanager has too give the same text as its own, byte for byte, white space included;
 * what several receivers share is one definition with a name of its own (`__pollux…`).
 */
const SHARED = `
{{- define "__alertmanager" }}Alertmanager{{ end }}
{{- define "__alertmanagerURL" }}{{ .ExternalURL }}/#/alerts?receiver={{ urlquery .Receiver }}{{ end }}

{{- define "__subject" -}}
[{{ toUpper .Status }}{{ if eq .Status "firing" }}:{{ len .Alerts.Firing }}{{ end }}] {{ join " " .GroupLabels.Values }}
{{- " " }}{{ if gt (len .CommonLabels) (len .GroupLabels) -}}
({{ with .CommonLabels.Remove .GroupLabels.Names }}{{ join " " .Values }}{{ end }})
{{- end }}
{{- end }}

{{- define "__description" }}{{ end }}

{{- define "__polluxPairs" }}{{ range . }} - {{ .Name }} = {{ .Value }}
{{ end }}{{ end }}
{{- define "__polluxIndentedPairs" }}{{ range . }}  - {{ .Name }} = {{ .Value }}
{{ end }}{{ end }}

{{- define "__text_alert_list" }}
{{- range . }}Labels:
{{ template "__polluxPairs" .Labels.SortedPairs -}}
Annotations:
{{ template "__polluxPairs" .Annotations.SortedPairs -}}
Source: {{ .GeneratorURL }}
{{ end }}
{{- end }}

{{- define "__text_alert_list_markdown" }}
{{- range . }}
Labels:
{{ template "__polluxIndentedPairs" .Labels.SortedPairs }}
Annotations:
{{ template "__polluxIndentedPairs" .Annotations.SortedPairs }}
Source: {{ .GeneratorURL }}
{{ end }}
{{ end }}

{{- define "__polluxCompact" }}{{ join " " .CommonAnnotations.Values }}
{{ with .Alerts.Firing }}Alerts Firing:
{{ template "__text_alert_list" . }}{{ end }}
{{ with .Alerts.Resolved }}Alerts Resolved:
{{ template "__text_alert_list" . }}{{ end }}
{{- end }}

{{- define "__polluxSpaced" }}
{{ with .Alerts.Firing }}
Alerts Firing:
{{ template "__text_alert_list" . }}
{{ end }}
{{ with .Alerts.Resolved }}
Alerts Resolved:
{{ template "__text_alert_list" . }}
{{ end }}
{{ end }}

{{- define "__polluxAnnotated" }}{{ join " " .CommonAnnotations.Values }}{{ template "__polluxSpaced" . }}{{ end }}

{{- define "__polluxMarkdown" }}
{{ with .Alerts.Firing }}
# Alerts Firing:
{{ template "__text_alert_list_markdown" . }}
{{ end }}
{{ with .Alerts.Resolved }}
# Alerts Resolved:
{{ template "__text_alert_list_markdown" . }}
{{ end }}
{{ end }}

{{- define "__polluxColor" }}{{ if eq .Status "firing" }}danger{{ else }}good{{ end }}{{ end }}

{{- define "__polluxSeverity" }}
{{- $is := dict }}
{{- range . }}{{ $is = dict "critical" (or $is.critical (eq .Labels.severity "critical")) "warning" (or $is.warning (eq .Labels.severity "warning")) "info" (or $is.info (eq .Labels.severity "info")) }}{{ end }}
{{- if $is.critical }}High{{ else if $is.warning }}Medium{{ else if $is.info }}Low{{ end }}
{{- end }}
{{- define "jira.default.priority" }}
{{- $known := false }}
{{- range .Alerts.Firing }}{{ if match "^(critical|warning|info)$" .Labels.severity }}{{ $known = true }}{{ end }}{{ end }}
{{- if $known }}{{ template "__polluxSeverity" .Alerts.Firing }}{{ else }}{{ template "__polluxSeverity" .Alerts.Resolved }}{{ end }}
{{- end }}
`;

/** Templates that only call a shared one, by the name they have in Alertmanager; the empty ones are for users to define. */
const CALLS: Readonly<Record<string, readonly string[]>> = {
  __subject: [
    'slack.default.title',
    'pagerduty.default.description',
    'opsgenie.default.message',
    'victorops.default.entity_display_name',
    'pushover.default.title',
    'sns.default.subject',
    'discord.default.title',
    'msteams.default.summary',
    'msteams.default.title',
    'msteamsv2.default.title',
    'jira.default.summary',
    'rocketchat.default.title',
    'mattermost.default.title',
    'email.default.subject',
    'dingtalk.default.title',
  ],
  __alertmanager: [
    'slack.default.username',
    'pagerduty.default.client',
    'victorops.default.monitoring_tool',
    'rocketchat.default.alias',
    'mattermost.default.username',
  ],
  __alertmanagerURL: [
    'slack.default.titlelink',
    'pagerduty.default.clientURL',
    'opsgenie.default.source',
    'pushover.default.url',
    'rocketchat.default.titlelink',
    'mattermost.default.titlelink',
  ],
  __text_alert_list: ['pagerduty.default.instances'],
  __polluxCompact: ['opsgenie.default.description', 'victorops.default.state_message'],
  __polluxAnnotated: ['pushover.default.message', 'sns.default.message', 'webex.default.message'],
  __polluxSpaced: ['telegram.default.message', 'discord.default.message'],
  __polluxMarkdown: [
    'msteams.default.text',
    'msteamsv2.default.text',
    'jira.default.description',
    'mattermost.default.text',
  ],
  __polluxColor: ['slack.default.color', 'mattermost.default.color'],
  __description: [
    'slack.default.callbackid',
    'slack.default.pretext',
    'slack.default.iconemoji',
    'slack.default.iconurl',
    'slack.default.text',
    'slack.default.footer',
    'wechat.default.to_user',
    'wechat.default.to_party',
    'wechat.default.to_tag',
    'wechat.default.agent_id',
    'discord.default.content',
    'rocketchat.default.emoji',
    'rocketchat.default.iconurl',
    'rocketchat.default.text',
  ],
};

const COMPOSED = `
{{- define "slack.default.fallback" }}{{ template "slack.default.title" . }} | {{ template "slack.default.titlelink" . }}{{ end }}
{{- define "mattermost.default.fallback" }}{{ template "mattermost.default.title" . }} | {{ template "mattermost.default.titlelink" . }}{{ end }}
{{- define "wechat.default.message" }}{{ template "__subject" . }}
{{ template "__polluxCompact" . }}
AlertmanagerUrl:
{{ template "__alertmanagerURL" . }}
{{- end }}
`;

/** Of the receivers that Alertmanager does not have. The `zh` names are the Chinese variants. */
const DINGTALK = `
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
{{- with .Annotations.pollux_acknowledged_by }} · acknowledged by {{ . }}{{ end }}
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
{{- with .Annotations.pollux_acknowledged_by }} · {{ . }} 已认领{{ end }}
{{ end }}
`;

function calls(): string {
  const definitions: string[] = [];
  for (const [callee, names] of Object.entries(CALLS)) {
    // An empty template stays empty and can be redefined without a trace of the shared one.
    const body = callee === '__description' ? '' : `{{ template "${callee}" . }}`;
    for (const name of names) definitions.push(`{{- define "${name}" }}${body}{{ end }}`);
  }
  return definitions.join('\n');
}

/** All of them, for text and for HTML. */
export const DEFAULT_TEMPLATES: string = [
  SHARED,
  calls(),
  COMPOSED,
  EMAIL_TEMPLATES,
  DINGTALK,
].join('\n');
