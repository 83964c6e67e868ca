import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { InlineWorkers, VirtualClock, type Workers } from '@pollux/base';
import { NodeWorkers, nodeEnv } from '@pollux/base/node';
import { Labels, Matcher, setStaleAt, wordsOf } from '@pollux/model';
import { Engine, QueryError } from '@pollux/promql';
import { MemoryBudget, NO_HINTS, type Queryable, type RawSource } from '@pollux/storage';
import { Log, Registry } from '@pollux/telemetry';
import { Tsdb } from '@pollux/tsdb';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ALL_FEATURES, arbitraryQuery } from '../../../promql/src/testing/arbitrary-query.ts';
import { addOddSeries, type OddSample } from '../../../promql/src/testing/odd-series.ts';
import { openQueryWorkers } from '../runtime/query-workers.ts';
import { SERVER_QUERY } from './server-query.worker.ts';

const MINUTE = 60_000;
/** The odd series begin here, so that blocks are cut from some of them. */
const T0 = 1_700_006_400_000;

/** Range queries that threads share. */
const SPLIT = [
  'g',
  'h',
  'mixed',
  'sum(rate(c_total[1m]))',
  'odd',
  'max by (job) (b_bucket)',
  'rate(h[2m])',
];

type Given = { readonly labels: Labels; readonly sample: OddSample };

const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'pollux-query-workers-'));
const env = nodeEnv();
let db: Tsdb;

/** The odd series in blocks and head, in order and late, floats and histograms, with deletions in all of them. */
beforeAll(async () => {
  const all: Given[] = [];
  addOddSeries((labels, sample) => all.push({ labels, sample }));
  all.sort((a, b) => a.sample.timestampMs - b.sample.timestampMs);
  const options = {
    minBlockDurationMs: 5 * MINUTE,
    retentionMs: 0,
    outOfOrderWindowMs: 10 * MINUTE,
  };
  const common = { directory, log: Log.silent(), registry: new Registry() };
  db = await Tsdb.open({ ...common, env: { ...env, clock: new VirtualClock() }, options });
  // Every fifth comes five minutes late.
  const isLate = ({ sample }: Given, at: number): boolean =>
    at % 5 === 0 && sample.timestampMs > 5 * MINUTE;
  for (const one of all.filter((given, at) => !isLate(given, at))) await append(one);
  for (const one of all.filter(isLate)) await append(one);
  const deletes = (fromMs: number, toMs: number, name: string): Promise<void> =>
    db.deleteSamples({ minMs: T0 + fromMs, maxMs: T0 + toMs }, [Matcher.metric(name)]);
  await db.tick();
  const blocks = fs.readdirSync(directory).filter((name) => /^[0-9A-Z]{26}$/.test(name));
  expect(blocks.length).toBeGreaterThan(1);
  await deletes(3 * MINUTE, 4 * MINUTE, 'g');
  await deletes(9 * MINUTE, 11 * MINUTE, 'h');
  await deletes(12 * MINUTE, 13 * MINUTE, 'g');
}, 30_000);
afterAll(async () => {
  await db.close();
  fs.rmSync(directory, { recursive: true, force: true });
});

async function append({ labels, sample }: Given): Promise<void> {
  const appender = db.appender();
  const ref = appender.series(labels);
  const timestampMs = T0 + sample.timestampMs;
  if (sample.histogram !== undefined)
    appender.appendHistogram(ref, timestampMs, sample.histogram, 0);
  else {
    const values = Float64Array.of(sample.value);
    if (sample.isStale === true) setStaleAt(wordsOf(values), 0);
    const refs = Uint32Array.of(ref);
    appender.appendFloats(refs, Float64Array.of(timestampMs), values, null, 1, new Uint8Array(1));
  }
  await appender.commit();
}

/** Counts the selections that go to the worker undecoded. */
class Watched implements Queryable {
  raw = 0;
  readonly select = (...args: Parameters<Queryable['select']>) => db.select(...args);
  readonly labelNames = (...args: Parameters<Queryable['labelNames']>) => db.labelNames(...args);
  readonly labelValues = (...args: Parameters<Queryable['labelValues']>) => db.labelValues(...args);
  selectRaw(...args: Parameters<Tsdb['selectRaw']>): RawSource | null {
    const source = db.selectRaw(...args);
    if (source !== null) this.raw++;
    return source;
  }
}

/** Says that it has so many series that queries are split. */
class Crowded extends Watched {
  readonly likelySeries = (): number => 1e6;
}

async function seen(engine: Engine, request: Parameters<Engine['encoded']>[0]): Promise<object> {
  try {
    const { body, annotations, stats } = await engine.encoded(request);
    const { totalQueryableSamples, peakSamples } = stats;
    const text = body.kind === 'whole' ? Buffer.concat(body.pieces).toString() : '';
    return { text, annotations, totalQueryableSamples, peakSamples };
  } catch (error) {
    if (!(error instanceof QueryError)) throw error;
    return { kind: error.kind, message: error.message };
  }
}

describe.each([
  ['threads', () => new NodeWorkers()],
  ['workers in this thread', () => new InlineWorkers(env)],
] as const)('a server with %s for queries', (_, workersOf: () => Workers) => {
  it('answers from head, blocks and late samples as without them', async () => {
    const registry = new Registry();
    const log = Log.silent();
    const workers = openQueryWorkers(
      { env: { ...env, workers: workersOf() }, log, registry },
      SERVER_QUERY,
      2,
    )!;
    const limits = { timeoutMs: 300, maxSamples: 20_000, maxMemoryBytes: 8_000_000 };
    const common = { clock: env.clock, log, features: ALL_FEATURES, ...limits };
    const here = new Engine({ ...common, registry: new Registry() });
    const there = new Engine({ ...common, registry, workers });
    const queryable = new Watched();
    let compared = 0;
    let filled = 0;
    const compare = async (request: Parameters<Engine['encoded']>[0]): Promise<void> => {
      const [a, b] = [await seen(here, request), await seen(there, request)];
      if ([a, b].some((one) => 'kind' in one && one.kind === 'timeout')) return;
      expect(b).toEqual(a);
      compared++;
      if ('text' in a && /"values?":|"histograms?":/.test(String(a.text))) filled++;
    };
    const selectors = ['g', 'h', 'nhcb', 'mixed', 'odd', 'c_total', '{__name__=~".+"}'];
    try {
      for (const selector of selectors) {
        for (const query of [`${selector}[25m]`, `count_over_time(${selector}[3m])`]) {
          await compare({ query, queryable, limit: 0, timeMs: T0 + 20 * MINUTE });
        }
      }
      const fixed = fc.sample(arbitraryQuery, { numRuns: 80, seed: 7 });
      for (const query of fixed) {
        await compare({ query, queryable, limit: 0, timeMs: T0 + 10 * MINUTE });
        const times = { startMs: T0 + 2 * MINUTE, endMs: T0 + 18 * MINUTE, stepMs: MINUTE };
        await compare({ query, queryable, limit: 0, ...times });
      }
      const crowded = new Crowded();
      // None of these may be cut short, however busy the machine is.
      const patient = { ...common, timeoutMs: 20_000 };
      const patientHere = new Engine({ ...patient, registry: new Registry() });
      const patientThere = new Engine({ ...patient, registry: new Registry(), workers });
      // Shares go to threads that are there: two queries at once start two.
      const plain = { query: 'g', queryable, limit: 0, timeMs: T0 + 10 * MINUTE };
      await Promise.all([seen(patientThere, plain), seen(patientThere, plain)]);
      for (const query of SPLIT) {
        const times = { startMs: T0 + 2 * MINUTE, endMs: T0 + 18 * MINUTE, stepMs: 10_000 };
        const asked = { query, queryable: crowded, limit: 0, ...times };
        const [a, b] = [await seen(patientHere, asked), await seen(patientThere, asked)];
        // What the shares hold together is less exact.
        expect({ ...b, peakSamples: 0 }).toEqual({ ...a, peakSamples: 0 });
      }
      expect(crowded.raw).toBeGreaterThanOrEqual(2 * SPLIT.length);
    } finally {
      await workers.close();
    }
    expect(compared).toBeGreaterThan(120);
    expect(filled).toBeGreaterThan(40);
    expect(queryable.raw).toBeGreaterThan(60);
  }, 60_000);
});

it('the bound on series holds for the head and with blocks, and none is told of too many samples', async () => {
  const context = { signal: new AbortController().signal, budget: MemoryBudget.unlimited() };
  for (const [name, job] of [
    ['g', 'a'],
    ['g', 'new'],
    ['mixed', 'a'],
  ] as const) {
    const sample = { timestampMs: 24 * MINUTE, value: 1 };
    await append({ labels: Labels.from({ __name__: name, job }), sample });
  }
  const newest = { minMs: T0 + 23 * MINUTE, maxMs: T0 + 25 * MINUTE };
  const matcherSets = [
    [Matcher.metric('g')],
    [Matcher.metric('mixed'), new Matcher('job', '=', 'a')],
    [new Matcher('__name__', '=~', '.+')],
    [Matcher.metric('g'), new Matcher('nowhere', '=', '')],
    [Matcher.metric('nothing')],
  ];
  let found = 0;
  for (const matchers of matcherSets) {
    const request = { range: newest, matchers, hints: NO_HINTS, sorted: true };
    const source = db.select(request, context);
    let series = 0;
    for (let batch = await source.next(); batch !== null; batch = await source.next()) {
      series += batch.length;
    }
    const size = db.sizeAtMost(newest, matchers, 1e6);
    expect(size?.series).toBeGreaterThanOrEqual(series);
    const older = db.sizeAtMost({ ...newest, minMs: T0 }, matchers, 1e6);
    // Only of a label with one value is known how many series of a block have it.
    if (matchers.some(({ operator }) => operator === '=')) {
      expect(older?.series).toBeGreaterThanOrEqual(size?.series ?? 0);
      expect(older?.samples).toBeGreaterThanOrEqual(size?.samples ?? 0);
    } else expect(older).toBeNull();
    if (series > 0) expect(db.sizeAtMost(newest, matchers, 0)).toBeNull();
    found += series;
  }
  expect(found).toBeGreaterThan(5);
  expect(db.sizeAtMost(newest, [Matcher.metric('nothing')], 10)?.series).toBe(0);
});
