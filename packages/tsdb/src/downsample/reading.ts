import type { Clock } from '@pollux/base';
import { type Labels, Matcher } from '@pollux/model';
import {
  type Annotation,
  BUCKET_FUNCTIONS,
  type BucketColumn,
  type IntervalSet,
  intersect,
  intervalSet,
  type LocalAnswer,
  overlaps,
  PlannedSource,
  type ReadContext,
  type SampleNeed,
  type SelectRequest,
  type SeriesColumns,
  type SeriesSource,
  subtract,
  type TimeRange,
  totalMs,
  withoutNeed,
} from '@pollux/storage';
import { BlockCursor, type OnDamage } from '../block/block-cursor.ts';
import type { BlockSet } from '../block/block-set.ts';
import { DamageReport } from '../block/damage-report.ts';
import type { Head } from '../head/head.ts';
import { ColumnBuilder } from '../query/column-builder.ts';
import { MergeSelect } from '../query/merge-select.ts';
import { openCursors } from '../query/open-cursors.ts';
import { Slices } from '../slices.ts';
import { bucketReader } from './bucket-reader.ts';
import { type BucketPart, BucketSelect } from './bucket-select.ts';
import { BucketTable, type TableColumn } from './bucket-table.ts';
import type { Downsampled } from './downsampled.ts';
import {
  approximation,
  type Dropped,
  missing,
  notDownsampled,
  rawDropped,
} from './dropped-texts.ts';
import { LostBuckets, type LostPart } from './lost-buckets.ts';
import type { Slice } from './slice.ts';
import type { SliceSet } from './slice-set.ts';

/** Buckets are read although all samples are there when slices hold at least this share of the time. */
const PAYING_SHARE = 0.5;

const FIRST_TIMES: ReadonlySet<TableColumn> = new Set(['firstTimesMs']);

type Windows = Extract<SampleNeed, { kind: 'windows' }>;

export type ReadingParts = {
  readonly head: Head;
  readonly blocks: BlockSet;
  readonly downsampled: Downsampled;
  readonly clock: Clock;
  readonly allowApproximate: boolean;
};

/** Which of samples and buckets answer a request. */
export class DownsampledReading {
  readonly #parts: ReadingParts;

  constructor(parts: ReadingParts) {
    this.#parts = parts;
  }

  /** The answer to a request in which down-sampled data may have a part; null when they have none. */
  select(request: SelectRequest, context: ReadContext): SeriesSource | null {
    const { downsampled } = this.#parts;
    const { range, need, hints } = request;
    if (downsampled.sets.every((set) => set.in(range).length === 0)) return null;
    if (hints.func === 'series') return this.#labelsOnly(request, context);
    if (need === undefined) return null;
    return new PlannedSource(() => this.#plan(request, need, context));
  }

  /** As {@link select}, of a request with `need`, for who asks others, too: for the times in `lacking`. */
  async selectBeside(
    request: SelectRequest,
    lacking: IntervalSet,
    context: ReadContext,
  ): Promise<LocalAnswer> {
    const { range, need } = request;
    const dropped = await this.#droppedOf(request, context);
    if (dropped.length === 0) {
      return { kind: 'samples', source: this.#merged(request, context, [], []) };
    }
    const set =
      need?.kind === 'windows' ? await this.#exactSet(need, request, dropped, context) : null;
    const columns = need?.kind === 'windows' ? BUCKET_FUNCTIONS.get(need.func) : undefined;
    const nearest = set ?? this.#nearestSet(range, dropped);
    const elsewhere = ', and remote storage has not given all of them';
    const refusal = {
      refuse: () => (this.#parts.allowApproximate ? null : rawDropped(nearest, dropped, elsewhere)),
      approximation: approximation(nearest),
    };
    if (set === null || columns === undefined) {
      const lost = this.#lostOf(request, dropped, context);
      try {
        const source = this.#merged(request, context, [], []);
        return { kind: 'remains', source, lost, ...refusal };
      } catch (error) {
        for (const one of lost) one.close();
        throw error;
      }
    }
    // Others may have samples for a time in which some are missing here, but not for one in which buckets are all there is.
    const isTaken = (slice: Slice): boolean =>
      dropped.some((one) => one.slice === slice) ||
      !overlaps(lacking, slice.range.minMs, slice.range.maxMs + 1);
    const slices = this.#usable(set, range, dropped).filter(isTaken);
    const times = intervalSet(slices.map((slice) => intervalOf(slice.range)));
    const plan = { request, context, columns, set, slices, isApart: true, notes: [] };
    return {
      kind: 'buckets',
      source: this.#buckets(plan),
      resolutionMs: set.resolutionMs,
      times: intersect(times, [intervalOf(range)]),
      ...refusal,
    };
  }

  /** What tells which samples were dropped, by resolution, finest first. */
  #lostOf(
    { range, matchers }: SelectRequest,
    dropped: readonly Dropped[],
    context: ReadContext,
  ): LostBuckets[] {
    const { clock, downsampled } = this.#parts;
    const opened: LostPart[] = [];
    try {
      return downsampled.sets.flatMap((set) => {
        const parts: LostPart[] = [];
        for (const { slice } of dropped.filter((one) => one.set === set)) {
          const part = {
            minMs: Math.max(range.minMs, slice.range.minMs),
            maxMs: Math.min(range.maxMs, slice.droppedUntilMs),
          };
          const onDamage: OnDamage = (block, error) => set.noteDamage(block, error);
          const cursor = new BlockCursor(slice.block, part, matchers, onDamage);
          const open = { slice, range: part, cursor };
          parts.push(open);
          opened.push(open);
        }
        return parts.length === 0 ? [] : [new LostBuckets(parts, set.resolutionMs, context, clock)];
      });
    } catch (error) {
      for (const { cursor } of opened) cursor.close();
      throw error;
    }
  }

  /** Samples, and the label sets of series of which only buckets are left. */
  #labelsOnly(request: SelectRequest, context: ReadContext): SeriesSource {
    const { range } = request;
    return this.#merged(request, context, this.#parts.downsampled.droppedIn(range), []);
  }

  async #plan(
    request: SelectRequest,
    need: SampleNeed,
    context: ReadContext,
  ): Promise<SeriesSource> {
    const dropped = await this.#droppedOf(request, context);
    const columns = need.kind === 'windows' ? BUCKET_FUNCTIONS.get(need.func) : undefined;
    if (need.kind === 'windows' && columns !== undefined) {
      const answer = (set: SliceSet, notes: readonly Annotation[]): SeriesSource => {
        const slices = this.#usable(set, request.range, dropped);
        return this.#buckets({ request, context, columns, set, slices, isApart: false, notes });
      };
      const exact = await this.#exactSet(need, request, dropped, context);
      if (exact !== null) return answer(exact, []);
      if (dropped.length > 0 && this.#parts.allowApproximate) {
        const nearest = this.#nearestSet(request.range, dropped);
        return answer(nearest, [approximation(nearest)]);
      }
    }
    if (dropped.length === 0) return this.#merged(request, context, [], []);
    const set = this.#nearestSet(request.range, dropped);
    if (!this.#parts.allowApproximate) throw rawDropped(set, dropped);
    const own = dropped.filter((one) => one.set === set);
    return this.#merged(request, context, own, [approximation(set)]);
  }

  /** Slices that are all that is left of some samples of matching series in the range. */
  async #droppedOf({ range, matchers }: SelectRequest, context: ReadContext): Promise<Dropped[]> {
    const { downsampled, clock } = this.#parts;
    const slices = new Slices(clock, context.signal);
    const found: Dropped[] = [];
    for (const one of downsampled.droppedIn(range)) {
      const { slice, set } = one;
      const maxMs = Math.min(range.maxMs, slice.droppedUntilMs);
      const onDamage: OnDamage = (block, error) => set.noteDamage(block, error);
      const cursor = new BlockCursor(
        slice.block,
        { minMs: range.minMs, maxMs },
        matchers,
        onDamage,
      );
      try {
        for (; cursor.labels !== null; cursor.advance()) {
          if (slice.isDropped(cursor.ref) && cursor.hasSamples()) {
            found.push(one);
            break;
          }
          if (slices.isOver) await slices.pause();
        }
      } finally {
        cursor.close();
      }
    }
    return found;
  }

  /**
   * The coarsest resolution of which every window edge is a bucket edge, and which holds whatever was dropped; when nothing
   * was, it must hold enough of the time to pay. Null: samples are to be read.
   */
  async #exactSet(
    need: Windows,
    { range, matchers }: SelectRequest,
    dropped: readonly Dropped[],
    context: ReadContext,
  ): Promise<SliceSet | null> {
    const wanted = intervalSet([intervalOf(range)]);
    for (const set of this.#parts.downsampled.sets.toReversed()) {
      if (!isAligned(need, set.resolutionMs)) continue;
      const missing = subtract(wanted, this.#timesOf(set, range, dropped));
      if (dropped.length === 0) {
        if (totalMs(missing) <= totalMs(wanted) * (1 - PAYING_SHARE)) return set;
      } else if (await this.#isWithout(missing, dropped, matchers, context)) return set;
    }
    return null;
  }

  /**
   * True when nothing of what was dropped lies in the missing times. Slices of another resolution reach a little further
   * where blocks begin or end: their buckets tell whether there was anything.
   */
  async #isWithout(
    missing: IntervalSet,
    dropped: readonly Dropped[],
    matchers: readonly Matcher[],
    context: ReadContext,
  ): Promise<boolean> {
    const slices = new Slices(this.#parts.clock, context.signal);
    for (const { set, slice } of dropped) {
      const endMs = slice.droppedUntilMs + 1;
      const onDamage: OnDamage = (block, error) => set.noteDamage(block, error);
      for (const time of intersect(missing, [{ startMs: slice.range.minMs, endMs }])) {
        const range = { minMs: time.startMs, maxMs: time.endMs - 1 };
        const table = new BucketTable(set.resolutionMs);
        const target = bucketReader(table, range, FIRST_TIMES);
        const cursor = new BlockCursor(slice.block, range, matchers, onDamage);
        try {
          for (; cursor.labels !== null; cursor.advance()) {
            if (slice.isDropped(cursor.ref) && cursor.hasSamples()) cursor.read(target);
            if (table.unfit !== null || table.reachesInto(range)) return false;
            table.clear();
            if (slices.isOver) await slices.pause();
          }
        } finally {
          cursor.close();
        }
      }
    }
    return true;
  }

  /** The finest resolution that holds whatever was dropped, else the one that goes back furthest. */
  #nearestSet(range: TimeRange, dropped: readonly Dropped[]): SliceSet {
    const wanted = intervalSet([intervalOf(range)]);
    const sets = [...new Set(dropped.map(({ set }) => set))];
    const missing = (set: SliceSet): number =>
      totalMs(subtract(wanted, this.#timesOf(set, range, dropped)));
    return sets.reduce((best, set) => (missing(set) < missing(best) ? set : best));
  }

  /** Times for which slices of the set answer. */
  #timesOf(set: SliceSet, range: TimeRange, dropped: readonly Dropped[]): IntervalSet {
    const usable = this.#usable(set, range, dropped);
    return intervalSet(usable.map((slice) => intervalOf(slice.range)));
  }

  #usable(set: SliceSet, range: TimeRange, dropped: readonly Dropped[]): Slice[] {
    return set.in(range).filter((slice) => this.#isUsable(set, slice, dropped));
  }

  /** True when the slice is all that is left of samples that are asked for, or as good as the samples. */
  #isUsable(set: SliceSet, slice: Slice, dropped: readonly Dropped[]): boolean {
    if (dropped.some((one) => one.slice === slice)) return true;
    const { blocks, head } = this.#parts;
    // Some samples of the slice's time may not be in a block yet.
    return !head.outOfOrder.overlaps(slice.range) && !set.stateOf(slice, blocks.blocks).isOverrun;
  }

  /** Opens, in one step, what answers with buckets. */
  #buckets(plan: {
    readonly request: SelectRequest;
    readonly context: ReadContext;
    readonly columns: readonly BucketColumn[];
    readonly set: SliceSet;
    readonly slices: readonly Slice[];
    /** Samples are not gathered, since those of others come between them. */
    readonly isApart: boolean;
    readonly notes: readonly Annotation[];
  }): SeriesSource {
    const { request, context, columns, set, isApart } = plan;
    const { range, matchers, hints } = request;
    const { blocks, clock, allowApproximate } = this.#parts;
    const damage = new DamageReport(blocks);
    damage.warnings.push(...plan.notes, ...blocks.warningsIn(range), ...set.warningsIn(range));
    const table = new BucketTable(set.resolutionMs);
    const wanted = new Set<TableColumn>(columns);
    const parts: BucketPart[] = [];
    let nextMs = range.minMs;
    const addSamples = (maxMs: number): void => {
      if (maxMs < nextMs) return;
      const piece = { minMs: nextMs, maxMs };
      const open = { blocks: blocks.blocks, head: this.#parts.head, onDamage: damage.note };
      parts.push({
        kind: 'samples',
        cursors: openCursors(open, piece, matchers),
        builder: new ColumnBuilder(piece, context.budget),
        isApart,
      });
    };
    const onDamage: OnDamage = (block, error) => {
      set.noteDamage(block, error);
      damage.note(block, error);
    };
    try {
      for (const slice of plan.slices) {
        addSamples(Math.min(range.maxMs, slice.range.minMs - 1));
        const piece = {
          minMs: Math.max(range.minMs, slice.range.minMs),
          maxMs: Math.min(range.maxMs, slice.range.maxMs),
        };
        const cursor = new BlockCursor(slice.block, piece, matchers, onDamage);
        parts.push({ kind: 'slice', slice, cursor, target: bucketReader(table, piece, wanted) });
        nextMs = slice.range.maxMs + 1;
      }
      addSamples(range.maxMs);
    } catch (error) {
      for (const part of parts) {
        for (const cursor of part.kind === 'slice' ? [part.cursor] : part.cursors) cursor.close();
      }
      throw error;
    }
    return new BucketSelect({
      parts,
      table,
      columns,
      warnings: damage.warnings,
      samplesOf: (labels) => this.#samplesOf(labels, request, context),
      onUnfit: (labels, { unfit }) => {
        if (!allowApproximate) throw notDownsampled(set, labels, unfit);
        const note = missing(set, unfit);
        if (!damage.warnings.some(({ text }) => text === note.text)) damage.warnings.push(note);
      },
      limit: hints.limit > 0 ? hints.limit : Number.POSITIVE_INFINITY,
      context,
      clock,
    });
  }

  /** All samples of one series. */
  async #samplesOf(
    labels: Labels,
    request: SelectRequest,
    context: ReadContext,
  ): Promise<SeriesColumns | null> {
    const matchers = [...labels].map(([name, value]) => new Matcher(name, '=', value));
    const hints = { ...request.hints, limit: 0 };
    const all = { ...withoutNeed(request), matchers, hints };
    const source = this.#merged(all, context, [], []);
    try {
      for (;;) {
        const batch = await source.next();
        if (batch === null) return null;
        const own = batch.find((columns) => columns.labels.equals(labels));
        if (own !== undefined) return own;
      }
    } finally {
      source.close();
    }
  }

  /** Samples and, of the given slices, the last sample of each bucket. */
  #merged(
    request: SelectRequest,
    context: ReadContext,
    slices: readonly Dropped[],
    notes: readonly Annotation[],
  ): SeriesSource {
    const { range, matchers } = request;
    const { blocks, head, clock } = this.#parts;
    const damage = new DamageReport(blocks);
    damage.warnings.push(...notes, ...blocks.warningsIn(range));
    const open = { blocks: blocks.blocks, head, onDamage: damage.note };
    const cursors = openCursors(open, range, matchers);
    try {
      for (const { set, slice } of slices) {
        const onDamage: OnDamage = (block, error) => {
          set.noteDamage(block, error);
          damage.note(block, error);
        };
        cursors.push(new BlockCursor(slice.block, range, matchers, onDamage));
      }
    } catch (error) {
      for (const cursor of cursors) cursor.close();
      throw error;
    }
    return new MergeSelect({ cursors, warnings: damage.warnings }, request, context, { clock });
  }
}

function isAligned(need: Windows, resolutionMs: number): boolean {
  const { firstEndMs, lastEndMs, stepMs, rangeMs } = need;
  if (firstEndMs % resolutionMs !== 0 || rangeMs % resolutionMs !== 0) return false;
  return lastEndMs === firstEndMs || stepMs % resolutionMs === 0;
}

function intervalOf({ minMs, maxMs }: TimeRange): { startMs: number; endMs: number } {
  return { startMs: minMs, endMs: maxMs + 1 };
}
