import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { VirtualClock } from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import { Log, Registry } from '@pollux/telemetry';
import { countConformance } from '@pollux/testkit';
import { describe, expect, it } from 'vitest';
import { scriptEngine } from './script/mode.ts';
import { runScript, type ScriptEngine } from './script/run.ts';
import { QUERY } from './testing/query-worker.ts';
import { QueryWorkers } from './workers/query-workers.ts';

const ROOT = new URL('../../..', import.meta.url).pathname;
const FOLDER = join(
  process.env.POLLUX_CONFORMANCE ?? join(ROOT, '../shared/conformance'),
  'promqltest',
);
const MINIMUM = new URL('../testdata/promqltest.min.json', import.meta.url).pathname;
/** Upstream's test mode; type and unit labels are on for the one file that is about them. */
function testEngine(file: string, workers?: QueryWorkers): ScriptEngine {
  const features = { typeAndUnitLabels: file === 'type_and_unit.test' };
  const clock = new VirtualClock();
  const log = Log.silent();
  return scriptEngine('test', {
    clock,
    log,
    features,
    ...(workers === undefined ? {} : { workers }),
  });
}

type Counts = Readonly<Record<string, { readonly passed: number; readonly total: number }>>;

const minimum: Counts = existsSync(MINIMUM) ? JSON.parse(readFileSync(MINIMUM, 'utf8')) : {};
const isPresent = existsSync(FOLDER);

describe.skipIf(!isPresent)(
  `promqltest scripts${isPresent ? '' : ' (skipped: set POLLUX_CONFORMANCE to the conformance folder)'}`,
  () => {
    const files = isPresent ? readdirSync(FOLDER).filter((name) => name.endsWith('.test')) : [];
    const seen: Record<string, { passed: number; total: number }> = {};

    it.each(files)('%s passes as many evaluations as before', async (file) => {
      const text = readFileSync(join(FOLDER, file), 'utf8');
      const { passed, failed } = await runScript(text, () => testEngine(file));
      const total = passed + failed.length;
      seen[file] = { passed, total };
      process.stdout.write(`promqltest ${file}: ${passed}/${total}\n`);
      if (process.env.PROMQLTEST_SHOW === file || process.env.PROMQLTEST_SHOW === 'all')
        for (const { line, message } of failed) process.stdout.write(`  ${line}: ${message}\n`);
      expect(passed).toBeGreaterThanOrEqual(minimum[file]?.passed ?? 0);
    });

    it('answer alike when threads evaluate them', async () => {
      const { workers, clock } = nodeEnv();
      const common = { workers, clock, log: Log.silent(), registry: new Registry() };
      const threads = new QueryWorkers({ ...common, entry: QUERY, count: 1 });
      try {
        for (const file of files) {
          const text = readFileSync(join(FOLDER, file), 'utf8');
          const { passed, failed } = await runScript(text, () => testEngine(file, threads));
          expect(`${file}: ${passed}`).toBe(`${file}: ${seen[file]?.passed}`);
          expect(passed + failed.length).toBe(seen[file]?.total);
        }
      } finally {
        await threads.close();
      }
    }, 120_000);

    it('has the total that is committed', () => {
      const sum = (counts: Counts): number =>
        Object.values(counts).reduce((total, { passed }) => total + passed, 0);
      process.stdout.write(`promqltest total: ${sum(seen)}\n`);
      for (const [file, { passed, total }] of Object.entries(seen))
        countConformance(`promqltest/${file}`, passed, total);
      if (process.env.PROMQLTEST_UPDATE === '1')
        writeFileSync(MINIMUM, `${JSON.stringify(seen, null, 2)}\n`);
      expect(sum(seen)).toBeGreaterThanOrEqual(sum(minimum));
    });
  },
);
