import { Labels } from '@pollux/model';
import { ALL_TIME, type SampleColumns, type SampleRules } from '@pollux/storage';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ShardClosedError, type ShardStore } from '../index.ts';
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
});
