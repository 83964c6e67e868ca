import { VirtualClock } from '@pollux/base';
import { ActiveQueries } from '@pollux/promql';
import { describe, expect, it } from 'vitest';
import { NOW_MS, World } from './testing/world.ts';

const PATH = '/api/v1/status/active_queries';

function world() {
  const clock = new VirtualClock(NOW_MS);
  const active = new ActiveQueries(clock);
  const life = active.begin(
    {
      query: 'rate(up[5m])',
      startMs: NOW_MS - 60_000,
      endMs: NOW_MS,
      stepMs: 15_000,
      origin: { kind: 'rule', file: 'r.yml', group: 'g' },
    },
    undefined,
  );
  return { clock, life, api: new World([], { active }) };
}

describe('the page of active queries', () => {
  it('shows what waits and what runs, since when, and on whose behalf', async () => {
    const { clock, life, api } = world();
    const list = async () =>
      (JSON.parse((await api.get(PATH)).body) as { data: Record<string, unknown>[] }).data;
    expect(await list()).toEqual([
      {
        id: life.id,
        query: 'rate(up[5m])',
        phase: 'queued',
        startedAt: '2023-11-14T22:13:20.000Z',
        age: 0,
        start: 1_699_999_940,
        end: 1_700_000_000,
        step: 15,
        steps: 5,
        samples: 0,
        origin: { kind: 'rule', file: 'r.yml', group: 'g' },
      },
    ]);
    await clock.advance(1_500);
    life.running(() => 42);
    expect(await list()).toMatchObject([{ phase: 'running', age: 1.5, samples: 42 }]);
  });

  it.each(['DELETE', 'POST'])('ends a query by %s', async (method) => {
    const { life, api } = world();
    const answer = await api.send(method, `${PATH}/${life.id}`);
    expect(answer).toMatchObject({
      status: 200,
      body: `{"status":"success","data":{"id":"${life.id}"}}`,
    });
    expect(life.signal.aborted).toBe(true);
  });

  it('refuses an id that is none', async () => {
    const { life, api } = world();
    expect(await api.send('DELETE', `${PATH}/x`)).toMatchObject({
      status: 404,
      body: '{"status":"error","errorType":"not_found","error":"no query of id \\"x\\" waits or runs"}',
    });
    expect((await api.get(`${PATH}/${life.id}`)).status).toBe(405);
    expect(life.signal.aborted).toBe(false);
  });
});

describe('odd times', () => {
  it('that are no number are the least that Prometheus has', async () => {
    const api = new World();
    for (const time of ['NaN', 'Inf', '-Inf']) {
      expect((await api.get(`/api/v1/query?query=time()&time=${time}`)).body).toBe(
        '{"status":"success","data":{"resultType":"scalar","result":[-9223372036.854,"-9223372036.854"]}}',
      );
    }
    const answer = await api.get('/api/v1/query_range?query=1&start=1&end=2&step=NaN');
    expect(answer.body).toContain('zero or negative query resolution step widths are not accepted');
    expect(answer.status).toBe(400);
  });
});

describe('a lookback of its own', () => {
  it("is the engine's where it is zero or less", async () => {
    const up = { labels: { __name__: 'up' }, samples: [[NOW_MS - 200_000, 1]] as const };
    const ask = async (lookback: string) =>
      (await new World([up]).get(`/api/v1/query?query=up&lookback_delta=${lookback}`)).body;
    for (const lookback of ['0', '-1', '200.001']) expect(await ask(lookback)).toContain('"1"');
    for (const lookback of ['1', '2m']) expect(await ask(lookback)).toContain('"result":[]');
  });
});

describe('stats', () => {
  it('of a kind that nobody knows are given, with a warning', async () => {
    const { body } = await new World().get('/api/v1/query?query=1&stats=1');
    expect(JSON.parse(body)).toMatchObject({
      data: { stats: { samples: { totalQueryableSamples: 0 } } },
      warnings: [
        'value "1" for parameter "stats" is deprecated and will be rejected in the next major release, use "true" or "all"',
      ],
    });
    for (const known of ['true', 'all'])
      expect((await new World().get(`/api/v1/query?query=1&stats=${known}`)).body).not.toContain(
        'warnings',
      );
  });
});
