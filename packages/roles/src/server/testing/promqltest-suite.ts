import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { type Files, VirtualClock } from '@pollux/base';
import { runScript, scriptEngine } from '@pollux/promql/script';
import { Log } from '@pollux/telemetry';
import { describe, expect, it } from 'vitest';
import { ScriptDatabase } from './script-database.ts';

const ROOT = new URL('../../../../..', import.meta.url).pathname;
const FOLDER = path.join(
  process.env.POLLUX_CONFORMANCE ?? path.join(ROOT, '../shared/conformance'),
  'promqltest',
);

/** Runs upstream's scripts over real databases: what a series in memory makes up, as hints of resets, comes from chunks here. */
export function promqltestOverDatabases(kernels: string, files: Files): void {
  const isPresent = fs.existsSync(FOLDER);
  const reason = isPresent ? '' : ' (skipped: set POLLUX_CONFORMANCE to the conformance folder)';
  describe.skipIf(!isPresent)(`promqltest over a database, ${kernels}${reason}`, () => {
    const scripts = (isPresent ? fs.readdirSync(FOLDER) : []).filter((name) =>
      name.endsWith('.test'),
    );
    for (const inBlocks of [false, true]) {
      it.each(scripts)(`%s passes ${inBlocks ? 'from blocks' : 'from the head'}`, async (file) => {
        const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'pollux-promqltest-'));
        const database = new ScriptDatabase(directory, { inBlocks, files });
        try {
          const text = fs.readFileSync(path.join(FOLDER, file), 'utf8');
          const features = { typeAndUnitLabels: file === 'type_and_unit.test' };
          const engine = () =>
            scriptEngine('test', { clock: new VirtualClock(), log: Log.silent(), features });
          const { passed, failed } = await runScript(text, engine, database);
          expect(failed).toEqual([]);
          expect(passed).toBeGreaterThan(0);
        } finally {
          await database.close();
          fs.rmSync(directory, { recursive: true, force: true });
        }
      });
    }
  });
}
