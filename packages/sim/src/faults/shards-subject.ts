import { ByteWriter } from '@pollux/base';
import { Labels } from '@pollux/model';
import { ShardStore } from '@pollux/shards';
import {
  ALL_TIME,
  type PointColumns,
  type SampleColumns,
  type SampleRules,
  type WriteTarget,
} from '@pollux/storage';
import { Registry } from '@pollux/telemetry';
import type { FaultSubject, Step } from './fault-run.ts';
import type { FaultWorld } from './fault-world.ts';
import type { Contents, Offer, SampleAt } from './sample-ledger.ts';

const HOUR_MS = 3_600_000;
/** The first sample: a multiple of a day. */
const T0 = 1_700_006_400_000;
export const TARGET: WriteTarget = {
  database: 'db',
  retentionPolicy: 'rp',
  groupDurationMs: HOUR_MS,
  oldestMs: null,
};
const RULES: SampleRules = { replicaLabels: ['replica'], reservedTag: 'time' };
const OTHER: WriteTarget = { ...TARGET, database: 'doomed' };

/**
 * The store's engine under a script that writes, overwrites, flushes, merges files, deletes rows, expires and drops shard
 * groups and restarts. It promises the disk before it acknowledges, so its ledger is always that of a power cut.
 */
export function shardsSubject(walDirectory: string | null = null): FaultSubject<ShardStore> {
  return {
    name: `store's engine${walDirectory === null ? '' : ' with its logs elsewhere'}`,
    open: ({ env, log }) =>
      ShardStore.open({ env, log, registry: new Registry(), directory: '/data', walDirectory }),
    close: (store) => store.close(),
    recover: async (store, world) => {
      // A flush that failed is tried again.
      await store.flush();
      await write(store, world, { target: TARGET, hour: 0, fromMs: 900_000, series: [0] });
    },
    read: async (store) => contentsOf(store),
    script: script(),
  };
}

function script(): Step<ShardStore>[] {
  const few = [0, 1, 2];
  const many = Array.from({ length: 10 }, (_, i) => i);
  const append = (hour: number, fromMs: number, series: readonly number[], target = TARGET) =>
    step(`write hour ${hour} from ${fromMs}`, (store, world) =>
      write(store, world, { target, hour, fromMs, series }),
    );
  const flush = step('flush', (store) => store.flush());
  const steps: Step<ShardStore>[] = [
    append(0, 0, few),
    append(0, 10_000, many),
    append(1, 0, few),
    // The same times once more: the last write wins.
    append(0, 5_000, few),
    step('long tags', (store, world) =>
      write(store, world, {
        target: TARGET,
        hour: 1,
        fromMs: 20_000,
        series: [90, 91],
        padding: 9_000,
      }),
    ),
    step('together', async (store, world) => {
      await Promise.all([
        write(store, world, { target: TARGET, hour: 0, fromMs: 30_000, series: few }),
        write(store, world, { target: TARGET, hour: 2, fromMs: 0, series: many }),
        write(store, world, { target: OTHER, hour: 0, fromMs: 0, series: few }),
      ]);
    }),
    describe(TARGET, 'one'),
    describe(OTHER, 'one'),
    flush,
    append(0, 15_000, few),
    step('flush while writing', async (store, world) => {
      const flushing = store.flush();
      const writing = write(store, world, {
        target: TARGET,
        hour: 0,
        fromMs: 40_000,
        series: many,
      });
      const outcomes = await Promise.allSettled([flushing, writing]);
      for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
    }),
    remove(0, 1, 5_000, 20_000),
    append(0, 50_000, few),
    flush,
    append(0, 60_000, few),
    flush,
    append(0, 70_000, many),
    flush,
    { name: 'restart', run: 'restart' },
    describe(TARGET, 'two'),
    append(1, 50_000, many),
    remove(1, 2, 0, 60_000),
    step('expire', async (store, { ledger }) => {
      const endMs = T0 + HOUR_MS;
      const covers = (series: string, timeMs: number): boolean =>
        series.startsWith('db ') && timeMs < endMs;
      ledger.offerDeletion(covers);
      await store.expire('db', 'rp', endMs);
      ledger.acknowledgeDeletion(covers, true);
    }),
    append(2, 20_000, many),
    step('drop', async (store, { ledger }) => {
      const covers = (series: string): boolean => /^(metadata )?doomed /.test(series);
      ledger.offerDeletion(covers);
      await store.dropDatabase('doomed');
      ledger.acknowledgeDeletion(covers, true);
    }),
    append(3, 0, few),
    append(0, 100_000, few),
    { name: 'restart', run: 'restart' },
    append(3, 30_000, few),
    flush,
  ];
  return steps;
}

function step(
  name: string,
  run: (store: ShardStore, world: FaultWorld) => Promise<void>,
): Step<ShardStore> {
  return { name, run };
}

function remove(hour: number, index: number, fromMs: number, toMs: number): Step<ShardStore> {
  return step('delete', async (store, { ledger }) => {
    const minMs = T0 + hour * HOUR_MS + fromMs;
    const maxMs = T0 + hour * HOUR_MS + toMs;
    const series = seriesKey('db', tagsOf(index, 0));
    const covers = (of: string, timeMs: number): boolean =>
      of === series && timeMs >= minMs && timeMs <= maxMs;
    ledger.offerDeletion(covers);
    await store.deleteRows('db', (_, tags) => tags.get('i') === String(index), {
      minMs,
      minNanos: 0,
      maxMs,
      maxNanos: 999_999,
    });
    ledger.acknowledgeDeletion(covers, true);
  });
}

/** Metadata counts as a series for each text, with one sample. */
function describe({ database, retentionPolicy }: WriteTarget, help: string): Step<ShardStore> {
  return step(`describe ${database} ${help}`, async (store, { ledger }) => {
    const rows = ['m', 'n'].map((name) => ({ name, type: 'gauge' as const, help, unit: '' }));
    const offers = rows.map(({ name }) => described(database, name, help));
    ledger.offer(offers);
    await store.writeMetadata(database, retentionPolicy, rows);
    ledger.acknowledge(offers, true);
  });
}

function described(database: string, name: string, help: string): Offer {
  return { series: `metadata ${database} ${name} ${help}`, timeMs: 0, value: help };
}

type Batch = {
  readonly target: WriteTarget;
  readonly hour: number;
  readonly fromMs: number;
  readonly series: readonly number[];
  readonly padding?: number;
};

export async function write(
  store: ShardStore,
  { ledger }: FaultWorld,
  batch: Batch,
): Promise<void> {
  const { target, hour, fromMs, series, padding = 0 } = batch;
  const offers: Offer[] = [];
  const rows: { tags: Labels; timeMs: number; value: number }[] = [];
  for (const index of series) {
    for (let i = 0; i < 4; i++) {
      const timeMs = T0 + hour * HOUR_MS + fromMs + i * 2_500;
      const value = fromMs * 1_000 + index * 10 + i;
      const tags = tagsOf(index, padding);
      rows.push({ tags, timeMs, value });
      offers.push({ series: seriesKey(target.database, tags), timeMs, value: String(value) });
    }
  }
  ledger.offer(offers);
  // By turns in the two ways that there are, to the same series.
  if (fromMs % 20_000 < 10_000) await store.write(target, columnsOf(rows));
  else await (await store.placeSamples(() => target, samplesOf(rows), RULES)).commit();
  ledger.acknowledge(offers, true);
}

function tagsOf(index: number, padding: number): Labels {
  return Labels.from({
    __name__: 'm',
    i: String(index),
    ...(padding > 0 ? { padding: 'x'.repeat(padding) } : {}),
  });
}

function seriesKey(database: string, tags: Labels): string {
  return `${database} ${tags}`;
}

type Row = { readonly tags: Labels; readonly timeMs: number; readonly value: number };

function columnsOf(rows: readonly Row[]): PointColumns {
  return {
    count: rows.length,
    series: rows.map(({ tags }) => ({ measurement: 'm', tags, replica: '' })),
    fields: [{ name: 'value', kind: 'float' }],
    seriesOf: Uint32Array.from(rows, (_, i) => i),
    fieldOf: new Uint32Array(rows.length),
    timesMs: Float64Array.from(rows, ({ timeMs }) => timeMs),
    nanos: null,
    cells: Float64Array.from(rows, ({ value }) => value),
    texts: [],
    pointOf: null,
  };
}

/** The rows as a remote write brings them, each with a series of its own; equal labels have equal numbers. */
function samplesOf(rows: readonly Row[]): SampleColumns {
  const data = new ByteWriter();
  const spans = rows.map(({ tags }) =>
    [...tags].flat().flatMap((text) => {
      const start = data.size;
      data.text(text);
      return [start, data.size];
    }),
  );
  return {
    numbers: Uint32Array.from(
      rows,
      ({ tags }) => Number(tags.get('i')) * 2 + (tags.has('padding') ? 2 : 1),
    ),
    numbering: RULES,
    labelData: data.take(),
    spansOf: (series, target) => {
      target.set(spans[series]!);
      return spans[series]!.length / 4;
    },
    labelsOf: (series) => rows[series]!.tags,
    sampleCount: rows.length,
    sampleSeries: Uint32Array.from(rows, (_, i) => i),
    timestampsMs: Float64Array.from(rows, ({ timeMs }) => timeMs),
    values: Float64Array.from(rows, ({ value }) => value),
    histograms: [],
    exemplars: [],
  };
}

/** All that the store answers. */
export function contentsOf(store: ShardStore): Contents {
  const contents = new Map<string, SampleAt[]>();
  for (const { database } of [TARGET, OTHER]) {
    for (const [name, { help }] of store.metadata(database, 'rp')) {
      const { series, ...sample } = described(database, name, help);
      contents.set(series, [...(contents.get(series) ?? []), sample]);
    }
    const view = store.view(database, 'rp', ALL_TIME);
    try {
      for (const measurement of view.measurements()) {
        for (const series of view.series(measurement)) {
          for (const { data } of view.read(series, 'value', 'float')) {
            const key = seriesKey(database, series.tags);
            const samples = contents.get(key) ?? [];
            for (let i = 0; i < data.count; i++) {
              samples.push({ timeMs: data.timesMs[i]!, value: String(data.cells[i]) });
            }
            contents.set(key, samples);
          }
        }
      }
    } finally {
      view.release();
    }
  }
  return { series: contents, isPartial: false };
}
