import { VirtualClock } from '@pollux/base';
import type { Queryable, SeriesSource } from '@pollux/storage';
import { Log, Registry } from '@pollux/telemetry';
import { describe, expect, it } from 'vitest';
import { Engine } from '../engine.ts';
import { ActiveQueries } from './active-queries.ts';
import type { QueryObserver } from './query-life.ts';

/** Storage whose every read waits until its query is over. */
const STUCK: Queryable = {
  select: (_, { signal }): SeriesSource => ({
    next: () =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      }),
    warnings: [],
    close: () => {},
  }),
  labelNames: async () => ({ values: [], warnings: [] }),
  labelValues: async () => ({ values: [], warnings: [] }),
};

function world(observers: readonly QueryObserver[] = []) {
  const clock = new VirtualClock(1_700_000_000_000);
  const active = new ActiveQueries(clock, observers);
  const log = Log.silent();
  const engine = new Engine({ clock, registry: new Registry(), log, maxConcurrency: 1, active });
  const ask = (query: string, signal?: AbortSignal) =>
    engine
      .range({
        query,
        queryable: STUCK,
        startMs: 0,
        endMs: 60_000,
        stepMs: 15_000,
        ...(signal === undefined ? {} : { signal }),
      })
      .then(
        () => 'answered',
        (error: { kind: string; message: string }) => `${error.kind}: ${error.message}`,
      );
  return { clock, active, ask };
}

describe('active queries', () => {
  it('are listed as running or queued in the order in which they arrived, and not after their end', async () => {
    const { clock, active, ask } = world();
    const first = ask('up');
    await clock.advance(250);
    const second = ask('rate(up[5m])');
    await clock.advance(1_000);
    expect(active.list()).toMatchObject([
      { query: 'up', phase: 'running', ageMs: 1_250, stepCount: 5, origin: { kind: 'internal' } },
      { query: 'rate(up[5m])', phase: 'queued', ageMs: 1_000, samples: 0, stepMs: 15_000 },
    ]);
    for (const { id } of active.list()) active.kill(id);
    await Promise.all([first, second]);
    expect(active.list()).toEqual([]);
  });

  it('are killed in the queue and while they run, with the errors of a client that went away', async () => {
    const { clock, active, ask } = world();
    const running = ask('up');
    const queued = ask('up');
    await clock.advance(0);
    const [one, two] = active.list().map(({ id }) => id);
    expect(active.kill(two!)).toBe(true);
    expect(await queued).toBe('canceled: query was canceled in query queue');
    expect(active.kill(one!)).toBe(true);
    expect(await running).toBe('canceled: query was canceled in query execution');
    expect([active.kill(one!), active.kill('none')]).toEqual([false, false]);
  });

  it('still end with their own client', async () => {
    const { clock, active, ask } = world();
    const client = new AbortController();
    const running = ask('up', client.signal);
    await clock.advance(0);
    client.abort();
    expect(await running).toBe('canceled: query was canceled in query execution');
    expect(await ask('up', client.signal)).toBe('canceled: query was canceled in query queue');
    expect(active.list()).toEqual([]);
  });

  it('have one limit for waiting and running', async () => {
    const { clock, active, ask } = world();
    const running = ask('up');
    await clock.advance(100_000);
    const queued = ask('up');
    await clock.advance(19_000);
    active.kill(active.list()[0]!.id);
    await running;
    await clock.advance(0);
    expect(active.list()).toMatchObject([{ phase: 'running', ageMs: 19_000 }]);
    active.kill(active.list()[0]!.id);
    await queued;
  });

  it('are told to observers once each, also when they never ran', async () => {
    const seen: string[] = [];
    const observer: QueryObserver = {
      started: ({ query }) => seen.push(`${query} started`),
      ended: ({ query, phase }, { error }) => seen.push(`${query} ended ${phase}: ${error}`),
    };
    const { clock, active, ask } = world([observer]);
    const running = ask('a');
    const queued = ask('b');
    await clock.advance(0);
    for (const { id } of active.list().toReversed()) active.kill(id);
    await Promise.all([running, queued]);
    expect(await ask('1')).toBe('answered');
    expect(seen).toEqual([
      'a started',
      'b ended queued: query was canceled in query queue',
      'a ended running: query was canceled in query execution',
      '1 started',
      '1 ended running: null',
    ]);
  });
});
