import * as fs from 'node:fs';
import { countConformance } from '@pollux/testkit';
import { describe, expect, it } from 'vitest';
import { readSuites, runSuite } from '../test/conformance.ts';

const suites = readSuites();
const minimum = JSON.parse(
  fs.readFileSync(new URL('../testdata/conformance.min.json', import.meta.url), 'utf8'),
) as Readonly<Record<string, number>>;

/** Suites that ask for unsigned integers, which released builds refuse too. */
const isRunnable = (config: Readonly<Record<string, unknown>> | undefined): boolean =>
  config === undefined || !Object.keys(config).includes('build.uint64');

describe.skipIf(suites === null)(
  'InfluxDB 1.8 conformance (needs POLLUX_CONFORMANCE or ../shared/conformance)',
  () => {
    const kinds = [...new Set((suites ?? []).map(({ kind }) => kind))];
    it.each(kinds)(
      'passes at least the committed number of %s cases',
      { timeout: 120_000 },
      async (kind) => {
        let passed = 0;
        let checks = 0;
        const report: string[] = [];
        for (const suite of suites ?? []) {
          if (suite.kind !== kind || !isRunnable(suite.config)) continue;
          const score = await runSuite(suite);
          checks += score.checks;
          passed += score.checks - score.failures.length;
          for (const { step, what, want, got } of score.failures) {
            report.push(
              `${suite.name} #${step} ${what}\n  want ${want.slice(0, 700)}\n  got  ${got.slice(0, 700)}`,
            );
          }
        }
        const out = process.env.POLLUX_CONFORMANCE_REPORT;
        if (out !== undefined)
          fs.writeFileSync(`${out}.${kind}.txt`, `${passed} of ${checks}\n${report.join('\n')}\n`);
        countConformance(`influxdb/${kind}`, passed, checks);
        expect(passed, `${kind}: ${passed} of ${checks}`).toBeGreaterThanOrEqual(
          minimum[kind] ?? 0,
        );
      },
    );
  },
);
