import {
  type IntervalSet,
  intersect,
  intervalSet,
  subtract,
  union,
} from '../coverage/interval-set.ts';
import { PlannedSource } from '../planned-source.ts';
import {
  type Annotation,
  type NamesAnswer,
  type Queryable,
  type ReadContext,
  type SelectRequest,
  type SeriesColumns,
  type SeriesSource,
  type TimeRange,
  withoutNeed,
} from '../queryable.ts';
import { joinBuckets } from './join-buckets.ts';
import type { LocalAnswer, LocalStorage, Refusal } from './local-storage.ts';
import { lastSamples, missingBuckets } from './lost-samples.ts';
import { mergeColumns } from './merge-columns.ts';
import { mergeQueryables, warningOf } from './merge-queryables.ts';
import { MergedSource, type MergeInput, type SeriesJoin } from './merge-sources.ts';
import { type LocalCoverage, lackingIn, onlyUncovered, selectIn } from './uncovered-ranges.ts';

type Remote = { readonly queryable: Queryable; readonly readRecent: boolean };

/**
 * Local storage with remotes for what it lacks: the usual arrangement of a server with `remote_read`. Where local storage
 * has only buckets left they answer as they do without remotes, and no remote is asked. What they cannot answer is asked of
 * the remotes; buckets then tell whether the samples that came are all there, and the query is refused if not.
 */
export function withRemotes(
  local: LocalStorage,
  remotes: readonly Remote[],
  coverage: () => LocalCoverage,
): Queryable {
  return remotes.length === 0 ? local : new RemoteBackedQueryable(local, remotes, coverage);
}

class RemoteBackedQueryable implements Queryable {
  readonly #local: LocalStorage;
  readonly #remotes: readonly Remote[];
  readonly #coverage: () => LocalCoverage;
  /** For whatever has nothing to do with buckets. */
  readonly #merged: Queryable;
  readonly labelNames: (...args: Parameters<Queryable['labelNames']>) => Promise<NamesAnswer>;
  readonly labelValues: (...args: Parameters<Queryable['labelValues']>) => Promise<NamesAnswer>;

  constructor(local: LocalStorage, remotes: readonly Remote[], coverage: () => LocalCoverage) {
    this.#local = local;
    this.#remotes = remotes;
    this.#coverage = coverage;
    const merged = mergeQueryables(
      local,
      remotes.map(({ queryable, readRecent }) => onlyUncovered(queryable, coverage, readRecent)),
    );
    this.#merged = merged;
    this.labelNames = (...args) => merged.labelNames(...args);
    this.labelValues = (...args) => merged.labelValues(...args);
  }

  select(request: SelectRequest, context: ReadContext): SeriesSource {
    const coverage = this.#coverage();
    const lacking = this.#remotes.map(({ readRecent }) =>
      lackingIn(request.range, coverage, readRecent),
    );
    if (lacking.every(({ length }) => length === 0)) return this.#local.select(request, context);
    if (request.need === undefined) return this.#merged.select(request, context);
    return new PlannedSource(() => this.#beside(request, coverage, lacking, context));
  }

  async #beside(
    request: SelectRequest,
    coverage: LocalCoverage,
    lacking: readonly IntervalSet[],
    context: ReadContext,
  ): Promise<SeriesSource> {
    const { range } = request;
    const bare = { ...withoutNeed(request), sorted: true };
    const all = lacking.reduce(union, []);
    const needed = request.need === undefined ? bare : { ...bare, need: request.need };
    const local = await this.#local.selectBeside(needed, all, context);
    const isBuckets = local.kind === 'buckets';
    const contested = isBuckets ? contestedIn(local, coverage, range) : [];
    const remotes = this.#remotes.map(({ queryable }, index): MergeInput => {
      const wanted = lacking[index]!;
      const asked = isBuckets ? union(subtract(wanted, local.times), contested) : wanted;
      return {
        source: selectIn(queryable, bare, asked, context),
        onError: (error) => warningOf(error, context),
      };
    });
    const inputs = [own(local.source), ...remotes];
    switch (local.kind) {
      case 'samples':
        return new MergedSource(inputs);
      case 'buckets':
        return new MergedSource(inputs, new BucketJoin(local, contested));
      case 'remains': {
        const join = new RemainsJoin(local, inputs.length, range);
        return new MergedSource([...inputs, ...local.lost.map(own)], join);
      }
    }
  }
}

function own(source: SeriesSource): MergeInput {
  return { source, onError: () => null };
}

/** Where the server was not there while samples came that are now buckets, widened to whole buckets: a remote may know more. */
function contestedIn(
  { times, resolutionMs }: Extract<LocalAnswer, { kind: 'buckets' }>,
  { gaps, bucketsSinceMs }: LocalCoverage,
  range: TimeRange,
): IntervalSet {
  const before = { startMs: Number.MIN_SAFE_INTEGER, endMs: bucketsSinceMs };
  const edge = (round: (value: number) => number, atMs: number): number =>
    round((atMs - 1) / resolutionMs) * resolutionMs + 1;
  const widened = intersect(times, union([before], gaps)).map(({ startMs, endMs }) => ({
    startMs: edge(Math.floor, startMs),
    endMs: edge(Math.ceil, endMs),
  }));
  return intersect(intervalSet(widened), [{ startMs: range.minMs, endMs: range.maxMs + 1 }]);
}

/** Puts the samples of remotes between the buckets of local storage, which comes first. */
class BucketJoin implements SeriesJoin {
  readonly warnings: Annotation[] = [];
  readonly #refusal: Refusal;
  readonly #contested: IntervalSet;

  constructor(refusal: Refusal, contested: IntervalSet) {
    this.#refusal = refusal;
    this.#contested = contested;
  }

  join(parts: readonly SeriesColumns[], ranks: readonly number[]): SeriesColumns {
    const [local, ...others] = parts;
    if (ranks[0] !== 0 || local?.buckets === undefined || others.length === 0) {
      return mergeColumns(parts);
    }
    const samples = mergeColumns(others);
    if (samples.histograms === null) {
      return joinBuckets({ ...local, buckets: local.buckets }, samples, this.#contested);
    }
    noteOrThrow(this.#refusal, local, this.warnings);
    return local;
  }
}

/** Sees whether local storage and remotes together have the samples that were dropped; what was lost comes last. */
class RemainsJoin implements SeriesJoin {
  readonly warnings: Annotation[] = [];
  readonly #refusal: Refusal;
  readonly #lostFrom: number;
  readonly #range: TimeRange;

  constructor(refusal: Refusal, lostFrom: number, range: TimeRange) {
    this.#refusal = refusal;
    this.#lostFrom = lostFrom;
    this.#range = range;
  }

  join(parts: readonly SeriesColumns[], ranks: readonly number[]): SeriesColumns | null {
    const held = parts.filter((_, i) => ranks[i]! < this.#lostFrom);
    let samples = held.length === 0 ? null : mergeColumns(held);
    for (const lost of parts.slice(held.length)) {
      const missing = missingBuckets(samples, lost, this.#range);
      if (missing.length === 0) continue;
      noteOrThrow(this.#refusal, lost, this.warnings);
      const nearest = lastSamples(lost, missing, this.#range);
      if (nearest !== null) {
        samples = samples === null ? nearest : mergeColumns([samples, nearest]);
      }
    }
    return samples;
  }
}

function noteOrThrow(
  { refuse, approximation }: Refusal,
  { labels }: SeriesColumns,
  warnings: Annotation[],
): void {
  const error = refuse(labels);
  if (error !== null) throw error;
  if (warnings.length === 0) warnings.push(approximation);
}
