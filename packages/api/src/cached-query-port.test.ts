import { VirtualClock } from '@pollux/base';
import { Engine, RangeCache } from '@pollux/promql';
import { ChangeLog } from '@pollux/storage';
import { Log, Registry, renderText } from '@pollux/telemetry';
import { describe, expect, it } from 'vitest';
import { CachedQueryPort } from './cached-query-port.ts';
import { EngineQueryPort } from './engine-query-port.ts';
import { ListQueryable } from './testing/list-queryable.ts';
import { type Answer, World } from './testing/world.ts';

const SERIES = ['a', 'b', 'c'].map((job, j) => ({
  labels: { __name__: 'up', job },
  samples: Array.from({ length: 60 }, (_, i) => [i * 15_000, i * j] as const),
}));
const RANGE = '/api/v1/query_range?query=up&start=300&end=600&step=15';

function world(isOn = true) {
  const registry = new Registry();
  const queryable = new ListQueryable(SERIES);
  const engine = new Engine({
    clock: new VirtualClock(),
    registry: new Registry(),
    log: Log.silent(),
  });
  const inner = new EngineQueryPort(engine, queryable);
  const changes = new ChangeLog();
  const cache = new RangeCache({ changes, registry, maxBytes: 1 << 20, maxSamples: 1_000_000 });
  const port = { inner, engine, queryable, cache, isOn: () => isOn, lookbackMs: 300_000 };
  const api = new World([], { query: new CachedQueryPort(port) });
  const asked = (): number => queryable.requests.length;
  const counted = (result: string): number =>
    Number(
      new RegExp(`requests_total\\{result="${result}"\\} (\\d+)`).exec(
        renderText(registry.gather()),
      )![1],
    );
  return { api, asked, counted, changes };
}

describe('range queries of the API', () => {
  it('are answered from the cache when they come again, as the first time', async () => {
    const { api, asked, counted } = world();
    const bodies: Answer[] = [];
    for (let i = 0; i < 3; i++) bodies.push(await api.get(RANGE));
    expect(bodies[0]!.body).toContain('"values":[[300,"0"],[315,"0"]');
    expect(new Set(bodies.map(({ body }) => body)).size).toBe(1);
    expect([asked(), counted('miss'), counted('hit')]).toEqual([1, 1, 2]);
  });

  it.each([
    ['nocache=1', {}],
    ['stats=all', {}],
    ['', { 'cache-control': 'no-cache' }],
  ])('pass it by with %s %o', async (parameter, headers) => {
    const { api, asked, counted } = world();
    for (let i = 0; i < 2; i++) await api.get(`${RANGE}&${parameter}`, headers);
    expect([asked(), counted('miss'), counted('hit')]).toEqual([2, 0, 0]);
  });

  it('pass it by while answers depend on more than the database', async () => {
    const { api, asked } = world(false);
    for (let i = 0; i < 2; i++) await api.get(RANGE);
    expect(asked()).toBe(2);
  });

  it('are cut at their own limit, and refused with the errors of evaluation', async () => {
    const { api } = world();
    await api.get(RANGE);
    const limited = JSON.parse((await api.get(`${RANGE}&limit=2`)).body) as {
      readonly data: { readonly result: readonly unknown[] };
      readonly warnings: readonly string[];
    };
    expect([limited.data.result.length, limited.warnings]).toEqual([
      2,
      ['results truncated due to limit'],
    ]);
    const bad = await api.get(RANGE.replace('query=up', 'query=up[5m]'));
    expect(bad.status).toBe(400);
    expect(bad.body).toContain('must be Scalar or instant Vector');
  });

  it('see what changed', async () => {
    const { api, asked, counted, changes } = world();
    await api.get(RANGE);
    changes.note(500_000);
    await api.get(RANGE);
    changes.noteAll();
    await api.get(RANGE);
    expect([asked(), counted('partial'), counted('miss')]).toEqual([3, 1, 2]);
  });
});
