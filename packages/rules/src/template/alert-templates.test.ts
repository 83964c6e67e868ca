import { Labels } from '@pollux/model';
import { describe, expect, it } from 'vitest';
import type { RuleVector } from '../rule-query.ts';
import { AlertTemplates } from './alert-templates.ts';

const LABELS = Labels.from({ __name__: 'up', instance: 'host.example.org:9100', job: 'node' });

function vector(
  rows: readonly (readonly [Readonly<Record<string, string>>, number])[],
): RuleVector {
  return {
    labels: rows.map(([labels]) => Labels.from(labels)),
    values: Float64Array.from(rows.map(([, value]) => value)),
    histograms: null,
    annotations: [],
  };
}

const METRICS = vector([
  [{ __name__: 'metric', instance: '2', __value__: 'b' }, 21],
  [{ __name__: 'metric', instance: '1', __value__: 'a' }, 11],
]);

async function expand(text: string, value = 11.5): Promise<string> {
  const faults: (string | null)[] = [];
  const bound = new AlertTemplates('test', { text }).bind({
    query: {
      instant: async (expression) => {
        if (expression === 'metric') return METRICS;
        if (expression === 'empty') return vector([]);
        throw new Error(`unknown ${expression}`);
      },
    },
    atMs: 1_234_500,
    queryAtMs: 1_234_500,
    limit: 0,
    externalLabels: Labels.from({ cluster: 'c' }),
    externalUrl: 'http://host:9090/prefix',
    signal: new AbortController().signal,
    onExpansion: (fault) => faults.push(fault),
  });
  const [[, result]] = (await bound({ labels: LABELS, value, histogram: null })) as [
    [string, string],
  ];
  return result;
}

const CASES: readonly (readonly [template: string, result: string, value?: number])[] = [
  ['plain text', 'plain text'],
  ['{{ $labels.instance }} {{ .Labels.job }} {{ $value }}', 'host.example.org:9100 node 11.5'],
  ['{{ $labels.missing }}|', '|'],
  ['{{ $externalLabels.cluster }} {{ $externalURL }}', 'c http://host:9090/prefix'],
  ['{{ externalURL }} {{ pathPrefix }}', 'http://host:9090/prefix /prefix'],
  ['{{ query "metric" | first | value }}', '21'],
  ['{{ query "metric" | sortByLabel "instance" | first | label "instance" }}', '1'],
  ['{{ query "metric" | first | strvalue }}', 'b'],
  ['{{ range query "metric" }}{{ .Labels.instance }}:{{ .Value }} {{ end }}', '2:21 1:11 '],
  ['{{ range query "empty" }}x{{ else }}none{{ end }}', 'none'],
  ['{{ with args 1 "a" }}{{ .arg0 }}{{ .arg1 }}{{ end }}', '1a'],
  ['{{ humanize $value }}', '1.234k', 1234],
  ['{{ humanize $value }}', '12.35M', 12_345_678],
  ['{{ humanize $value }}', '-1.5m', -0.0015],
  ['{{ humanize $value }}', '0', 0],
  ['{{ humanize $value }}', '+Inf', Number.POSITIVE_INFINITY],
  ['{{ humanize 1e30 }}', '1e+06Y'],
  ['{{ humanize "1000" }}', '1k'],
  ['{{ humanize1024 $value }}', '1ki', 1024],
  ['{{ humanize1024 $value }}', '1.172Gi', 1_258_291_200],
  ['{{ humanizeDuration $value }}', '1d 2h 3m 4s', 93_784],
  ['{{ humanizeDuration $value }}', '-59.9s', -59.9],
  ['{{ humanizeDuration $value }}', '1m 0s', 60.9],
  ['{{ humanizeDuration $value }}', '100ms', 0.1],
  ['{{ toDuration 90 }}', '1m30s'],
  ['{{ toDuration 90.5 }}', '1m30.5s'],
  ['{{ humanizePercentage $value }}', '12.34%', 0.12344],
  ['{{ humanizeTimestamp $value }}', '2015-07-01 20:10:51.5 +0000 UTC', 1_435_781_451.5],
  ['{{ humanizeTimestamp $value }}', '1970-01-01 00:00:00.001 +0000 UTC', 0.00199],
  ['{{ (toTime $value).Unix }}', '1435781451', 1_435_781_451.5],
  ['{{ now }}', '1234.5'],
  ['{{ parseDuration "1h30m" }}', '5400'],
  ['{{ reReplaceAll "(.*?)\\\\.(.*)" "$2 $1" "a.b" }}', 'b a'],
  ['{{ match "^h.st" $labels.instance }}', 'true'],
  ['{{ title "aa bb" }} {{ toUpper "aa" }} {{ toLower "AA" }}', 'Aa Bb AA aa'],
  ['{{ graphLink "up == 1" }}', '/graph?g0.expr=up+%3D%3D+1&g0.tab=0'],
  ['{{ tableLink "up" }}', '/graph?g0.expr=up&g0.tab=1'],
  ['{{ urlQueryEscape "a b/c" }}', 'a+b%2Fc'],
  ['{{ stripPort $labels.instance }}', 'host.example.org'],
  ['{{ stripPort "[::1]:9090" }} {{ stripPort "::1" }}', '::1 ::1'],
  ['{{ stripDomain $labels.instance }}', 'host:9100'],
  ['{{ stripDomain "192.0.2.1:80" }}', '192.0.2.1:80'],
  ['{{ printf "%.2f" $value }}', '11.50'],
  ['{{ if gt $value 10.0 }}high{{ end }}', 'high'],
  ['{{ safeHtml "<b>" }}', '<b>'],
];

describe('alert templates', () => {
  for (const [template, result, value] of CASES) {
    it(`${template} gives ${result}${value === undefined ? '' : ` for ${value}`}`, async () => {
      expect(await expand(template, value)).toBe(result);
    });
  }

  const FAULTS: readonly (readonly [template: string, reason: string])[] = [
    ['{{ query "empty" | first }}', 'first() called on vector with no elements'],
    ['{{ query "bad" }}', 'unknown bad'],
    ['{{ humanize "x" }}', 'invalid syntax'],
    ['{{ humanize .Labels }}', "can't convert map[string]string to float"],
    ['{{ reReplaceAll "(" "" "" }}', 'error parsing regexp'],
    ['{{ parseDuration "x" }}', 'not a valid duration string'],
  ];
  for (const [template, reason] of FAULTS) {
    it(`${template} becomes a text that says why`, async () => {
      const text = await expand(template);
      expect(text).toContain(reason);
      expect(text).toMatch(
        /^<error expanding template: error executing template __alert_test: template: __alert_test:1:1\d\d: executing "__alert_test" at </,
      );
      expect(text.endsWith('>')).toBe(true);
    });
  }
});
