import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NodeFiles } from '@pollux/base/node';
import { describe, expect, it } from 'vitest';
import { memoryFiles } from '../testing/world.ts';
import { runUnitTests, type UnitTestResult } from './run-unit-tests.ts';
import { parseSeriesValues } from './series-values.ts';

const here = dirname(fileURLToPath(import.meta.url));
const folder = join(
  process.env.POLLUX_CONFORMANCE ?? join(here, '../../../../../shared/conformance'),
  'promtool',
);

function run(name: string, accepts?: (test: string) => boolean): Promise<UnitTestResult[]> {
  return runUnitTests(readFileSync(join(folder, name), 'utf8'), name, {
    files: new NodeFiles(),
    resolvePath: (file) => join(folder, file),
    ...(accepts === undefined ? {} : { accepts }),
  });
}

/** Which files promtool passes and fails. */
const PASS = [
  'at-modifier-test.yml',
  'long-period.yml',
  'negative-offset-test.yml',
  'no-test-group-interval.yml',
  'start-time-test.yml',
];
const FAIL = [
  'failing.yml',
  'bad-promql.yml',
  'bad-rules-error-test.yml',
  'rules_run_no_fuzzy.yml',
];
const REFUSED = ['bad-input-series.yml', 'bad-rules-syntax-test.yml', 'rules_run_extrafields.yml'];

describe('unit tests of the conformance data', () => {
  if (!existsSync(folder)) {
    it.skip('conformance data is absent; set POLLUX_CONFORMANCE', () => {});
    return;
  }
  for (const name of PASS) {
    it(`${name} passes`, async () => {
      const results = await run(name);
      expect(results.flatMap(({ failures }) => failures)).toEqual([]);
      expect(results.length).toBeGreaterThan(0);
    });
  }
  for (const name of FAIL) {
    it(`${name} fails`, async () => {
      const results = await run(name);
      expect(results.some(({ failures }) => failures.length > 0)).toBe(true);
    });
  }
  for (const name of REFUSED) {
    it(`${name} is refused with its place`, async () => {
      await expect(run(name)).rejects.toThrow(/\.yml:\d+:\d+: /);
    });
  }
  for (const name of ['rules_run.yml', 'rules_run_fuzzy.yml']) {
    it(`${name} passes in its correct tests and fails in the wrong ones`, async () => {
      const correct = await run(name, (test) => test.startsWith('correct'));
      expect(correct.map(({ failures }) => failures.length)).toEqual([0]);
      const wrong = await run(name, (test) => test.startsWith('wrong'));
      expect(wrong.every(({ failures }) => failures.length > 0)).toBe(true);
    });
  }
  it('unittest.yml is refused for its histograms, and passes without them', async () => {
    await expect(run('unittest.yml')).rejects.toThrow('not supported yet');
    const text = readFileSync(join(folder, 'unittest.yml'), 'utf8')
      .replace(/ {6}- series: test_histogram.*\n.*\n\n/g, '')
      .replace(/ {6}# Histograms\n[^#]*(?= {6}# Ensure)/, '');
    const results = await runUnitTests(text, 'unittest.yml', {
      files: new NodeFiles(),
      resolvePath: (file) => join(folder, file),
    });
    expect(results.flatMap(({ failures }) => failures)).toEqual([]);
    expect(results).toHaveLength(5);
  });
});

describe('a failed expectation', () => {
  const rules = 'groups: [{name: g, rules: [{alert: A, expr: "x > 1", labels: {l: v}}]}]';
  const fail = async (test: string): Promise<readonly string[]> => {
    const yaml = `rule_files: [/r.yml]\ntests:\n  - input_series: [{series: x, values: 0+1x9}]\n${test}`;
    const options = {
      files: memoryFiles({ '/r.yml': rules }),
      resolvePath: (name: string) => name,
    };
    return (await runUnitTests(yaml, 't.yml', options))[0]!.failures;
  };

  it('shows what was expected and what came', async () => {
    expect(
      await fail(
        '    promql_expr_test: [{expr: x, eval_time: 3m, exp_samples: [{labels: x, value: 4}]}]',
      ),
    ).toEqual(['expr: "x", time: 180s, exp: x 4, got: x 3']);
    expect(await fail('    alert_rule_test: [{alertname: A, eval_time: 2m}]')).toEqual([
      'alertname: A, time: 120s, exp:[], got:[Labels:{alertname="A", l="v"} Annotations:{}]',
    ]);
    expect(
      await fail(
        '    alert_rule_test: [{alertname: A, eval_time: 1m, exp_alerts: [{exp_labels: {l: v}}]}]',
      ),
    ).toEqual([
      'alertname: A, time: 60s, exp:[Labels:{alertname="A", l="v"} Annotations:{}], got:[]',
    ]);
  });
});

describe('the notation of values', () => {
  const show = (text: string): string =>
    parseSeriesValues(text)
      .map((point) => (point.kind === 'value' ? String(point.value) : point.kind))
      .join(' ');
  const CASES: readonly (readonly [text: string, points: string])[] = [
    ['1 2.5 -3', '1 2.5 -3'],
    ['1+2x3', '1 3 5 7'],
    ['10-2.5x2', '10 7.5 5'],
    ['-1x2', '-1 -1 -1'],
    ['1e-3+1e-3x1', '0.001 0.002'],
    ['_ _x2 1 stale', 'missing missing missing 1 stale'],
    ['Inf -Inf NaN', 'Infinity -Infinity NaN'],
    ['  ', ''],
  ];
  for (const [text, points] of CASES) {
    it(`${JSON.stringify(text)} is ${points}`, () => expect(show(text)).toBe(points));
  }
  for (const text of ['a', '1+2', '1x', '1xx2', '1x99999999999', '__', '1+x2']) {
    it(`${text} is refused`, () => expect(() => parseSeriesValues(text)).toThrow('is no value'));
  }
});
