import { describe, expect, it } from 'vitest';
import { MemoryStorage } from '../testing/memory-storage.ts';
import { World } from '../testing/world.ts';

const MINUTE = 60_000;
const SERIES = { __name__: 'ALERTS_FOR_STATE', alertname: 'Down', instance: 'a' };

const rules = (hold: string): string => `
groups:
  - name: g
    interval: 10s
    rules:
      - alert: Down
        expr: up == 0
        for: ${hold}
`;

type Case = {
  readonly name: string;
  readonly forMinutes: number;
  /** How long the alert had been active when the server stopped. */
  readonly activeMinutes: number;
  /** How long it was down. */
  readonly downMinutes: number;
  /** When the alert counts as active since, relative to the restore; null: not restored. */
  readonly activeSinceMinutes: number | null;
};

const CASES: readonly Case[] = [
  {
    name: 'an alert that was firing keeps its first instant',
    forMinutes: 25,
    activeMinutes: 30,
    downMinutes: 10,
    activeSinceMinutes: -40,
  },
  {
    name: 'an alert with much to wait does not count the time down as active',
    forMinutes: 40,
    activeMinutes: 10,
    downMinutes: 15,
    activeSinceMinutes: -10,
  },
  {
    name: 'an alert near to firing waits for the grace period',
    forMinutes: 30,
    activeMinutes: 25,
    downMinutes: 10,
    activeSinceMinutes: 10 - 30,
  },
  {
    name: 'a `for` below the grace period is not restored',
    forMinutes: 9,
    activeMinutes: 8,
    downMinutes: 1,
    activeSinceMinutes: null,
  },
  {
    name: 'a state older than the outage tolerance is not restored',
    forMinutes: 40,
    activeMinutes: 10,
    downMinutes: 61,
    activeSinceMinutes: null,
  },
];

async function restart(entry: Case, prepare: (storage: MemoryStorage, downMs: number) => void) {
  const storage = new MemoryStorage();
  const world = new World({ storage });
  world.answers.set('up == 0', () => [[{ instance: 'a' }, 0]]);
  await world.load(rules(`${entry.forMinutes}m`));
  // The second evaluation is followed by the restore; all times are relative to it.
  const secondMs = world.clock.now() + 10_000;
  prepare(storage, secondMs - entry.downMinutes * MINUTE);
  world.manager.start();
  await world.clock.advance(21_000);
  return world;
}

function activeSince(world: World): number {
  return world.manager.alerts()[0]!.activeAtMs - world.evaluations[1]!.atMs;
}

describe('restoring the `for` state', () => {
  for (const entry of CASES) {
    it(entry.name, async () => {
      const world = await restart(entry, (storage, downMs) => {
        const activeMs = downMs - entry.activeMinutes * MINUTE;
        storage.put(SERIES, downMs, Math.floor(activeMs / 1000));
      });
      const since = activeSince(world);
      if (entry.activeSinceMinutes === null) expect(since).toBe(-10_000);
      else expect(Math.abs(since - entry.activeSinceMinutes * MINUTE)).toBeLessThan(11_000);
    });
  }

  const LONG = CASES[1]!;

  it('leaves alone an alert whose series had ended, and one of other labels', async () => {
    const world = await restart(LONG, (storage, downMs) => {
      storage.put(SERIES, downMs, Math.floor(downMs / 1000) - 600);
      storage.putStale(SERIES, downMs + 1_000);
      storage.put({ ...SERIES, instance: 'b' }, downMs, 1);
    });
    expect(activeSince(world)).toBe(-10_000);
  });

  it('writes no series before, so that it cannot overwrite what it is to read', async () => {
    const world = await restart(LONG, () => {});
    const secondMs = world.evaluations[1]!.atMs;
    expect(world.storage.samples(SERIES)).toEqual([]);
    await world.clock.advance(10_000);
    expect(world.storage.samples(SERIES)[0]).toMatch(new RegExp(`^${secondMs + 10_000}: `));
  });

  it('goes on without the state when the storage does not answer', async () => {
    const storage = new MemoryStorage();
    const world = new World({
      storage,
      manager: {
        queryable: {
          ...storage,
          select: () => ({
            next: () => Promise.reject(new Error('remote storage is away')),
            warnings: [],
            close: () => {},
          }),
          labelNames: () => storage.labelNames(),
          labelValues: (name) => storage.labelValues(name),
        },
      },
    });
    world.answers.set('up == 0', () => [[{ instance: 'a' }, 0]]);
    await world.load(rules('20m'));
    world.manager.start();
    await world.clock.advance(40_000);
    expect(world.storage.samples(SERIES).length).toBeGreaterThan(0);
    expect(world.logged.some((line) => line.includes('remote storage is away'))).toBe(true);
  });
});
