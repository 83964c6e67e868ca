import { NodeFiles, nodeEnv } from '@pollux/base/node';
import { type Exemplar, type FloatHistogram, Labels, Matcher } from '@pollux/model';
import { ALL_TIME, MemoryBudget, type SampleColumns, type SampleRules } from '@pollux/storage';
import { Registry } from '@pollux/telemetry';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ShardClosedError, ShardQueryable, type ShardStore } from '../index.ts';
import { StoreDirectory } from '../testing/store-directory.ts';

const DAY = 86_400_000;
const TARGET = {
  database: 'db',
  retentionPolicy: 'rp',
  groupDurationMs: DAY,
  oldestMs: null,
};
const RULES: SampleRules = { replicaLabels: ['replica'], reservedTag: 'time' };
const NUMBERING = {};

/** One sample of the value 1 for each label set, and how often labels were read. */
function samplesOf(
  sets: readonly Record<string, string>[],
  ms: number,
): SampleColumns & { readonly reads: { count: number } } {
  const labels = sets.map((set) => Labels.from(set));
  const texts: Buffer[] = [];
  const offsets = labels.map((set) => {
    const ends: number[] = [];
    for (const pair of set) {
      for (const text of pair) {
        ends.push(Buffer.concat(texts).length);
        texts.push(Buffer.from(text));
        ends.push(Buffer.concat(texts).length);
      }
    }
    return ends;
  });
  const reads = { count: 0 };
  return {
    reads,
    numbers: Uint32Array.from(sets, (set) => Number(set.number)),
    numbering: NUMBERING,
    labelData: Buffer.concat(texts),
    spansOf: (series, spans) => {
      reads.count++;
      spans.set(offsets[series]!);
      return labels[series]!.size;
    },
    labelsOf: (series) => {
      reads.count++;
      return labels[series]!;
    },
    sampleCount: sets.length,
    sampleSeries: Uint32Array.from(sets, (_, i) => i),
    timestampsMs: new Float64Array(sets.length).fill(ms),
    values: new Float64Array(sets.length).fill(1),
    histograms: [],
    exemplars: [],
  };
}

describe('samples by the numbers of their series', () => {
  let directory: StoreDirectory;
  let store: ShardStore;
  beforeEach(async () => {
    directory = new StoreDirectory();
    store = await directory.open();
  });
  afterEach(() => directory.remove());

  const place = (samples: SampleColumns) => store.placeSamples(() => TARGET, samples, RULES);

  /** `measurement{tags} replica: times`. */
  function dump(): string[] {
    const view = store.view('db', 'rp', ALL_TIME);
    const lines = view
      .measurements()
      .flatMap((measurement) =>
        view
          .series(measurement)
          .flatMap((series) =>
            view
              .read(series, 'value', 'float')
              .map(
                ({ replica, data }) =>
                  `${series.tags.toMetricString()} ${replica}: ${data.timesMs.subarray(0, data.count)}`,
              ),
          ),
      );
    view.release();
    return lines;
  }

  it('are stored without a look at labels that their shard group has met', async () => {
    const sets = [
      { __name__: 'm', number: '1', replica: 'A' },
      { __name__: 'm', number: '2', replica: 'A' },
    ];
    const first = samplesOf(sets, 1);
    await (await place(first)).commit();
    expect(first.reads.count).toBeGreaterThan(0);
    const second = samplesOf([...sets].reverse(), 2);
    await (await place(second)).commit();
    expect(second.reads.count).toBeLessThanOrEqual(1);
    await store.flush();
    await (await place(samplesOf(sets, 3))).commit();
    const expected = ['m{number="1"} A: 1,2,3', 'm{number="2"} A: 1,2,3'];
    expect(dump()).toEqual(expected);
    await store.close();
    store = await directory.open();
    expect(dump()).toEqual(expected);
    // Numbers of another process mean nothing to this one; other numbers of the same series do it no harm.
    const renumbered = samplesOf(
      sets.map((set) => ({ ...set })),
      DAY,
    );
    await (await place({ ...renumbered, numbers: Uint32Array.of(7, 8) })).commit();
    await (await place({ ...samplesOf(sets, DAY + 1), numbering: {} })).commit();
    expect(dump()[0]).toBe(`m{number="1"} A: 1,2,3,${DAY},${DAY + 1}`);
  });

  it('are refused as a whole when one of their shard groups is dropped before the commit', async () => {
    const sets = [{ __name__: 'm', number: '1' }];
    await (await place(samplesOf(sets, 1))).commit();
    const both = samplesOf([...sets, ...sets], 2);
    both.timestampsMs[1] = DAY;
    const waiting = await place(both);
    await store.dropGroup(store.groups()[0]!.id);
    await expect(waiting.commit()).rejects.toThrow(ShardClosedError);
    expect(dump()).toEqual([]);
    await (await place(both)).commit();
    expect(dump()).toEqual([`m{number="1"} : 2,${DAY}`]);
  });

  it('reach a file though they were placed before a flush and stored after it', async () => {
    const sets = [{ __name__: 'm', number: '1' }];
    await (await place(samplesOf(sets, 1))).commit();
    const waiting = await place(samplesOf(sets, 2));
    await store.flush();
    await waiting.commit();
    expect(dump()).toEqual(['m{number="1"} : 1,2']);
    await store.flush();
    expect(dump()).toEqual(['m{number="1"} : 1,2']);
  });

  it('of several replica labels are copies by all their values, in the order of the rules', async () => {
    const rules = { replicaLabels: ['zone', 'replica'], reservedTag: 'time' };
    const sets = [
      { __name__: 'm', number: '1', replica: 'A', zone: 'z' },
      { __name__: 'm', number: '1', replica: 'A' },
    ];
    const samples = { ...samplesOf(sets, 1), numbers: Uint32Array.of(1, 2) };
    await (await store.placeSamples(() => TARGET, samples, rules)).commit();
    expect(store.watermarks().map(({ replica }) => replica)).toEqual(['z\u001fA', '\u001fA']);
    expect(dump()).toHaveLength(2);
  });

  /** A request of a float, a histogram and exemplars, of one series and of two shard groups. */
  function mixedOf(ms: number, exemplars: readonly Partial<Exemplar>[]): SampleColumns {
    const floats = samplesOf([{ __name__: 'm', number: '1', replica: 'A' }], ms);
    const histogram: FloatHistogram = {
      counterResetHint: 'unknown',
      schema: 0,
      zeroThreshold: 0,
      zeroCount: 0,
      count: 3,
      sum: 1.5,
      positiveSpans: [{ offset: 0, length: 1 }],
      negativeSpans: [],
      positiveBuckets: Float64Array.of(3),
      negativeBuckets: new Float64Array(0),
      customValues: null,
      isInteger: true,
      isStale: false,
    };
    return {
      ...floats,
      histograms: [{ series: 0, timestampMs: ms + DAY, histogram }],
      exemplars: exemplars.map((exemplar) => ({
        series: 0,
        exemplar: {
          labels: Labels.from({ trace_id: 't' }),
          value: 0.5,
          timestampMs: ms,
          ...exemplar,
        },
      })),
    };
  }

  /** `ms:value` of floats, `ms:[count]` of histograms, and exemplars with their labels. */
  async function shown(of: ShardStore): Promise<string[]> {
    const queryable = new ShardQueryable({
      store: of,
      database: 'db',
      retentionPolicy: 'rp',
      replicaLabels: ['replica'],
    });
    const range = { minMs: 0, maxMs: 100 * DAY };
    const context = {
      signal: new AbortController().signal,
      budget: MemoryBudget.unlimited(),
    };
    const matchers = [Matcher.metric('m')];
    const hints = { startMs: 0, endMs: 0, stepMs: 0, rangeMs: 0, func: '', grouping: [] };
    const request = { range, matchers, hints: { ...hints, by: false, limit: 0 }, sorted: true };
    const source = queryable.select(request, context);
    const lines: string[] = [];
    for (let batch = await source.next(); batch !== null; batch = await source.next()) {
      for (const { count, timestampsMs, values, histograms } of batch) {
        for (let i = 0; i < count; i++) {
          const histogram = histograms?.[i] ?? null;
          const value = histogram === null ? values[i] : `[${histogram.count}]`;
          lines.push(`${timestampsMs[i]}:${value}`);
        }
      }
    }
    for (const { exemplars } of await queryable.selectExemplars(range, [matchers], context)) {
      for (const { labels, value, timestampMs } of exemplars)
        lines.push(`${timestampMs}:${value} ${labels}`);
    }
    return lines;
  }

  it('are seen and kept together with the histograms and exemplars of their request, or not at all', async () => {
    let writesLeft = 0;
    class FailingFiles extends NodeFiles {
      override open(...[path, mode]: Parameters<NodeFiles['open']>): ReturnType<NodeFiles['open']> {
        const file = super.open(path, mode);
        const write = file.write.bind(file);
        file.write = (...given) => {
          if (path.endsWith('.wal') && writesLeft-- === 0) throw new Error('the disk is full');
          write(...given);
        };
        return file;
      }
    }
    const registry = new Registry();
    const failing = await directory.open({
      env: { ...nodeEnv(), files: new FailingFiles() },
      registry,
      directory: `${directory.path}/failing`,
    });
    const request = mixedOf(DAY, [{}]);
    let failures = 0;
    for (; ; failures++) {
      writesLeft = failures;
      const placed = await failing.placeSamples(() => TARGET, request, RULES);
      if (
        await placed.commit().then(
          () => true,
          () => false,
        )
      )
        break;
      expect(await shown(failing), `after a failure of write ${failures}`).toEqual([]);
    }
    expect(failures).toBeGreaterThan(1);
    const expected = [`${DAY}:1`, `${2 * DAY}:[3]`, `${DAY}:0.5 {trace_id="t"}`];
    expect(await shown(failing)).toEqual(expected);
    const batches = registry.gather().find(({ name }) => name === 'pollux_store_batches_total');
    expect(batches?.samples[0]?.value).toBe(1);
    await failing.close();
    expect(await shown(await directory.open({ directory: `${directory.path}/failing` }))).toEqual(
      expected,
    );
  });

  it('have exemplars of any value, of all replicas, each once; those that cannot be kept harm nothing', async () => {
    const target = { ...TARGET, oldestMs: DAY };
    const write = async (exemplars: readonly Partial<Exemplar>[], replica: string) => {
      const { labelsOf, ...request } = mixedOf(DAY, exemplars);
      const samples = {
        ...request,
        histograms: [],
        numbers: Uint32Array.of(replica === 'A' ? 1 : 2),
        labelsOf: (series: number) => labelsOf(series).with('replica', replica),
      };
      return (await store.placeSamples(() => target, samples, RULES)).commit();
    };
    const values = [Number.NaN, Number.NEGATIVE_INFINITY, -0];
    const outcome = await write(
      [
        ...values.map((value, i) => ({ value, timestampMs: DAY + i })),
        { timestampMs: DAY - 1 },
        { timestampMs: 1e16 },
        { labels: Labels.from({ a: 'x'.repeat(128) }), timestampMs: DAY + 9 },
      ],
      'A',
    );
    expect(outcome).toMatchObject({ expiredPoints: 0, refusedSamples: 0, conflictPoints: 0 });
    await write([{ value: 7 }, { timestampMs: DAY + 1, value: Number.NEGATIVE_INFINITY }], 'B');
    const lines = (await shown(store)).filter((line) => line.includes('trace_id'));
    expect(lines).toEqual(
      [`${DAY}:NaN`, `${DAY}:7`, `${DAY + 1}:-Infinity`, `${DAY + 2}:0`].map(
        (line) => `${line} {trace_id="t"}`,
      ),
    );
  });
});
