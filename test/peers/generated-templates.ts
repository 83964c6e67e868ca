import fc from 'fast-check';

/**
 * A template over the data of notifications, of what Alertmanager 0.25 has too. Maps and pairs are not printed: their
 * String methods came later.
 */
export type GeneratedTemplate = { readonly text: string; readonly type: 'text' | 'html' };

const VALUES = [
  '.Status',
  '.Receiver',
  '.ExternalURL',
  '.CommonLabels.team',
  '.CommonLabels.nope',
  '.CommonLabels.Names',
  '.CommonLabels.SortedPairs.Values',
  '(index .Alerts 0).Annotations.summary',
  '(index .Alerts 1).GeneratorURL',
  // Of ours: empty where nobody has acknowledged, as any annotation that is not there.
  '(index .Alerts 0).Annotations.pollux_acknowledged_by',
  '.CommonAnnotations.pollux_acknowledged_until',
  '(index .Alerts 0).GeneratorURL',
  '(index .Alerts 0).StartsAt',
  '(len .Alerts)',
  '(.CommonLabels.Remove .GroupLabels.Names).team',
  '(len .Alerts.Firing)',
  '(index .Alerts.Resolved 0).Labels.instance',
  '"a \\"b\\" <c>"',
  '`raw "text"`',
  '"javascript:x"',
  '3',
  '-2.5',
  '1e6',
  "'x'",
  'true',
  '.Nope',
  '.Alerts.Nope',
  '(index .Alerts 7)',
] as const;

const STAGES = [
  'toUpper',
  'toLower',
  'title',
  'print',
  'printf "%v|%q"',
  'printf "%-8s|"',
  'printf "%5.2f"',
  'printf "%d"',
  'printf "%+v"',
  'printf "%x"',
  'len',
  'html',
  'js',
  'urlquery',
  'not',
  'eq "firing"',
  'ne "x"',
  'lt 2',
  'match "^f"',
  'reReplaceAll "(i)(r)" "<$2$1>"',
  'join ","',
  'safeHtml',
  'and 1',
  'or ""',
  'println "a"',
  'index .CommonLabels',
  'slice "abcdef"',
] as const;

const pipeline: fc.Arbitrary<string> = fc
  .tuple(fc.constantFrom(...VALUES), fc.array(fc.constantFrom(...STAGES), { maxLength: 2 }))
  .map(([value, stages]) => [value, ...stages].join(' | '));

const action = fc
  .tuple(fc.constantFrom('{{ ', '{{- ', '{{'), pipeline, fc.constantFrom(' }}', ' -}}', '}}'))
  .map((parts) => parts.join(''));

const blocks = fc
  .tuple(pipeline, action, action)
  .chain(([pipe, first, second]) =>
    fc.constantFrom(
      `{{ if ${pipe} }}${first}{{ else }}${second}{{ end }}`,
      `{{ with ${pipe} }}<{{ . }}>{{ else }}${second}{{ end }}`,
      `{{ range ${pipe} }}{{ . }};{{ else }}${second}{{ end }}`,
      `{{ range $i, $a := .Alerts }}{{ $i }}={{ $a.Labels.instance }} {{ if $i }}{{ break }}{{ end }}{{ end }}`,
      `{{ range .Alerts }}{{ if eq .Status "resolved" }}{{ continue }}{{ end }}{{ .Fingerprint }}{{ end }}`,
      `{{ $x := ${pipe} }}{{ $x }}{{ $x = "y" }}{{ $x }}`,
      `{{ define "t" }}[{{ . }}]{{ end }}{{ template "t" ${pipe} }}`,
      `{{ block "b" . }}${first}{{ end }}`,
      `{{ range .GroupLabels.SortedPairs }}{{ .Name }}={{ .Value }};{{ end }}`,
      `{{ range $k, $v := .CommonLabels }}{{ $k }}={{ $v }};{{ end }}`,
      `{{ range (index .Alerts 0).Labels.Remove .GroupLabels.Names }}{{ . }},{{ end }}`,
      `{{ template "nope" . }}`,
      `{{ if ${pipe} }}${first}{{ else if ${pipe} }}${second}{{ end }}`,
      `{{/* comment */}} ${first} {{- /* trimmed */ -}} x`,
    ),
  );

const broken = fc.constantFrom(
  '{{ if }}x{{ end }}',
  '{{ .Status',
  '{{ range .Alerts }}',
  '{{ end }}',
  '{{ nofunction 1 }}',
  '{{ $nope }}',
  '{{ "unterminated }}',
  '{{ .Status | }}',
  '{{ 1 | 2 }}',
  '{{ template nope }}',
  '{{ else }}',
  '{{ (.Status }}',
  '{{ break }}',
  'a\nb\n{{ .Status.Nope }}',
  '{{ .Status.Nope.More }}',
);

const text = fc
  .array(fc.oneof(action, blocks, fc.constantFrom(' a ', '\n', '<b>', '{', 'é')), {
    minLength: 1,
    maxLength: 3,
  })
  .map((parts) => parts.join(''));

const place = fc
  .tuple(action, action)
  .chain(([first, second]) =>
    fc.constantFrom(
      `<p title="${first}">${second}</p>`,
      `<a href="${first}">${second}</a>`,
      `<a href="http://x/${first}?q=${second}">`,
      `<a href='${first}' id=${second}>`,
      `<b ${first}>`,
      `<script>var x = ${first}, y = "${second}";</script>`,
      `<script>f(${first}) // ${second}\n</script>`,
      `<style>p { color: ${first}; background: url("${second}") }</style>`,
      `<div style="width: ${first}" onclick="f(${second})">`,
      `<textarea>${first}</textarea><!-- ${second} -->`,
      `<img src="${first}" srcset="${second} 2x">`,
      `{{ if .Status }}<i>{{ else }}<i title="{{ end }}${first}`,
      `{{ range .Alerts }}<li>${first}</li>{{ end }}`,
      `{{ define "t" }}${first}{{ end }}<a href="{{ template "t" . }}">{{ template "t" . }}</a>`,
    ),
  );

export const generatedTemplate: fc.Arbitrary<GeneratedTemplate> = fc.oneof(
  { weight: 6, arbitrary: text.map((value) => ({ text: value, type: 'text' }) as const) },
  { weight: 1, arbitrary: broken.map((value) => ({ text: value, type: 'text' }) as const) },
  { weight: 4, arbitrary: place.map((value) => ({ text: value, type: 'html' }) as const) },
);
