import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { killRounds, type RoundsOptions } from '../soak/crash/rounds.ts';

/** The long form is `npm run soak -- crash`; another part of it by POLLUX_CRASH_SEED. */
const seed = Number(process.env.POLLUX_CRASH_SEED ?? 1);

function options(): RoundsOptions {
  return {
    directory: mkdtempSync(path.join(tmpdir(), 'pollux-crash-')),
    rounds: 10,
    seed,
    canary: false,
    lifeMs: 2_500,
    phaseChance: 0.2,
  };
}

it('a server that is killed at random moments has everything it acknowledged after each start', async () => {
  const { problems, writes, kills } = await killRounds(options());
  expect(problems).toEqual([]);
  expect(writes).toBeGreaterThan(100);
  expect(Object.values(kills).reduce((sum, count) => sum + count, 0)).toBe(10);
});

it('a server that acknowledges before it writes is caught by the same kills', async () => {
  const { problems } = await killRounds({ ...options(), rounds: 3, canary: true, phaseChance: 0 });
  expect(problems.join()).toContain('is missing');
});
