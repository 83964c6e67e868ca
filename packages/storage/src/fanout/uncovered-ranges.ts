import type { Matcher } from '@pollux/model';
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
import { mergeQueryables } from './merge-queryables.ts';
import { MergedSource } from './merge-sources.ts';

/** More holes than this in one query are joined, nearest first. */
const MAX_RANGES = 8;
/**
 * Asked for on both sides of a hole as well, ms: the store then sees this server's own copy at the edges and keeps its
 * guard there. In that margin its answer is this server's own samples, which merge into themselves.
 */
const MARGIN_MS = 5 * 60_000;

/** What local storage has: everything from `sinceMs` on except `gaps`. */
export type LocalCoverage = { readonly sinceMs: number; readonly gaps: IntervalSet };

/**
 * The parts of `range` that local storage does not cover, each with its margin, ascending and disjoint. With
 * `readRecent` (as the setting of that name) the whole range.
 */
export function uncoveredRanges(
  range: TimeRange,
  coverage: LocalCoverage,
  readRecent = false,
): readonly TimeRange[] {
  if (readRecent) return [range];
  const asked = [{ startMs: range.minMs, endMs: range.maxMs + 1 }];
  const before =
    coverage.sinceMs > range.minMs ? [{ startMs: range.minMs, endMs: coverage.sinceMs }] : [];
  const holes = intersect(union(before, coverage.gaps), asked);
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

function joinNearest(ranges: TimeRange[]): void {
  let nearest = 1;
  const distance = (index: number): number => ranges[index]!.minMs - ranges[index - 1]!.maxMs;
  for (let i = 2; i < ranges.length; i++) if (distance(i) < distance(nearest)) nearest = i;
  const joined = { minMs: ranges[nearest - 1]!.minMs, maxMs: ranges[nearest]!.maxMs };
  ranges.splice(nearest - 1, 2, joined);
}

/**
 * A remote that is only asked where `rangesOf` says that local storage lacks something. Bind `rangesOf` to
 * {@link uncoveredRanges} with the server's own coverage.
 */
export function onlyUncovered(
  remote: Queryable,
  rangesOf: (range: TimeRange) => readonly TimeRange[],
): Queryable {
  return new UncoveredQueryable(remote, rangesOf);
}

class UncoveredQueryable implements Queryable {
  readonly #remote: Queryable;
  readonly #rangesOf: (range: TimeRange) => readonly TimeRange[];

  constructor(remote: Queryable, rangesOf: (range: TimeRange) => readonly TimeRange[]) {
    this.#remote = remote;
    this.#rangesOf = rangesOf;
  }

  select(request: SelectRequest, context: ReadContext): SeriesSource {
    const ranges = this.#rangesOf(request.range);
    const [only] = ranges;
    if (only === undefined) return NOTHING;
    if (ranges.length === 1) return this.#remote.select({ ...request, range: only }, context);
    return new MergedSource(
      ranges.map((range) => ({
        source: this.#remote.select({ ...request, range, sorted: true }, context),
        onError: () => null,
      })),
    );
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
    const ranges = this.#rangesOf(range);
    const first = ranges[0];
    const last = ranges.at(-1);
    if (first === undefined || last === undefined) return { values: [], warnings: [] };
    return ask({ minMs: first.minMs, maxMs: last.maxMs });
  }
}

const NOTHING: SeriesSource = {
  next: async (): Promise<readonly SeriesColumns[] | null> => null,
  warnings: [],
  close: () => {},
};

/** Local storage with remotes for what it lacks: the usual arrangement of a server with `remote_read`. */
export function withRemotes(
  local: Queryable,
  remotes: readonly { readonly queryable: Queryable; readonly readRecent: boolean }[],
  coverage: () => LocalCoverage,
): Queryable {
  return mergeQueryables(
    local,
    remotes.map(({ queryable, readRecent }) =>
      onlyUncovered(queryable, (range) => uncoveredRanges(range, coverage(), readRecent)),
    ),
  );
}
