import fc from 'fast-check';

/** A template of an alerting rule that parses, and the series whose value it is given. */
export type GeneratedRuleTemplate = { readonly text: string; readonly expression: string };

/** Series of the unit test that the templates are expanded over: what `$value` is, by name. */
export const VALUES: Readonly<Record<string, string>> = {
  v_large: '12345678.5',
  v_small: '0.00123',
  v_negative: '-59.9',
  v_time: '1435781451.5',
  v_zero: '0',
  v_infinite: '+Inf',
  v_huge: '5e20',
  v_day: '93784',
};

// Left out: elements of a query printed whole, which the original shows as addresses in memory; externalURL and pathPrefix, which
// fail in promtool, since it gives templates no address.

/** Shows where a pointer points to. */
const ADDRESS = /toDuration \| printf "%(?!v)/;

/** What `query` finds besides; always asked for sorted by value, since series have no order. */
export const QUERIED: Readonly<Record<string, string>> = {
  'q{instance="[::1]:80",job="y"}': '-0.5',
  'q{instance="a:9100",job="y"}': '11',
  'q{instance="b:9100",job="x"}': '21',
};

/** Functions that Debian's promtool 2.42 does not know; a text with one of them fails its whole file there. */
const YOUNG = /\b(toDuration|urlQueryEscape)\b/;

const NUMBERS = [
  '$value',
  '.Value',
  '1234.5',
  '"1e3"',
  '-7',
  '0',
  '(query "sort(q)" | first | value)',
  '(parseDuration "1h30m")',
] as const;
const TEXTS = [
  '$labels.instance',
  '.Labels.job',
  '$labels.nope',
  '"http://host.example.org:9090/a b?c=<d>"',
  '`a.b.c "q"`',
  '"192.0.2.1:80"',
  '"[::1]:9090"',
  '"ÄB ǆx"',
  '$externalURL',
  '(query "sort(q)" | sortByLabel "job" | first | label "job")',
  '(query "sort(q)" | first | strvalue)',
] as const;
const OTHERS = [
  '(query "nothing")',
  '(query "q{")',
  '(query "nothing" | first)',
  '.Nope',
  '$labels',
  '$externalLabels.zone',
  '(args 1 "b" $value)',
  '(index $labels "job")',
  'true',
] as const;

const NUMBER_STAGES = [
  'humanize',
  'humanize1024',
  'humanizeDuration',
  'humanizePercentage',
  'humanizeTimestamp',
  'toDuration',
  'printf "%.3f"',
  'printf "%6.1e|"',
  'printf "%v"',
  'printf "%d"',
  'print',
  'gt 10.0',
  'lt 10.0',
  'eq 0.0',
] as const;
const TEXT_STAGES = [
  'toUpper',
  'toLower',
  'title',
  'stripPort',
  'stripDomain',
  'graphLink',
  'tableLink',
  'urlQueryEscape',
  'reReplaceAll "([a-z]+)\\\\.([a-z]+)" "$2<$1>"',
  'match "^a"',
  'match "("',
  'safeHtml',
  'printf "%q"',
  'printf "%-12s|"',
  'len',
  'html',
  'js',
  'urlquery',
  'humanize',
  'humanizeDuration',
  'parseDuration',
] as const;
const OTHER_STAGES = [
  'len',
  'printf "%v"',
  'first',
  'value',
  'label "job"',
  'sortByLabel "job"',
  'not',
] as const;

function piped(values: readonly string[], stages: readonly string[]): fc.Arbitrary<string> {
  return fc
    .tuple(fc.constantFrom(...values), fc.array(fc.constantFrom(...stages), { maxLength: 2 }))
    .map(([value, more]) => [value, ...more].join(' | '));
}

const pipeline = fc.oneof(
  { weight: 4, arbitrary: piped(NUMBERS, NUMBER_STAGES) },
  { weight: 4, arbitrary: piped(TEXTS, TEXT_STAGES) },
  { weight: 2, arbitrary: piped(OTHERS, OTHER_STAGES) },
);
const action = pipeline.map((pipe) => `{{ ${pipe} }}`);
const block = fc
  .tuple(pipeline, action, action)
  .chain(([pipe, first, second]) =>
    fc.constantFrom(
      `{{ if ${pipe} }}${first}{{ else }}${second}{{ end }}`,
      `{{ with ${pipe} }}<{{ . }}>{{ else }}${second}{{ end }}`,
      `{{ range query "sort(q)" }}{{ .Labels.instance }}={{ .Value }};{{ else }}${second}{{ end }}`,
      `{{ range $i, $s := query "sort(q)" | sortByLabel "instance" }}{{ $i }}:{{ $s.Labels.job }} {{ end }}`,
      `{{ range query "nothing" }}x{{ else }}${first}{{ end }}`,
      `{{ define "t" }}[{{ .arg0 }}|{{ .arg1 }}]{{ end }}{{ template "t" (args ${pipe.includes('|') ? `(${pipe})` : pipe} "z") }}`,
      `{{ $x := ${pipe} }}{{ $x }} ${second}`,
      `{{ range $k, $v := $labels }}{{ $k }}={{ $v }},{{ end }}`,
    ),
  );

/** Those that a peer of Debian's age knows all functions of, or any. */
export function generatedRuleTemplate(options: {
  readonly isYoung: boolean;
}): fc.Arbitrary<GeneratedRuleTemplate> {
  const text = fc
    .array(fc.oneof(action, block, fc.constantFrom(' a ', 'é%', '<b>')), {
      minLength: 1,
      maxLength: 3,
    })
    .map((parts) => parts.join(''))
    .filter((given) => !ADDRESS.test(given))
    .filter((given) => given.split('{{ define').length <= 2)
    .filter((given) => options.isYoung || !YOUNG.test(given));
  return fc.record({ text, expression: fc.constantFrom(...Object.keys(VALUES)) });
}
