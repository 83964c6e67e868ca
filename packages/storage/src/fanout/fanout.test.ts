import { CanceledError, LimitError, OperatingError } from '@pollux/base';
import { Labels, Matcher } from '@pollux/model';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type LocalAnswer,
  MemoryBudget,
  mergeQueryables,
  NO_HINTS,
  type Queryable,
  type ReadContext,
  type SeriesColumns,
  type TimeRange,
  uncoveredRanges,
  withRemotes,
} from '../index.ts';

type Content = Readonly<Record<string, Readonly<Record<number, number>>>>;

function columnsOf(name: string, samples: Readonly<Record<number, number>>, range: TimeRange) {
  const times = Object.keys(samples)
    .map(Number)
    .filter((time) => time >= range.minMs && time <= range.maxMs);
  return {
    labels: Labels.from({ __name__: name }),
    count: times.length,
    timestampsMs: Float64Array.from(times),
    values: Float64Array.from(times, (time) => samples[time]!),
    histograms: null,
    startTimestampsMs: null,
    replica: '',
  } satisfies SeriesColumns;
}

/** Holds series by name and hands them out in batches of two. */
class Held implements Queryable {
  readonly content: Content;
  readonly asked: TimeRange[] = [];
  failure: Error | null = null;

  constructor(content: Content) {
    this.content = content;
  }

  select({ range }: { range: TimeRange }) {
    this.asked.push(range);
    const names = Object.keys(this.content).sort();
    let at = 0;
    return {
      warnings: [],
      close: () => {},
      next: async (): Promise<readonly SeriesColumns[] | null> => {
        if (this.failure !== null && at >= 2) throw this.failure;
        if (at >= names.length) return null;
        const batch = names.slice(at, at + 2);
        at += 2;
        return batch.map((name) => columnsOf(name, this.content[name]!, range));
      },
    };
  }

  async selectBeside(request: { range: TimeRange }): Promise<LocalAnswer> {
    return { kind: 'samples', source: this.select(request) };
  }

  async labelNames() {
    if (this.failure !== null) throw this.failure;
    return { values: Object.keys(this.content).sort(), warnings: [] };
  }

  labelValues() {
    return this.labelNames();
  }
}

const context: ReadContext = {
  signal: new AbortController().signal,
  budget: MemoryBudget.unlimited(),
};

async function readAll(queryable: Queryable, range: TimeRange = { minMs: 0, maxMs: 1_000 }) {
  const source = queryable.select(
    { range, matchers: [Matcher.metric('x')], hints: NO_HINTS, sorted: true },
    context,
  );
  const found: Record<string, Record<number, number>> = {};
  const order: string[] = [];
  for (let batch = await source.next(); batch !== null; batch = await source.next()) {
    for (const { labels, count, timestampsMs, values } of batch) {
      order.push(labels.metricName);
      found[labels.metricName] = Object.fromEntries(
        [...timestampsMs.subarray(0, count)].map((time, i) => [time, values[i]!]),
      );
    }
  }
  return { found, order, warnings: source.warnings.map(({ text }) => text) };
}

class Refused extends OperatingError {
  constructor() {
    super('TEST.REFUSED', 'refused');
  }
}

describe('merging queryables', () => {
  it('joins series of equal labels by time, the primary winning at equal times', async () => {
    const primary = new Held({ a: { 1: 10, 3: 30 }, c: { 1: 1 } });
    const secondary = new Held({ a: { 1: 99, 2: 20 }, b: { 5: 5 } });
    const { found, order } = await readAll(mergeQueryables(primary, [secondary]));
    expect(found).toEqual({ a: { 1: 10, 2: 20, 3: 30 }, b: { 5: 5 }, c: { 1: 1 } });
    expect(order).toEqual(['a', 'b', 'c']);
  });

  it('equals the union of any contents, sorted, with the earlier source winning', async () => {
    const content = fc.dictionary(
      fc.string({ minLength: 1, maxLength: 2, unit: fc.constantFrom('a', 'b', 'c', 'z') }),
      fc.dictionary(fc.integer({ min: 0, max: 20 }).map(String), fc.integer(), { minKeys: 1 }),
      { maxKeys: 9, noNullPrototype: true },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(content, { minLength: 1, maxLength: 4 }), async (contents) => {
        const [first, ...rest] = contents.map((one) => new Held(one));
        const { found, order } = await readAll(mergeQueryables(first!, rest));
        const expected: Record<string, Record<number, number>> = {};
        for (const one of [...contents].reverse()) {
          for (const [name, samples] of Object.entries(one)) {
            expected[name] = { ...expected[name], ...samples };
          }
        }
        expect(found).toEqual(expected);
        expect(order).toEqual(Object.keys(expected).sort());
      }),
      { numRuns: 60 },
    );
  });

  it('warns of a failing secondary and keeps what it had given', async () => {
    const primary = new Held({ a: { 1: 1 } });
    const secondary = new Held({ b: { 1: 1 }, c: { 1: 1 }, d: { 1: 1 } });
    secondary.failure = new Refused();
    const { order, warnings } = await readAll(mergeQueryables(primary, [secondary]));
    expect(order).toEqual(['a', 'b', 'c']);
    expect(warnings).toEqual(['refused']);
  });

  it('fails when the primary fails, or the query was cancelled or too large', async () => {
    const failing = new Held({ a: {}, b: {}, c: {} });
    failing.failure = new Refused();
    await expect(readAll(mergeQueryables(failing, [new Held({})]))).rejects.toThrow('refused');
    failing.failure = new CanceledError();
    await expect(readAll(mergeQueryables(new Held({}), [failing]))).rejects.toThrow(CanceledError);
    failing.failure = new LimitError('STORAGE.MEMORY_LIMIT', 'm', 'too much');
    await expect(readAll(mergeQueryables(new Held({}), [failing]))).rejects.toThrow('too much');
  });

  it('unites label names, warning of a secondary that fails', async () => {
    const secondary = new Held({ b: {} });
    const merged = mergeQueryables(new Held({ c: {}, a: {} }), [secondary]);
    const range = { minMs: 0, maxMs: 1 };
    expect((await merged.labelNames(range, [], 0, context)).values).toEqual(['a', 'b', 'c']);
    expect((await merged.labelNames(range, [], 2, context)).values).toEqual(['a', 'b']);
    secondary.failure = new Refused();
    const answer = await merged.labelNames(range, [], 0, context);
    expect(answer.values).toEqual(['a', 'c']);
    expect(answer.warnings).toEqual([{ kind: 'warning', text: 'refused' }]);
  });
});

describe('asking a remote only for what is not covered', () => {
  const margin = 300_000;
  const hour = 3_600_000;
  const NONE = { sinceMs: 0, bucketsSinceMs: 0, gaps: [] };

  it('asks for nothing when everything is covered, and for all of it with read_recent', () => {
    const range = { minMs: 2 * hour, maxMs: 3 * hour };
    expect(uncoveredRanges(range, { ...NONE, sinceMs: hour })).toEqual([]);
    expect(uncoveredRanges(range, { ...NONE, sinceMs: hour }, true)).toEqual([range]);
  });

  it('asks for the time before the local start and for each hole, with a margin', () => {
    const gaps = [{ startMs: 5 * hour, endMs: 6 * hour }];
    const ranges = uncoveredRanges(
      { minMs: 0, maxMs: 9 * hour },
      { ...NONE, sinceMs: 2 * hour, gaps },
    );
    expect(ranges).toEqual([
      { minMs: 0, maxMs: 2 * hour - 1 + margin },
      { minMs: 5 * hour - margin, maxMs: 6 * hour - 1 + margin },
    ]);
  });

  it('stays inside the query and joins what touches or is too many', () => {
    const gaps = Array.from({ length: 40 }, (_, i) => ({
      startMs: i * hour,
      endMs: i * hour + 60_000,
    }));
    const range = { minMs: 30_000, maxMs: 30 * hour };
    const ranges = uncoveredRanges(range, { ...NONE, gaps });
    expect(ranges).toHaveLength(8);
    expect(ranges[0]!.minMs).toBe(30_000);
    expect(ranges.at(-1)!.maxMs).toBe(30 * hour);
    for (let i = 1; i < ranges.length; i++) {
      expect(ranges[i]!.minMs).toBeGreaterThan(ranges[i - 1]!.maxMs);
    }
  });

  it('fills two holes of local storage from the remote without asking for the rest', async () => {
    const local = new Held({ a: { [3 * hour]: 3, [7 * hour]: 7 } });
    const remote = new Held({
      a: { [1 * hour]: 1, [3 * hour]: 33, [4 * hour]: 44, [5.5 * hour]: 5, [7 * hour]: 77 },
    });
    const gaps = [{ startMs: 5 * hour, endMs: 6 * hour }];
    const merged = withRemotes(local, [{ queryable: remote, readRecent: false }], () => ({
      ...NONE,
      sinceMs: 2 * hour,
      gaps,
    }));
    const { found } = await readAll(merged, { minMs: 0, maxMs: 9 * hour });
    expect(found).toEqual({
      a: { [1 * hour]: 1, [3 * hour]: 3, [5.5 * hour]: 5, [7 * hour]: 7 },
    });
    expect(remote.asked).toHaveLength(2);
  });

  it('takes nothing from the remote for times that local storage has, whatever the margin brings', async () => {
    const local = new Held({ a: { [2.05 * hour]: 1, [2.07 * hour]: 2 } });
    const remote = new Held({
      a: { [1.9 * hour]: 0, [2.06 * hour]: 99 },
      b: { [2.06 * hour]: 99 },
    });
    const merged = withRemotes(local, [{ queryable: remote, readRecent: false }], () => ({
      ...NONE,
      sinceMs: 2 * hour,
    }));
    const { found } = await readAll(merged, { minMs: 0, maxMs: 3 * hour });
    expect(found).toEqual({ a: { [1.9 * hour]: 0, [2.05 * hour]: 1, [2.07 * hour]: 2 } });
  });
});
