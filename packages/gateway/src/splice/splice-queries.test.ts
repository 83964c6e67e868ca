import {
  EVERYONE,
  type HttpClientRequest,
  type HttpClientResponse,
  PoolOverRequests,
  VirtualClock,
} from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import type { Exchange } from '@pollux/http';
import { type FloatHistogram, Labels, LabelsBuilder } from '@pollux/model';
import { Engine } from '@pollux/promql';
import { MemorySeries } from '@pollux/promql/script';
import {
  CHUNKED_CONTENT_TYPE,
  ChunkFrameWriter,
  decodeReadRequest,
  snappyDecode,
} from '@pollux/remote';
import { MemoryBudget, NO_HINTS } from '@pollux/storage';
import { Log, Registry } from '@pollux/telemetry';
import { describe, expect, it } from 'vitest';
import type { Lack, PastView } from '../past-view.ts';
import { readQueryParams } from '../query-params.ts';
import { Upstream } from '../upstream.ts';
import { SpliceQueries } from './splice-queries.ts';

const END_MS = 600_000;
const SEAM_MS = 300_000;

/** Two members that each have one half of the time, in memory; `reads` are what they were asked for. */
function spliceOf(held: MemorySeries) {
  const env = { ...nodeEnv(), clock: new VirtualClock(END_MS) };
  const reads: { readonly member: string; readonly isInBuckets: boolean }[] = [];
  const request = async ({ url, body }: HttpClientRequest): Promise<HttpClientResponse> => {
    const { hostname, pathname } = new URL(url);
    if (pathname === '/api/v1/status/config') {
      const yaml = `global: {external_labels: {replica: ${hostname}}}`;
      return { status: 200, headers: {}, body: bytesOf({ status: 'success', data: { yaml } }) };
    }
    const [query] = decodeReadRequest(await snappyDecode(body as Uint8Array)).queries;
    const { startMs, endMs, matchers, buckets } = query!;
    reads.push({ member: hostname, isInBuckets: buckets !== undefined });
    const context = { signal: new AbortController().signal, budget: MemoryBudget.unlimited() };
    const asked = { range: { minMs: startMs, maxMs: endMs }, matchers, hints: NO_HINTS };
    const source = held.select({ ...asked, sorted: true }, context);
    const shown = [];
    for (let batch = await source.next(); batch !== null; batch = await source.next()) {
      for (const columns of batch) {
        const labels = new LabelsBuilder(columns.labels).set('replica', hostname).build();
        shown.push({ ...columns, labels });
      }
    }
    const writer = new ChunkFrameWriter(0);
    // In the order that they have with their external labels, as Prometheus gives them.
    for (const columns of shown.sort((a, b) => a.labels.compare(b.labels))) {
      if (buckets === undefined) writer.add(columns);
      else writer.addBuckets(columns, buckets);
    }
    const answer = new Uint8Array(Buffer.concat([...writer.takeFull(), ...writer.finish()]));
    return { status: 200, headers: { 'content-type': CHUNKED_CONTENT_TYPE }, body: answer };
  };
  Object.assign(env, { net: { request } });
  const common = { clock: env.clock, registry: new Registry(), log: Log.silent() };
  const engine = new Engine({ ...common, lookbackMs: 60_000 });
  const splices = new SpliceQueries({
    env,
    engine,
    defaults: { evaluationIntervalMs: 60_000 },
    requestTimeoutMs: 1_000,
    poolOf: ({ url }) =>
      new PoolOverRequests({ request }, { origin: url, connectTimeoutMs: 1, keepAliveMs: 1 }),
    guardMs: 1_000,
    maxMemoryBytes: 1e9,
    replicaLabels: [],
    storePath: '',
  });
  const run = async (query: string) => {
    const form = new URLSearchParams({ query, time: String(END_MS / 1_000) });
    const params = readQueryParams(form, false, { nowMs: END_MS, lookbackMs: 60_000 });
    const { response } = await splices.run({
      exchange: exchange(),
      form,
      params: params!,
      piece: { replica: null, startMs: END_MS, endMs: END_MS },
      live: ['a', 'b'].map((name) => new Upstream(name, `http://${name}`)),
      past: halves(),
      preferred: 0,
    });
    const { status, data, error } = JSON.parse(new TextDecoder().decode(response.body));
    return { status, error, result: data?.result as { readonly value: [number, string] }[] };
  };
  return { run, reads };
}

function halves(): PastView {
  const lack = (startMs: number, endMs: number): Lack => ({
    gaps: [{ startMs, endMs }],
    yields: [],
    coarse: [],
  });
  const common = [lack(SEAM_MS, 2 * END_MS), lack(0, SEAM_MS)];
  return { replicas: [], common, subjects: [], nobody: [], unreached: [] };
}

function exchange(): Exchange {
  const signal = new AbortController().signal;
  const request = {
    method: 'GET',
    target: '/api/v1/query',
    headers: {},
    remote: { host: '127.0.0.1', port: 1 },
    body: async () => new Uint8Array(),
    stream: () => new Response('').body as unknown as AsyncIterable<Uint8Array>,
    signal,
    principal: EVERYONE,
  };
  return {
    request,
    path: '/api/v1/query',
    params: {},
    query: new URLSearchParams(),
    principal: EVERYONE,
    signal,
  };
}

function bytesOf(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

/** A sample every 10 s that grows by 10. */
function fill(
  held: MemorySeries,
  labels: Labels,
  histogram?: (count: number) => FloatHistogram,
): void {
  for (let timestampMs = 0; timestampMs <= END_MS; timestampMs += 10_000) {
    const value = timestampMs / 1_000;
    held.add(labels, { timestampMs, value, ...(histogram ? { histogram: histogram(value) } : {}) });
  }
}

function histogramOf(count: number): FloatHistogram {
  return {
    counterResetHint: 'unknown',
    schema: 0,
    zeroThreshold: 0.001,
    zeroCount: count,
    count,
    sum: count,
    positiveSpans: [],
    negativeSpans: [],
    positiveBuckets: new Float64Array(),
    negativeBuckets: new Float64Array(),
    customValues: null,
    isInteger: true,
    isStale: false,
  };
}

describe('a splice of two members', () => {
  it('is of buckets where these do', async () => {
    const held = new MemorySeries();
    fill(held, Labels.from({ __name__: 'c' }));
    const { run, reads } = spliceOf(held);
    const { result } = await run('count_over_time(c[400s])');
    // One of the forty lies within the guard.
    expect(result.map(({ value }) => value[1])).toEqual(['39']);
    expect(reads).toEqual([
      { member: 'a', isInBuckets: true },
      { member: 'b', isInBuckets: true },
    ]);
    await run('quantile_over_time(0.5, c[400s])');
    expect(reads.slice(2).map(({ isInBuckets }) => isInBuckets)).toEqual([false, false]);
  });

  it('is read again in samples where there are histograms', async () => {
    const held = new MemorySeries();
    fill(held, Labels.from({ __name__: 'h' }), histogramOf);
    const { run, reads } = spliceOf(held);
    const { result } = await run('histogram_count(increase(h[400s]))');
    expect(Number(result[0]?.value[1])).toBeCloseTo(400, 6);
    expect(reads.map(({ isInBuckets }) => isInBuckets)).toEqual([true, true, false, false]);
  });

  it('is read again sorted where external labels make another order', async () => {
    const held = new MemorySeries();
    fill(held, Labels.from({ __name__: 'c' }));
    // Before the other one with `replica`, behind it without.
    fill(held, Labels.from({ __name__: 'c', le: '1' }));
    const { run, reads } = spliceOf(held);
    const { status, error, result } = await run('sum(increase(c[400s]))');
    expect({ status, error }).toEqual({ status: 'success', error: undefined });
    expect(Number(result[0]?.value[1])).toBeCloseTo(800, 6);
    expect(reads).toHaveLength(4);
  });
});
