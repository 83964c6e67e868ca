import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import {
  type GeneratedRuleTemplate,
  generatedRuleTemplate,
  QUERIED,
  VALUES,
} from './generated-rule-templates.ts';

/** Set it to compare with another version by hand. */
const PROMTOOL = process.env.POLLUX_PROMTOOL ?? 'promtool';
const POLLUX = resolve(import.meta.dirname, '../../bin/pollux');
const SEED = Number(process.env.POLLUX_SEED ?? 20_261_123);
const COUNT = Number(process.env.POLLUX_TEMPLATES ?? 400);
const TIME_LIMIT_MS = 60_000;

function version(): number {
  try {
    const said = execFileSync(PROMTOOL, ['--version'], { encoding: 'utf8', stdio: 'pipe' });
    // One that was built from sources without more ado does not know its version.
    return Number(/version (\d+)/.exec(said)?.[1] ?? 3);
  } catch {
    return 0;
  }
}

const major = version();
const isBuilt = existsSync(resolve(import.meta.dirname, '../../apps/pollux/dist/main.js'));
const isThere = major > 0 && isBuilt;
const why = isThere ? '' : ' (skipped: needs a build and promtool: npm run build, npm run peers)';

/** What is told otherwise, with the reason and the most of 400 that it may excuse. */
const DEVIATIONS: readonly {
  readonly why: string;
  readonly most: number;
  readonly accepts: (ours: string, theirs: string) => boolean;
}[] = [
  {
    why: 'Go 1.20 and later name the types that do not compare.',
    most: 40,
    accepts: (ours, theirs) =>
      theirs.endsWith('incompatible types for comparison>') &&
      ours.startsWith(theirs.replace(/>$/, ': ')),
  },
  {
    why: 'title goes by the words of Unicode in version 3: none begins behind a point.',
    most: 40,
    accepts: (ours, theirs) => ours !== theirs && ours.toLowerCase() === theirs.toLowerCase(),
  },
  {
    why: 'Version 3 tells a wrong unit of a duration apart.',
    most: 24,
    accepts: (ours, theirs) =>
      theirs === ours.replace(/unknown unit \\"[^"]*" in duration/, 'not a valid duration string:'),
  },
  {
    why: 'Value has been of any type since there are native histograms.',
    most: 40,
    accepts: (ours, theirs) => ours.replaceAll('Value interface {}', 'Value float64') === theirs,
  },
];

describe.skipIf(!isThere)(`templates of alerting rules expanded by promtool${why}`, () => {
  const directory = mkdtempSync(join(tmpdir(), 'pollux-rule-templates-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it(
    `${COUNT} generated ones (seed ${SEED}) give the same text or the same fault`,
    async () => {
      const arbitrary = generatedRuleTemplate({ isYoung: major >= 3 });
      const templates = fc.sample(arbitrary, { seed: SEED, numRuns: COUNT });
      writeFileSync(join(directory, 'rules.yml'), JSON.stringify(rulesOf(templates)));
      const file = join(directory, 'test.yml');
      writeFileSync(file, JSON.stringify(unitTestOf(templates)));
      const [mine, theirs] = await Promise.all([
        expansions(POLLUX, ['tool', 'test', 'rules', file]),
        expansions(PROMTOOL, ['test', 'rules', file]),
      ]);
      expect(theirs.size).toBe(COUNT);
      const excused = new Map<string, number>();
      const different = [...theirs].flatMap(([alert, real]) => {
        const ours = mine.get(alert) ?? 'nothing';
        if (ours === real) return [];
        const row = DEVIATIONS.find(({ accepts }) => accepts(ours, real));
        if (row === undefined) {
          return [{ template: templates[Number(alert.slice(1))], ours, theirs: real }];
        }
        excused.set(row.why, (excused.get(row.why) ?? 0) + 1);
        return [];
      });
      expect(different).toEqual([]);
      for (const { why: reason, most } of DEVIATIONS) {
        const share = (most * COUNT) / 400;
        expect([reason, (excused.get(reason) ?? 0) <= share]).toEqual([reason, true]);
      }
      const faults = [...theirs.values()].filter((text) => text.startsWith('<error expanding'));
      expect(faults.length).toBeGreaterThan(COUNT / 20);
      expect(faults.length).toBeLessThan(COUNT / 2);
    },
    TIME_LIMIT_MS,
  );
});

function rulesOf(templates: readonly GeneratedRuleTemplate[]): object {
  return {
    groups: [
      {
        name: 'generated',
        rules: templates.map(({ text, expression }, index) => ({
          alert: `A${index}`,
          expr: expression,
          annotations: { t: text },
        })),
      },
    ],
  };
}

/** Expects what no template gives, so that both programs print what they got. */
function unitTestOf(templates: readonly GeneratedRuleTemplate[]): object {
  const named = Object.entries(VALUES).map(([name, value]) => ({
    series: `${name}{instance="host.example.org:9100",job="x y"}`,
    values: value,
  }));
  const queried = Object.entries(QUERIED).map(([series, value]) => ({ series, values: value }));
  return {
    rule_files: ['rules.yml'],
    evaluation_interval: '1m',
    tests: [
      {
        interval: '1m',
        external_labels: { zone: 'z1' },
        external_url: 'http://host:9090/prefix',
        input_series: [...named, ...queried],
        alert_rule_test: templates.map((_, index) => ({
          eval_time: '0m',
          alertname: `A${index}`,
          exp_alerts: [{ exp_labels: { none: 'none' } }],
        })),
      },
    ],
  };
}

/** The annotation that each alert got, by its name. */
function expansions(
  program: string,
  args: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  return new Promise((resolvePromise, reject) => {
    const options = {
      maxBuffer: 64_000_000,
      timeout: TIME_LIMIT_MS,
      env: { ...process.env, TZ: 'UTC' },
    };
    execFile(program, args, options, (error, stdout, stderr) => {
      // Status 1 says that tests failed, as they must.
      if (error !== null && error.code !== 1) reject(error);
      const got = new Map<string, string>();
      const pattern =
        /alertname: (A\d+), time:[\s\S]*?got:\s*\[[\s\S]*?Annotations:\{t=("(?:[^"\\]|\\.)*")\}/g;
      for (const [, alert, text] of `${stdout}\n${stderr}`.matchAll(pattern)) {
        if (alert !== undefined && text !== undefined) got.set(alert, text.slice(1, -1));
      }
      resolvePromise(got);
    });
  });
}
