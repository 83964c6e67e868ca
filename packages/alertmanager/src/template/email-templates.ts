const FONT = 'font-family: Helvetica, Arial, sans-serif; font-size: 14px;';

/**
 * The mail of the e-mail receiver as HTML: what fires, what is resolved, and the way back to the console. Styles are inline
 * because mail programs drop style sheets.
 */
export const EMAIL_TEMPLATES = `
{{- define "__polluxEmailHead" -}}
<td style="${FONT} font-size: 16px; color: #fff; padding: 20px; text-align: center;
{{- if .Alerts.Firing }} background-color: #E6522C{{ else }} background-color: #68B90F{{ end }}">
{{ len .Alerts }} alert{{ if gt (len .Alerts) 1 }}s{{ end }} for{{ range .GroupLabels.SortedPairs }} {{ .Name }}={{ .Value }}{{ end }}
</td>
{{- end }}

{{- define "__polluxEmailPairs" -}}
{{ range . }}{{ .Name }} = {{ .Value }}<br>
{{ end }}{{ end }}

{{- define "__polluxEmailAlerts" -}}
{{ range . }}<tr><td style="${FONT} padding: 0 0 20px;">
<strong>Labels</strong><br>
{{ template "__polluxEmailPairs" .Labels.SortedPairs }}
{{- with .Annotations.SortedPairs }}<strong>Annotations</strong><br>
{{ template "__polluxEmailPairs" . }}{{ end -}}
<a href="{{ .GeneratorURL }}" style="color: #348eda;">Source</a>
</td></tr>
{{ end }}{{ end }}

{{- define "email.default.html" -}}
<!DOCTYPE html>
<html>
<head>
<meta http-equiv="Content-Type" content="text/html; charset=UTF-8">
<meta name="viewport" content="width=device-width">
<title>{{ template "__subject" . }}</title>
</head>
<body style="margin: 0; background-color: #f6f6f6;">
<table width="100%" cellpadding="0" cellspacing="0"><tr><td align="center" style="padding: 20px;">
<table width="600" cellpadding="0" cellspacing="0" style="background-color: #fff; border: 1px solid #e9e9e9;">
<tr>{{ template "__polluxEmailHead" . }}</tr>
<tr><td style="padding: 30px;"><table width="100%" cellpadding="0" cellspacing="0">
<tr><td style="padding: 0 0 20px;"><a href="{{ template "__alertmanagerURL" . }}" style="${FONT} color: #fff; background-color: #348eda; padding: 10px 20px; text-decoration: none;">View in {{ template "__alertmanager" . }}</a></td></tr>
{{ with .Alerts.Firing }}<tr><td style="${FONT} padding: 0 0 20px;"><strong>[{{ len . }}] Firing</strong></td></tr>
{{ template "__polluxEmailAlerts" . }}{{ end }}
{{- with .Alerts.Resolved }}<tr><td style="${FONT} padding: 0 0 20px;"><strong>[{{ len . }}] Resolved</strong></td></tr>
{{ template "__polluxEmailAlerts" . }}{{ end -}}
</table></td></tr>
</table>
<p style="${FONT} font-size: 12px;"><a href="{{ .ExternalURL }}" style="color: #999;">Sent by {{ template "__alertmanager" . }}</a></p>
</td></tr></table>
</body>
</html>
{{ end }}
`;
