import { describe, expect, test } from 'vitest';
import { LONE_TIMES, LoneAlertmanager, type LoneStep, randomSteps } from './lone-alertmanager.ts';
import { type AlertLife, neverTold, toldWrongly } from './told-once.ts';

/** More seeds for long runs: POLLUX_SIM_SEEDS=2000; one seed again: POLLUX_SIM_FIRST=17 POLLUX_SIM_SEEDS=1. */
const SEEDS = Number(process.env.POLLUX_SIM_SEEDS ?? 8);
const FIRST_SEED = Number(process.env.POLLUX_SIM_FIRST ?? 1);
const TIMEOUT_MS = 20_000 + SEEDS * 4_000;

const { groupIntervalMs } = LONE_TIMES;
const FAR_MS = 24 * 3_600_000;
/** After it everything that is due has come, whatever was the matter before: an attempt may wait for its pause. */
const QUIET_MS = 12 * groupIntervalMs;
/** What is written is synced by then. */
const SYNCED_MS = 2_500;
/** A disk that works again has the whole state by then. */
const MENDED_MS = 70_000;

class Run {
  readonly lone: LoneAlertmanager;
  readonly truth = new Map<string, AlertLife[]>();
  /** A process that keeps nothing, to see whether that is found out. */
  forgets = false;

  constructor(lone: LoneAlertmanager) {
    this.lone = lone;
  }

  /** `kills`: false passes over them, as if the process had never ended. */
  async all(steps: readonly LoneStep[], { kills = true } = {}): Promise<void> {
    for (const step of steps) await this.#step(step, kills);
    this.lone.isReceiverUp = true;
    await this.lone.advance(QUIET_MS);
  }

  async #step(step: LoneStep, kills: boolean): Promise<void> {
    const { lone } = this;
    switch (step.kind) {
      case 'fire':
      case 'resolve':
        await this.#post(step.group, step.name, step.kind === 'fire');
        return;
      case 'kill':
        if (kills) await this.#end('all', step.downMs);
        return;
      case 'power cut': {
        // What was told within the second before it may be told again, so that is waited for.
        const lastMs = lone.messages.at(-1)?.atMs ?? 0;
        await lone.advance(SYNCED_MS);
        if (lone.now - lastMs > 2 * SYNCED_MS) await this.#end('some', step.downMs);
        return;
      }
      case 'receiver':
        lone.isReceiverUp = step.isUp;
        return;
      case 'disk fault': {
        const { disk } = lone;
        disk.inject({ kind: step.error, from: disk.operations + 1, to: Number.POSITIVE_INFINITY });
        await lone.advance(step.forMs);
        disk.heal();
        await lone.advance(MENDED_MS);
        return;
      }
      case 'wait':
        await lone.advance(step.ms);
        return;
    }
  }

  async #post(group: string, name: string, isFiring: boolean): Promise<void> {
    const { lone } = this;
    const key = `${group}/${name}`;
    const lives = this.truth.get(key) ?? [];
    const last = lives.at(-1);
    const fires = last !== undefined && last.endedMs === null;
    if (!isFiring && !fires) return;
    const nowMs = lone.now;
    const isTaken = await lone.post(group, name, isFiring ? nowMs + FAR_MS : nowMs);
    expect(isTaken, lone.logs.slice(-5).join('\n')).toBe(true);
    if (!isFiring && last !== undefined) last.endedMs = nowMs;
    else if (!fires) lives.push({ firedMs: nowMs, endedMs: null });
    this.truth.set(key, lives);
  }

  async #end(survives: 'all' | 'some', downMs: number): Promise<void> {
    this.lone.kill(survives);
    if (this.forgets) this.lone.forget();
    await this.lone.advance(downMs);
    await this.lone.boot();
  }
}

async function run(
  seed: number,
  steps: readonly LoneStep[],
  { forgets = false, ...options }: { readonly kills?: boolean; readonly forgets?: boolean } = {},
): Promise<Run> {
  const done = new Run(await LoneAlertmanager.start(seed));
  done.forgets = forgets;
  await done.all(steps, options);
  return done;
}

/** What was sent, with the seconds. */
async function linesOf(...given: Parameters<typeof run>): Promise<string[]> {
  const { lone } = await run(...given);
  return lone.messages.map(
    ({ atMs, group, firing, resolved }) =>
      `${Math.round(atMs / 1_000)} ${group} firing(${firing}) resolved(${resolved})`,
  );
}

function eachSeed(name: string, check: (seed: number) => Promise<readonly string[]>): void {
  test(
    name,
    async () => {
      for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
        expect(await check(seed), `POLLUX_SIM_FIRST=${seed} POLLUX_SIM_SEEDS=1`).toEqual([]);
      }
    },
    TIMEOUT_MS,
  );
}

describe('an alertmanager that is killed and started again', () => {
  const shortKills = (seed: number): LoneStep[] =>
    randomSteps(seed, 30, ['fire', 'fire', 'resolve', 'kill']).map((step) =>
      step.kind === 'kill' ? { ...step, downMs: 0 } : step,
    );

  eachSeed(
    'at once sends the same messages at the same times as one that lives on',
    async (seed) => {
      const lived = await linesOf(seed, shortKills(seed), { kills: false });
      expect(lived.length).toBeGreaterThan(2);
      expect(await linesOf(seed, shortKills(seed))).toEqual(lived);
      return [];
    },
  );

  test('is found out when it keeps nothing of its own', async () => {
    const lived = await linesOf(1, shortKills(1), { kills: false });
    expect(await linesOf(1, shortKills(1), { forgets: true })).not.toEqual(lived);
    const { lone, truth } = await run(2, shortKills(2), { forgets: true });
    expect(toldWrongly(lone.messages, truth, 3 * groupIntervalMs)).not.toEqual([]);
  });

  eachSeed(
    'at any time, with the receiver and the disk failing and the power cut, tells all that is so, and nothing twice',
    async (seed) => {
      const steps = randomSteps(seed, 40, [
        'fire',
        'fire',
        'fire',
        'resolve',
        'resolve',
        'kill',
        'kill',
        'power cut',
        'receiver',
        'disk fault',
      ]);
      const { lone, truth } = await run(seed, steps);
      const wrong = toldWrongly(lone.messages, truth, 3 * groupIntervalMs);
      wrong.push(...neverTold(lone.messages, truth, 4 * groupIntervalMs));
      if (wrong.length === 0) return [];
      const heard = lone.messages.map((message) => JSON.stringify(message));
      return [...wrong, ...steps.map((step) => JSON.stringify(step)), ...heard];
    },
  );
});

describe('the check of what was told', () => {
  const truth = new Map([['g/a', [{ firedMs: 10, endedMs: 50 as number | null }]]]);
  const message = (atMs: number, firing: string[], resolved: string[]) => ({
    atMs,
    group: 'g',
    firing,
    resolved,
  });
  const told = [message(20, ['a'], []), message(60, [], ['a'])];

  test('finds nothing wrong with what is right', () => {
    expect(toldWrongly(told, truth, 10)).toEqual([]);
    expect(neverTold(told, truth, 10)).toEqual([]);
  });

  test.each([
    ['a message that says nothing new', [...told, message(70, [], ['a'])], 'nothing new'],
    ['an end that is missing', told.slice(0, 1), 'which was not told'],
    ['an alert that had ended long before', [...told, message(90, ['a'], [])], 'ended long before'],
    ['an end before the end', [message(20, ['a'], []), message(40, [], ['a'])], 'had not ended'],
  ])('finds %s', (_, messages, text) => {
    expect(toldWrongly(messages, truth, 10).join()).toContain(text);
  });

  test('finds an alert that nobody was told of', () => {
    expect(neverTold([], truth, 10)).toHaveLength(1);
  });
});
