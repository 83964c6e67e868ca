import { VirtualClock } from '@pollux/base';
import { type Labels, setStaleAt, wordsOf } from '@pollux/model';
import { Engine, writeResultJson } from '@pollux/promql';
import type { Queryable } from '@pollux/storage';
import { Log, Registry } from '@pollux/telemetry';
import type { Tsdb } from '@pollux/tsdb';
import * as fc from 'fast-check';
import { expect } from 'vitest';

export const MINUTE_MS = 60_000;
export const START_MS = 1_700_006_400_000;
export const SPAN_MS = 40 * MINUTE_MS;
export const BLOCK_MS = 5 * MINUTE_MS;

export type Sample = {
  readonly timestampMs: number;
  readonly value: number;
  readonly isStale?: boolean;
};

/** Scrapes with gaps, some exactly on bucket edges. */
export const steps = fc.array(
  fc.record({
    gapMs: fc.oneof(
      { weight: 6, arbitrary: fc.integer({ min: 1, max: 20_000 }) },
      { weight: 1, arbitrary: fc.integer({ min: 20_000, max: 400_000 }) },
    ),
    onEdge: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
    kind: fc.oneof(
      { weight: 12, arbitrary: fc.constant('grow' as const) },
      { weight: 2, arbitrary: fc.constant('reset' as const) },
      { weight: 1, arbitrary: fc.constantFrom('nan' as const, 'stale' as const) },
      { weight: 1, arbitrary: fc.constantFrom('any' as const, 'stale' as const) },
    ),
    amount: fc.double({ min: 0, max: 1000, noNaN: true }),
  }),
  { minLength: 20, maxLength: 250 },
);

export const rare = fc.constantFrom(Infinity, -Infinity, -5, 1e9);

export function samplesOf(
  shape: (typeof steps extends fc.Arbitrary<infer T> ? T : never) | readonly never[],
  odd: number,
): Sample[] {
  const samples: Sample[] = [];
  let timestampMs = START_MS;
  let value = 0;
  for (const { gapMs, onEdge, kind, amount } of shape) {
    const next = timestampMs + gapMs;
    timestampMs = onEdge ? Math.ceil(next / MINUTE_MS) * MINUTE_MS : next;
    if (timestampMs >= START_MS + SPAN_MS) break;
    if (kind === 'grow') value += amount;
    else if (kind === 'reset') value = amount / 100;
    if (kind === 'stale') samples.push({ timestampMs, value: 0, isStale: true });
    else if (kind === 'nan') samples.push({ timestampMs, value: Number.NaN });
    else samples.push({ timestampMs, value: kind === 'any' ? odd : value });
  }
  return samples;
}

/** A series that only makes time go on, so that the head moves to blocks. */
export function clockSamples(): Sample[] {
  const samples: Sample[] = [];
  for (let at = START_MS; at < START_MS + SPAN_MS + 4 * BLOCK_MS; at += 15_000) {
    samples.push({ timestampMs: at, value: at / 1e6 });
  }
  return samples;
}

export async function fill(db: Tsdb, all: ReadonlyMap<Labels, readonly Sample[]>): Promise<void> {
  const rows = [...all].flatMap(([labels, samples]) =>
    samples.map((sample) => ({ labels, ...sample })),
  );
  rows.sort((a, b) => a.timestampMs - b.timestampMs);
  for (let from = 0; from < rows.length; ) {
    const untilMs = rows[from]!.timestampMs + BLOCK_MS;
    let to = from;
    while (to < rows.length && rows[to]!.timestampMs < untilMs) to++;
    const batch = rows.slice(from, to);
    const appender = db.appender();
    const refs = Uint32Array.from(batch, ({ labels }) => appender.series(labels));
    const times = Float64Array.from(batch, ({ timestampMs }) => timestampMs);
    const values = new Float64Array(batch.length);
    for (const [i, { value, isStale }] of batch.entries()) {
      if (isStale) setStaleAt(wordsOf(values), i);
      else values[i] = value;
    }
    const outcomes = new Uint8Array(batch.length);
    appender.appendFloats(refs, times, values, null, batch.length, outcomes);
    expect([...new Set(outcomes)]).toEqual([0]);
    await appender.commit();
    await db.tick();
    from = to;
  }
  for (let i = 0; i < 3; i++) await db.tick();
}

type Matrix = Map<string, Map<number, number>>;

export async function matrixOf(
  queryable: Queryable,
  query: string,
  stepMs: number,
): Promise<Matrix> {
  const engine = new Engine({
    clock: new VirtualClock(),
    registry: new Registry(),
    log: Log.silent(),
  });
  const startMs = START_MS + 5 * MINUTE_MS;
  const endMs = START_MS + SPAN_MS;
  const { result } = await engine.range({ query, queryable, startMs, endMs, stepMs });
  const pieces: Uint8Array[] = [];
  writeResultJson(result, { write: (piece) => void pieces.push(piece) });
  const parsed = JSON.parse(Buffer.concat(pieces).toString()) as {
    readonly result: readonly { metric: object; values: readonly [number, string][] }[];
  };
  return new Map(
    parsed.result.map(({ metric, values }) => [
      JSON.stringify(metric),
      new Map(values.map(([time, text]) => [time, Number(text.replace('Inf', 'Infinity'))])),
    ]),
  );
}

export function expectEqual(actual: Matrix, expected: Matrix, scale: number, query: string): void {
  expect([...actual.keys()], query).toEqual([...expected.keys()]);
  for (const [series, cells] of expected) {
    const own = actual.get(series)!;
    expect([...own.keys()], `${query} ${series}`).toEqual([...cells.keys()]);
    for (const [time, value] of cells) {
      const got = own.get(time)!;
      if (Object.is(got, value) || got === value) continue;
      expect(query, `${series} at ${time}: ${got} for ${value}`).toMatch(SUMS);
      const error = Math.abs(got - value) / Math.max(scale, Math.abs(value));
      expect(error, `${query} ${series} at ${time}: ${got} for ${value}`).toBeLessThan(1e-12);
    }
  }
}

/** Where the order of additions shows; all other answers are the same number. */
const SUMS = /^(?:avg_over_time|sum_over_time|rate|increase|delta)\(/;

const FUNCTIONS = [
  'avg_over_time',
  'count_over_time',
  'delta',
  'increase',
  'last_over_time',
  'max_over_time',
  'min_over_time',
  'present_over_time',
  'rate',
  'sum_over_time',
];

export const QUERIES = FUNCTIONS.flatMap((name) => [
  { query: `${name}(s_total[1m])`, stepMs: MINUTE_MS },
  { query: `${name}(s_total[5m] offset 1m)`, stepMs: 3 * MINUTE_MS },
  { query: `${name}(s_total[10m])`, stepMs: MINUTE_MS },
  { query: `${name}(s_total[7m] @ end())`, stepMs: MINUTE_MS },
]);
