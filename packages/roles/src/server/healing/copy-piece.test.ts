import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { SeededRandom, VirtualClock } from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import { Labels, Matcher } from '@pollux/model';
import { Engine } from '@pollux/promql';
import { ChunkedResponseReader, ChunkFrameWriter } from '@pollux/remote';
import {
  type HealingPlan,
  isSameHistogram,
  MemoryBudget,
  NO_HINTS,
  type SeriesColumns,
  type TimeRange,
} from '@pollux/storage';
import { Log, Registry } from '@pollux/telemetry';
import { DEFAULT_TSDB_OPTIONS, Tsdb } from '@pollux/tsdb';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { HistogramSource } from '../../../../tsdb/src/testing/histograms.ts';
import { PieceCopy } from './copy-piece.ts';
import type { Twin } from './twin.ts';

const BLOCK_MS = 7_200_000;
const START_MS = 1_700_006_400_000;
const STEP_MS = 15_000;
const STEPS = 400;
const END_MS = START_MS + STEPS * STEP_MS;
const EXTERNAL = Labels.from({ prometheus_replica: 'b' });
const ALL: TimeRange = { minMs: START_MS, maxMs: END_MS };
const EVERY = [new Matcher('__name__', '=~', '.+')];

let directory: string;
const open: Tsdb[] = [];
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'pollux-copy-'));
});
afterEach(async () => {
  for (const db of open.splice(0)) await db.close();
  fs.rmSync(directory, { recursive: true });
});

async function opened(name: string): Promise<Tsdb> {
  const env = { ...nodeEnv(), clock: new VirtualClock() };
  const options = { ...DEFAULT_TSDB_OPTIONS, retentionMs: 0, fsync: 'none' as const };
  const common = { env, log: Log.silent(), registry: new Registry(), options };
  const db = await Tsdb.open({ ...common, directory: path.join(directory, name) });
  open.push(db);
  return db;
}

const KINDS = {
  counter: { isInteger: true },
  floats: { isInteger: false },
  gauge: { isInteger: true, isGauge: true },
  custom: { isInteger: true, isCustom: true },
} as const;

/** Counters that start again, gauges, custom buckets, stale markers, and a series that changes from floats to histograms and back. */
async function fill(db: Tsdb): Promise<void> {
  const random = new SeededRandom(7);
  const sources = Object.entries(KINDS).map(([kind, how]) => ({
    labels: Labels.from({ __name__: 'h', kind }),
    source: new HistogramSource(random, how),
  }));
  const mixed = { labels: Labels.from({ __name__: 'mixed' }), source: sources[0]!.source };
  const plain = Labels.from({ __name__: 'plain' });
  for (let step = 0; step < STEPS; step++) {
    const timeMs = START_MS + step * STEP_MS;
    const appender = db.appender();
    for (const { labels, source } of sources)
      appender.appendHistogram(appender.series(labels), timeMs, source.next(), 0);
    const isFloat = step % 100 < 50;
    if (!isFloat)
      appender.appendHistogram(appender.series(mixed.labels), timeMs, mixed.source.next(), 0);
    for (const labels of isFloat ? [plain, mixed.labels] : [plain]) {
      const refs = Uint32Array.of(appender.series(labels));
      const values = Float64Array.of(step);
      const outcomes = new Uint8Array(1);
      appender.appendFloats(refs, Float64Array.of(timeMs), values, null, 1, outcomes);
    }
    await appender.commit();
  }
}

/** As a server streams its samples, external labels added. */
function twinOf(db: Tsdb): Pick<Twin, 'read'> {
  return {
    read: async (range) => {
      const context = { signal: new AbortController().signal, budget: new MemoryBudget(1e9) };
      const request = { range, matchers: EVERY, hints: NO_HINTS, sorted: true };
      const writer = new ChunkFrameWriter(0);
      const source = db.selectChunks(request, context);
      if (source === null) throw new Error('the twin has no chunks');
      const sink = {
        begin: (labels: Labels) => writer.begin(Labels.from([...labels, ...EXTERNAL])),
        chunk: writer.chunk.bind(writer),
        samples: writer.samples.bind(writer),
        end: writer.end.bind(writer),
      };
      while (await source.next(sink));
      const reader = new ChunkedResponseReader();
      for (const frame of writer.finish()) reader.push(frame);
      reader.end();
      return reader.take();
    },
  };
}

/** Gives how many samples were read. */
async function copy(from: Tsdb, to: Tsdb, signal = new AbortController().signal): Promise<number> {
  const plan: HealingPlan = {
    twin: 'b',
    common: [{ startMs: START_MS + 600_000, endMs: END_MS - 600_000 }],
    subjects: [],
    seams: [],
  };
  let samples = 0;
  const seams = await new PieceCopy(twinOf(from), plan, EXTERNAL, {
    env: nodeEnv(),
    own: to,
    directory: path.join(directory, 'a'),
    blockRangeMs: BLOCK_MS,
    guardMs: 1_000,
    samplesPerSecond: 1e9,
    signal,
    onSamples: (count) => {
      samples += count;
    },
    adopt: (at) => to.adoptBlock(at, signal),
  }).run();
  expect(seams).toEqual([]);
  return samples;
}

async function held(db: Tsdb): Promise<Map<string, SeriesColumns>> {
  const context = { signal: new AbortController().signal, budget: new MemoryBudget(1e9) };
  const source = db.select({ range: ALL, matchers: EVERY, hints: NO_HINTS, sorted: true }, context);
  const found = new Map<string, SeriesColumns>();
  for (let batch = await source.next(); batch !== null; batch = await source.next())
    for (const columns of batch) found.set(String(columns.labels), columns);
  return found;
}

it('copies native histograms of all kinds, with their resets, once', async () => {
  const [twin, own] = [await opened('b'), await opened('a')];
  await fill(twin);
  expect(await copy(twin, own)).toBeGreaterThan(5 * 300);
  const [given, got] = [await held(twin), await held(own)];
  expect([...got.keys()]).toEqual([...given.keys()]);
  for (const [name, columns] of got) {
    const twins = given.get(name)!;
    expect(columns.count, name).toBe(STEPS - 80);
    for (let i = 0; i < columns.count; i++) {
      const at = i + 40;
      expect(columns.timestampsMs[i]).toBe(twins.timestampsMs[at]);
      const [a, b] = [columns.histograms?.[i] ?? null, twins.histograms?.[at] ?? null];
      expect(a === null, `${name} ${i}`).toBe(b === null);
      if (a !== null && b !== null) expect(isSameHistogram(a, b), `${name} ${i}`).toBe(true);
      else expect(columns.values[i]).toBe(twins.values[at]);
    }
  }

  const log = Log.silent();
  const clock = nodeEnv().clock;
  const engine = new Engine({ clock, log, registry: new Registry() });
  const asked = {
    startMs: START_MS + 1_200_000,
    endMs: END_MS - 660_000,
    stepMs: 30_000,
    limit: 0,
  };
  for (const query of ['rate(h[5m])', 'resets(h[5m])', 'histogram_count(h)', 'delta(h[2m])']) {
    const answers: string[] = [];
    for (const queryable of [twin, own]) {
      const { body } = await engine.encoded({ ...asked, query, queryable });
      answers.push(body.kind === 'whole' ? Buffer.concat(body.pieces).toString() : '');
    }
    expect(answers[0]!.length).toBeGreaterThan(1_000);
    expect(answers[1], query).toBe(answers[0]);
  }

  // Copied anew, as after a copy that was broken off behind its blocks: nothing comes twice, and nothing is foreign.
  const blocks = (): number =>
    fs.readdirSync(path.join(directory, 'a')).filter((name) => name.length === 26).length;
  const before = blocks();
  await copy(twin, own);
  expect(blocks()).toBe(before);
});
