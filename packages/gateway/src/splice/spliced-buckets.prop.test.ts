import { EVERYONE, type HttpPool, SeededRandom, VirtualClock } from '@pollux/base';
import { Router } from '@pollux/http';
import { Labels } from '@pollux/model';
import { Engine } from '@pollux/promql';
import { MemorySeries } from '@pollux/promql/script';
import {
  decodeReadRequest,
  encodeReadRequest,
  readHandler,
  snappyDecode,
  snappyEncode,
} from '@pollux/remote';
import { type IntervalSet, intervalSet } from '@pollux/storage';
import { Log, Registry } from '@pollux/telemetry';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Lack, PastView } from '../past-view.ts';
import { Upstream } from '../upstream.ts';
import { MemberReader } from './member-reader.ts';
import { Splice } from './segments.ts';
import { SplicedSeries } from './spliced-series.ts';

const INTERVAL_MS = 10_000;
const SAMPLES = 120;
const END_MS = SAMPLES * INTERVAL_MS;
const INSTANCES = ['t0', 't1', 't2'];
const QUERIES = [
  'rate(c[R])',
  'sum(increase(c[R]))',
  'increase(c[R] offset 35s)',
  'rate(c[R] @ 600)',
  'rate(g[R])',
  'delta(g[R])',
  'count_over_time(g[R])',
  'last_over_time({__name__=~"c|g"}[R])',
  'present_over_time(g[R])',
  'rate(c[R]) / count_over_time(c[R])',
  'sum by (instance) (rate(c[R])) + avg_over_time(g[R])',
];

/** A member with a server's own remote read; `isOld`: it does not know of buckets. */
function member(name: string, held: MemorySeries, isOld: boolean) {
  const clock = new VirtualClock(END_MS);
  const router = new Router({ monotonic: () => clock.monotonic() });
  const external = Labels.from({ replica: name });
  const common = { clock, registry: new Registry(), log: Log.silent() };
  const limits = { maxSamples: 0, maxConcurrent: 0, maxMemoryBytes: 1e9 };
  const queryable = () => held;
  const externalLabels = () => external;
  router.post('/api/v1/read', readHandler({ ...common, ...limits, queryable, externalLabels }));
  const counts = { inBuckets: 0 };
  const pool: HttpPool = {
    exchange: async ({ target, body = new Uint8Array() }) => {
      const asked = decodeReadRequest(await snappyDecode(body));
      const [query] = asked.queries;
      if (query?.buckets !== undefined && !isOld) counts.inBuckets++;
      const { buckets: _, ...bare } = query!;
      const passed = isOld ? snappyEncode(encodeReadRequest({ ...asked, queries: [bare] })) : body;
      const {
        status,
        headers = {},
        body: answer,
      } = await router.handler({
        method: 'POST',
        target,
        headers: {},
        remote: { host: '127.0.0.1', port: 1 },
        body: async () => passed,
        stream: () => new Response('').body as unknown as AsyncIterable<Uint8Array>,
        signal: new AbortController().signal,
        principal: EVERYONE,
      });
      const parts = answer instanceof Uint8Array ? [answer] : (answer as AsyncIterable<Uint8Array>);
      const pieces: Uint8Array[] = [];
      for await (const piece of parts) pieces.push(piece);
      const named = Object.entries(headers).map(([key, value]) => [key, String(value)] as const);
      return {
        status,
        headers: Object.fromEntries(named),
        body: new Uint8Array(Buffer.concat(pieces)),
      };
    },
    close: async () => {},
  };
  const reader = new MemberReader({
    pool,
    upstream: new Upstream(name, `http://${name}`),
    headers: {},
    timeoutMs: 1_000,
    settings: { externalLabels: external, evaluationIntervalMs: 60_000 },
    replicaLabels: [],
    onFailure: (error) => {
      throw error;
    },
  });
  return { reader, counts };
}

/** Samples of one replica: counters that begin anew, gauges of any value, markers and holes. */
function heldOf(random: SeededRandom): MemorySeries {
  const held = new MemorySeries();
  const phaseMs = random.below(INTERVAL_MS);
  for (const instance of INSTANCES) {
    const labels = (name: string) => Labels.from({ __name__: name, instance });
    // A tenth is no number that adds up the same in any order.
    let count = random.below(1_000) / 10;
    for (let i = 0; i < SAMPLES; i++) {
      const timestampMs = phaseMs + i * INTERVAL_MS;
      if (random.below(40) === 0) continue;
      const isStale = random.below(50) === 0;
      count = random.below(25) === 0 ? random.below(30) / 10 : count + random.below(100) / 10;
      held.add(labels('c'), { timestampMs, value: count, isStale });
      const odd = [Number.NaN, Number.POSITIVE_INFINITY, -1e300][random.below(30)];
      held.add(labels('g'), { timestampMs, value: odd ?? random.below(2_000) / 7 - 100, isStale });
    }
  }
  return held;
}

function gapsOf(random: SeededRandom): IntervalSet {
  return intervalSet(
    Array.from({ length: random.below(3) }, () => {
      const startMs = random.below(END_MS);
      return { startMs, endMs: startMs + random.below(END_MS / 3) };
    }),
  );
}

function pastOf(random: SeededRandom): PastView {
  const lacks = (): readonly Lack[] =>
    ['a', 'b'].map(() => ({ gaps: gapsOf(random), yields: [], coarse: [] }));
  const subjects = INSTANCES.slice(0, random.below(3)).map((instance) => {
    const labels = Labels.from({ instance });
    return {
      subject: { key: instance, kind: 'target', labels, metricNames: [] } as const,
      lacks: lacks(),
    };
  });
  return { replicas: [], common: lacks(), subjects, nobody: [], unreached: [] };
}

async function answered(
  queryable: SplicedSeries,
  query: string,
  times: { readonly startMs: number; readonly steps: number; readonly stepMs: number },
): Promise<string> {
  const engine = new Engine({
    clock: new VirtualClock(END_MS),
    registry: new Registry(),
    log: Log.silent(),
    lookbackMs: 60_000,
  });
  const { startMs, steps, stepMs } = times;
  const common = { query, queryable, limit: 0 };
  const { body } = await engine.encoded(
    steps === 1
      ? { ...common, timeMs: startMs }
      : { ...common, startMs, endMs: startMs + (steps - 1) * stepMs, stepMs },
  );
  if (body.kind !== 'whole') throw new Error('an answer in parts');
  return Buffer.concat(body.pieces).toString();
}

describe('a splice of buckets', () => {
  it('is answered byte for byte as that of the samples', async () => {
    const counts = { inBuckets: 0, filled: 0 };
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.boolean(), async (seed, isOld) => {
        const random = new SeededRandom(seed);
        const guardMs = random.below(3) * 1_000;
        const members = ['a', 'b'].map((name, i) => member(name, heldOf(random), isOld && i === 1));
        const past = pastOf(random);
        for (const template of QUERIES) {
          const rangeS = 10 + random.below(900);
          const query = template.replaceAll('[R]', `[${rangeS}s]`);
          const steps = [1, 1, 4, 40][random.below(4)]!;
          const times = {
            startMs: random.below(END_MS),
            steps,
            stepMs: 1_000 + random.below(60_000),
          };
          const splice = new Splice(past, {
            span: { minMs: 0, maxMs: 4 * END_MS },
            guardMs,
            preferred: random.below(2),
          });
          const readers = members.map(({ reader }) => reader);
          const clock = new VirtualClock(END_MS);
          const both = [false, true].map((mayBucket) =>
            answered(new SplicedSeries(clock, splice, readers, { mayBucket }), query, times),
          );
          const [samples = '', buckets] = await Promise.all(both);
          expect(buckets).toBe(samples);
          if (!samples.includes('"result":[]')) counts.filled++;
        }
        for (const one of members) counts.inBuckets += one.counts.inBuckets;
      }),
      { numRuns: 30 },
    );
    expect(counts.inBuckets).toBeGreaterThan(50);
    expect(counts.filled).toBeGreaterThan(150);
  }, 60_000);
});
