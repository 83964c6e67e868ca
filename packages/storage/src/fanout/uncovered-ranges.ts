import { type Matcher, wordsOf } from '@pollux/model';
import { type IntervalSet, intersect, union } from '../coverage/interval-set.ts';
import type {
  NamesAnswer,
  Queryable,
  ReadContext,
  SelectRequest,
  SeriesColumns,
  SeriesSource,
  TimeRange,
} from '../queryable.ts';
import { MergedSource } from './merge-sources.ts';

/** More holes than this in one query are joined, nearest first. */
const MAX_RANGES = 8;
/**
 * Asked for on both sides of a hole as well, ms: the store then sees this server's own copy at the edges and keeps its
 * guard there. In that margin its answer is this server's own samples, which merge into themselves.
 */
const MARGIN_MS = 5 * 60_000;

/**
 * What local storage has: everything from `sinceMs` on except `gaps`. Before that there may be buckets in place of samples;
 * from `bucketsSinceMs` on they tell of all but `gaps`, too.
 */
export type LocalCoverage = {
  readonly sinceMs: number;
  readonly bucketsSinceMs: number;
  readonly gaps: IntervalSet;
};

/**
 * The parts of `range` that local storage does not cover, each with its margin, ascending and disjoint. With
 * `readRecent` (as the setting of that name) the whole range.
 */
export function uncoveredRanges(
  range: TimeRange,
  coverage: LocalCoverage,
  readRecent = false,
): readonly TimeRange[] {
  return withMargins(range, lackingIn(range, coverage, readRecent));
}

function withMargins(range: TimeRange, holes: IntervalSet): readonly TimeRange[] {
  const ranges: TimeRange[] = [];
  for (const { startMs, endMs } of holes) {
    const minMs = Math.max(range.minMs, startMs - MARGIN_MS);
    const maxMs = Math.min(range.maxMs, endMs - 1 + MARGIN_MS);
    const last = ranges.at(-1);
    if (last !== undefined && minMs <= last.maxMs) {
      ranges[ranges.length - 1] = { minMs: last.minMs, maxMs };
    } else ranges.push({ minMs, maxMs });
  }
  while (ranges.length > MAX_RANGES) joinNearest(ranges);
  return ranges;
}

/** The times of `range` that local storage lacks, without margins; with `readRecent` all. */
export function lackingIn(
  range: TimeRange,
  coverage: LocalCoverage,
  readRecent: boolean,
): IntervalSet {
  const asked = [{ startMs: range.minMs, endMs: range.maxMs + 1 }];
  if (readRecent) return asked;
  const before =
    coverage.sinceMs > range.minMs ? [{ startMs: range.minMs, endMs: coverage.sinceMs }] : [];
  return intersect(union(before, coverage.gaps), asked);
}

function joinNearest(ranges: TimeRange[]): void {
  let nearest = 1;
  const distance = (index: number): number => ranges[index]!.minMs - ranges[index - 1]!.maxMs;
  for (let i = 2; i < ranges.length; i++) if (distance(i) < distance(nearest)) nearest = i;
  const joined = { minMs: ranges[nearest - 1]!.minMs, maxMs: ranges[nearest]!.maxMs };
  ranges.splice(nearest - 1, 2, joined);
}

/**
 * A remote that is only asked where local storage lacks something, and whose samples are only taken there: in the margins
 * it may hold another replica's samples for times that this server has its own of, and the two must never be mixed.
 */
export function onlyUncovered(
  remote: Queryable,
  coverage: () => LocalCoverage,
  readRecent = false,
): Queryable {
  return readRecent ? remote : new UncoveredQueryable(remote, coverage);
}

class UncoveredQueryable implements Queryable {
  readonly #remote: Queryable;
  readonly #coverage: () => LocalCoverage;

  constructor(remote: Queryable, coverage: () => LocalCoverage) {
    this.#remote = remote;
    this.#coverage = coverage;
  }

  select(request: SelectRequest, context: ReadContext): SeriesSource {
    const holes = lackingIn(request.range, this.#coverage(), false);
    return selectIn(this.#remote, request, holes, context);
  }

  labelNames(
    range: TimeRange,
    matchers: readonly Matcher[],
    limit: number,
    context: ReadContext,
  ): Promise<NamesAnswer> {
    return this.#names(range, (part) => this.#remote.labelNames(part, matchers, limit, context));
  }

  labelValues(
    name: string,
    range: TimeRange,
    matchers: readonly Matcher[],
    limit: number,
    context: ReadContext,
  ): Promise<NamesAnswer> {
    return this.#names(range, (part) =>
      this.#remote.labelValues(name, part, matchers, limit, context),
    );
  }

  /** Names change little from hole to hole: one question from the first to the last is enough. */
  async #names(
    range: TimeRange,
    ask: (part: TimeRange) => Promise<NamesAnswer>,
  ): Promise<NamesAnswer> {
    const ranges = uncoveredRanges(range, this.#coverage());
    const first = ranges[0];
    const last = ranges.at(-1);
    if (first === undefined || last === undefined) return { values: [], warnings: [] };
    return ask({ minMs: first.minMs, maxMs: last.maxMs });
  }
}

/** What the remote has in `holes` of the request's range, sorted when it was asked for so. */
export function selectIn(
  remote: Queryable,
  request: SelectRequest,
  holes: IntervalSet,
  context: ReadContext,
): SeriesSource {
  const { range: whole } = request;
  const ranges = withMargins(whole, holes);
  const [only] = ranges;
  if (only === undefined) return NOTHING;
  const source =
    ranges.length === 1
      ? remote.select({ ...request, range: only }, context)
      : new MergedSource(
          ranges.map((range) => ({
            source: remote.select({ ...request, range, sorted: true }, context),
            onError: () => null,
          })),
        );
  const isAll = holes[0]!.startMs <= whole.minMs && holes[0]!.endMs > whole.maxMs;
  return isAll ? source : new ClippedSource(source, holes);
}

const NOTHING: SeriesSource = {
  next: async (): Promise<readonly SeriesColumns[] | null> => null,
  warnings: [],
  close: () => {},
};

/** Only the samples that lie in `holes`; series that keep none are left out, unless they came without samples. */
class ClippedSource implements SeriesSource {
  readonly #source: SeriesSource;
  readonly #holes: IntervalSet;

  constructor(source: SeriesSource, holes: IntervalSet) {
    this.#source = source;
    this.#holes = holes;
  }

  get warnings(): SeriesSource['warnings'] {
    return this.#source.warnings;
  }

  async next(): Promise<readonly SeriesColumns[] | null> {
    const batch = await this.#source.next();
    if (batch === null) return null;
    return batch.flatMap((columns) => {
      if (columns.count === 0) return [columns];
      const clipped = clip(columns, this.#holes);
      return clipped.count === 0 ? [] : [clipped];
    });
  }

  close(): void {
    this.#source.close();
  }
}

/** Moves what lies in `holes` to the front of fresh columns; values as bits. */
function clip(columns: SeriesColumns, holes: IntervalSet): SeriesColumns {
  const { count, timestampsMs, values, histograms, startTimestampsMs } = columns;
  const kept = new Uint32Array(count);
  let keptCount = 0;
  let hole = 0;
  for (let i = 0; i < count; i++) {
    while (hole < holes.length && holes[hole]!.endMs <= timestampsMs[i]!) hole++;
    if (hole === holes.length) break;
    if (timestampsMs[i]! >= holes[hole]!.startMs) kept[keptCount++] = i;
  }
  if (keptCount === count) return columns;
  const words = wordsOf(values);
  const times = new Float64Array(keptCount);
  const keptValues = new Float64Array(keptCount);
  const keptWords = wordsOf(keptValues);
  for (let k = 0; k < keptCount; k++) {
    const from = kept[k]!;
    times[k] = timestampsMs[from]!;
    keptWords[2 * k] = words[2 * from]!;
    keptWords[2 * k + 1] = words[2 * from + 1]!;
  }
  const indices = [...kept.subarray(0, keptCount)];
  return {
    ...columns,
    count: keptCount,
    timestampsMs: times,
    values: keptValues,
    histograms: histograms === null ? null : indices.map((index) => histograms[index] ?? null),
    startTimestampsMs:
      startTimestampsMs === null
        ? null
        : Float64Array.from(indices, (index) => startTimestampsMs[index]!),
  };
}
