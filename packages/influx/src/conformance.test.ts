import * as fs from 'node:fs';
import { countConformance } from '@pollux/testkit';
import { describe, expect, it } from 'vitest';
import { readSuites, runSuite } from '../test/conformance.ts';

const suites = readSuites();
const dataOf = (name: string): unknown =>
  JSON.parse(fs.readFileSync(new URL(`../testdata/${name}`, import.meta.url), 'utf8'));
const minimum = dataOf('conformance.min.json') as Readonly<Record<string, number>>;
/** docs/compatibility.md is written from it. */
const exceptions = dataOf('conformance-exceptions.json') as readonly {
  readonly suite: string;
  readonly step: number;
  readonly what: string;
  readonly reason: string;
}[];
const MAX_EXCEPTIONS = 30;

/** Suites that ask for unsigned integers, which released builds refuse too. */
const isRunnable = (config: Readonly<Record<string, unknown>> | undefined): boolean =>
  config === undefined || !Object.keys(config).includes('build.uint64');

it('has few exceptions, each with a reason', () => {
  expect(exceptions.length).toBeLessThanOrEqual(MAX_EXCEPTIONS);
  for (const { what, reason } of exceptions) {
    expect(what).not.toBe('');
    expect(reason.length, what).toBeGreaterThan(30);
  }
});

describe.skipIf(suites === null)(
  'InfluxDB 1.8 conformance (needs POLLUX_CONFORMANCE or ../shared/conformance)',
  () => {
    const kinds = [...new Set((suites ?? []).map(({ kind }) => kind))];
    it.each(kinds)('passes all %s cases but the exceptions', { timeout: 240_000 }, async (kind) => {
      let passed = 0;
      let checks = 0;
      const report: string[] = [];
      const differing: string[] = [];
      const run = (suites ?? []).filter((suite) => suite.kind === kind && isRunnable(suite.config));
      for (const suite of run) {
        const score = await runSuite(suite);
        checks += score.checks;
        passed += score.checks - score.failures.length;
        for (const { step, what, want, got } of score.failures) {
          differing.push(`${suite.name}#${step}`);
          report.push(
            `${suite.name} #${step} ${what}\n  want ${want.slice(0, 700)}\n  got  ${got.slice(0, 700)}`,
          );
        }
      }
      const out = process.env.POLLUX_CONFORMANCE_REPORT;
      if (out !== undefined)
        fs.writeFileSync(`${out}.${kind}.txt`, `${passed} of ${checks}\n${report.join('\n')}\n`);
      countConformance(`influxdb/${kind}`, passed, checks);
      const names = new Set(run.map(({ name }) => name));
      const excepted = exceptions.filter(({ suite }) => names.has(suite));
      expect(differing.sort(), report.join('\n')).toEqual(
        excepted.map(({ suite, step }) => `${suite}#${step}`).sort(),
      );
      expect(passed, `${kind}: ${passed} of ${checks}`).toBeGreaterThanOrEqual(minimum[kind] ?? 0);
    });
  },
);
