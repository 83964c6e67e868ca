import { afterAll, expect, it } from 'vitest';
import { ask } from '../differential/promql/ask.ts';
import { compare, NO_REMARKS } from '../differential/promql/compare.ts';
import { LENGTH_MS, START_MS } from '../differential/promql/data.ts';
import { peerOf } from '../differential/promql/peer.ts';
import { failuresOf, run } from '../differential/promql/run.ts';
import { hasPrometheus, NO_PROMETHEUS } from './real-prometheus.ts';
import { ShardedServers } from './sharded-servers.ts';

const SEED = 20_261_123;
const TIMES = { kind: 'instant', timeMs: START_MS + LENGTH_MS / 2 } as const;
const LAYOUT = {
  first: ['theirs', 'ours', 'ours'],
  second: ['ours', 'theirs'],
  third: ['theirs', 'ours'],
} as const;

let servers: ShardedServers | null = null;
afterAll(() => servers?.close());

/** The same servers are asked again, so the data must be of the same seed. */
async function differences(queries: number): Promise<string[]> {
  const report = await run({
    seed: SEED,
    queries,
    peer: peerOf('prometheus'),
    start: async (data, peer) => {
      servers ??= await ShardedServers.start(LAYOUT, data, peer);
      const { ours, theirs } = servers;
      return { ours, theirs, logs: { ours: '', theirs: '' }, close: async () => {} };
    },
  });
  return failuresOf(report);
}

async function namesOf(url: string, path: string): Promise<unknown> {
  const answer = await fetch(url + path);
  return [answer.status, await answer.json()];
}

it.skipIf(!hasPrometheus)(
  `three shards of two and three replicas, real ones and ours, answer as one Prometheus with all their series${NO_PROMETHEUS}`,
  async () => {
    expect(await differences(500)).toEqual([]);
    if (servers === null) throw new Error('nothing was asked');
    const { ours, theirs, shards } = servers;
    const window = `start=${START_MS / 1_000}&end=${(START_MS + LENGTH_MS) / 1_000}`;
    const paths = [
      `labels?${window}`,
      `labels?${window}&limit=3`,
      `label/instance/values?${window}`,
      `label/__name__/values?${window}&match[]={job="api"}`,
      `series?${window}&match[]={__name__=~".%2B"}`,
      `series?${window}&match[]={job="api"}&match[]={job="db"}`,
      'series?match[]=}',
      'query?query=sum(',
      'query_range?query=up&start=1&end=0&step=1',
      'query?query=1%2B1&time=7',
    ];
    for (const path of paths) {
      const [mine, his] = await Promise.all(
        [ours, theirs].map((url) => namesOf(url, `/api/v1/${path}`)),
      );
      // 2.42 knows no limit.
      if (!path.includes('limit')) expect(mine, path).toEqual(his);
      else
        expect(mine, path).toMatchObject([200, { warnings: ['results truncated due to limit'] }]);
    }

    // One replica of each shard: of the first, two.
    for (const [shard, all] of Object.entries(shards))
      for (const replica of all.slice(0, shard === 'first' ? 2 : 1)) await replica.kill();
    expect(await differences(100)).toEqual([]);
  },
  300_000,
);

it.skipIf(!hasPrometheus)(
  `a shard of which nobody answers is named, and the rest is answered${NO_PROMETHEUS}`,
  async () => {
    if (servers === null) throw new Error('the test before this one starts the servers');
    const { ours, theirs, shards } = servers;
    const instances = `count by (job, instance) ({job!=""})`;
    const whole = await ask(theirs, instances, TIMES);
    for (const replica of shards.second ?? []) await replica.kill();
    const rest = await ask(ours, instances, TIMES);
    expect(rest.series.length).toBeGreaterThan(0);
    expect(rest.series.length).toBeLessThan(whole.series.length);
    expect(whole.series).toEqual(expect.arrayContaining([...rest.series]));
    const named =
      /^shard second does not answer, its series are missing \(second-0: .+; second-1: .+\)$/;
    expect(rest.warnings).toEqual([expect.stringMatching(named)]);
    for (const path of [
      'labels',
      'series?match[]={job="api"}',
      'metadata',
      'targets',
      'rules',
      'alerts',
    ]) {
      const [status, body] = (await namesOf(ours, `/api/v1/${path}`)) as [number, object];
      expect(status, path).toBe(200);
      expect(body, path).toMatchObject({
        warnings: expect.arrayContaining([expect.stringMatching(named)]),
      });
    }
    // Formats that cannot tell what is missing.
    expect((await fetch(`${ours}/federate?match[]={job="api"}`)).status).toBe(503);

    for (const replica of Object.values(shards).flat()) await replica.kill();
    const nobody = await ask(ours, instances, TIMES);
    expect([nobody.status, nobody.errorType]).toEqual([503, 'unavailable']);
    expect(nobody.error).toMatch(/shard first .*; shard second .*; shard third /);
    const sum = await ask(ours, '1 + 1', TIMES);
    expect(
      compare(sum, await ask(theirs, '1 + 1', TIMES), { remarks: NO_REMARKS, order: null }),
    ).toBe(null);
  },
  120_000,
);
