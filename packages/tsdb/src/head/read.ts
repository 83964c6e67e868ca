import { CanceledError } from '@pollux/base';
import { MemoryIndex, matchPostings } from '@pollux/index';
import type { Labels, Matcher } from '@pollux/model';
import { isLabelShown } from '../query/deleted-series.ts';
import type { SampleTarget } from '../query/sample-target.ts';
import type { SeriesCursor } from '../query/series-cursor.ts';
import { type SparseRange, touches } from '../query/sparse-range.ts';
import type { Slices } from '../slices.ts';
import type { Head, HeadReader } from './head.ts';
import { HeadSeriesWalk, orderAtOnce } from './head-series-walk.ts';
import type { Interval } from './intervals.ts';
import { type KnownSelection, keyOfMatchers } from './known-selections.ts';
import type { SealedRef } from './sealed-chunks.ts';
import type { Slot } from './series-table.ts';

const NOTHING: readonly Interval[] = [];

/** The head's postings by texts, until they are rebuilt. */
export class HeadLabelIndex extends MemoryIndex {
  constructor({ table }: Head) {
    super({
      symbols: table.symbols,
      postings: table.postings,
      valueOf: (ref, name) => {
        const slot = table.slotOf(ref);
        return slot < 0 ? 0 : table.valueOf(slot, name);
      },
    });
  }
}

/** References of the live series that pass all matchers, ascending; a list of its own. */
export function matchHead(head: Head, matchers: readonly Matcher[]): Uint32Array {
  const refs = selectHead(head, matchers);
  if (!(refs instanceof Uint32Array)) return refs.refs.slice().sort();
  // Postings name removed series until they have been rebuilt.
  let count = 0;
  for (let i = 0; i < refs.length; i++) {
    if (head.table.slotOf(refs[i]!) >= 0) refs[count++] = refs[i]!;
  }
  return refs.subarray(0, count);
}

/** Series that pass all matchers, in the order of their labels when they are few; else references, of which some may be gone. */
export function selectHead(head: Head, matchers: readonly Matcher[]): KnownSelection | Uint32Array {
  const { table, selections } = head;
  const key = keyOfMatchers(matchers);
  const known = selections.find(key);
  if (known !== null) return known;
  const refs = matchPostings(new HeadLabelIndex(head), matchers);
  const sorted = (): Uint32Array => orderAtOnce(table, refs).map((row) => refs[row]!);
  return selections.add(key, refs, sorted) ?? refs;
}

/**
 * The matching series of the head as they are at construction: samples that are committed later do not show, since the
 * cursor remembers how many each series had. The head is not truncated below `range` until {@link close}.
 */
export class HeadCursor implements SeriesCursor {
  readonly #head: Head;
  readonly #registration: HeadReader;
  readonly #range: SparseRange;
  readonly #minMs: number;
  readonly #walk: HeadSeriesWalk;
  readonly #appended: Uint32Array;
  /** The completed chunks that are wanted of a series, newest first, and how many samples of each are hidden. */
  readonly #wantedRefs: SealedRef[] = [];
  readonly #hiddenOfWanted: number[] = [];
  /** Names what is being read, in errors. */
  readonly #place = (): string => `head series ${this.labels}`;

  /** `select`: matchers, or references. */
  constructor(head: Head, range: SparseRange, select: readonly Matcher[] | Uint32Array) {
    this.#head = head;
    this.#range = range;
    this.#minMs = Math.max(range.minMs, head.minMs);
    this.#registration = { minMs: this.#minMs, isExpired: false };
    const { table, selections } = head;
    // Series that have left the head are left out on the way.
    const found = select instanceof Uint32Array ? select : selectHead(head, select);
    const isLarge = found instanceof Uint32Array && !(select instanceof Uint32Array);
    const keep = isLarge ? selections.keeper(keyOfMatchers(select)) : null;
    this.#walk = new HeadSeriesWalk(table, found, keep);
    this.#appended = this.#walk.refs.map((ref) => table.appended[table.slotOf(ref)]!);
    head.readers.add(this.#registration);
  }

  get labels(): Labels | null {
    return this.#walk.labels;
  }

  get ref(): number {
    return this.#walk.ref;
  }

  get hasDeletions(): boolean {
    return this.#head.tombstones.has(this.ref);
  }

  prepare(slices: Slices): Promise<void> {
    return this.#walk.prepare(slices);
  }

  advance(): void {
    this.#walk.advance();
  }

  hasSamples(): boolean {
    return (
      this.#appended[this.#walk.row]! > 0 && this.#head.table.maxMs[this.#walk.slot]! >= this.#minMs
    );
  }

  read(target: SampleTarget): void {
    if (this.#registration.isExpired) {
      throw new CanceledError(
        'query canceled: it held the head for so long that the next block could not be completed',
      );
    }
    const { table, tombstones } = this.#head;
    const { slot } = this.#walk;
    const deleted = tombstones.get(this.ref) ?? NOTHING;
    // What was appended since the cursor was made is the newest, whichever chunks it lies in.
    let later = (table.appended[slot]! - this.#appended[this.#walk.row]!) >>> 0;
    if (later === 0 && deleted === NOTHING && this.#readNewest(slot, target)) return;
    const open = this.#head.openChunkOf(slot);
    const openHidden = Math.min(later, open?.samples ?? 0);
    later -= openHidden;
    if (table.sealed[slot] !== 0) this.#readSealed(table.sealed[slot]!, later, target, deleted);
    if (open !== null && open.samples > openHidden && this.#wants(target, open.minMs, open.maxMs)) {
      const { encoding, bytes, start, length } = open;
      const chunk = { encoding, bytes, offset: start, length, hidden: openHidden };
      target.addChunk(chunk, deleted, this.#place, open);
    }
  }

  /** Where only the newest sample is wanted and the head remembers it, no chunk is opened. */
  #readNewest(slot: Slot, target: SampleTarget): boolean {
    if (target.addNewest === undefined || !this.#head.remembersNewest(slot)) return false;
    const { maxMs, xor } = this.#head.table;
    const timestampMs = maxMs[slot]!;
    if (timestampMs < this.#minMs || timestampMs > this.#range.maxMs) return false;
    return target.addNewest(
      timestampMs,
      xor.lastValueWords[slot * 2]!,
      xor.lastValueWords[slot * 2 + 1]!,
    );
  }

  /** Reads the list of completed chunks `newest`, without its newest `hidden` samples. */
  #readSealed(
    newest: SealedRef,
    hidden: number,
    target: SampleTarget,
    deleted: readonly Interval[],
  ): void {
    const { sealed } = this.#head;
    let later = hidden;
    const refs = this.#wantedRefs;
    const hiddenOf = this.#hiddenOfWanted;
    let count = 0;
    for (let ref = newest; ref !== 0; ref = sealed.olderOf(ref)) {
      if (sealed.maxMsOf(ref) < this.#minMs) break;
      const samples = Math.min(later, later === 0 ? 0 : sealed.samplesOf(ref));
      later -= samples;
      if (this.#wants(target, sealed.minMsOf(ref), sealed.maxMsOf(ref))) {
        refs[count] = ref;
        hiddenOf[count++] = samples;
      }
    }
    for (let i = count - 1; i >= 0; i--) {
      const ref = refs[i]!;
      const { encoding, bytes, start, length } = sealed.read(ref);
      const chunk = { encoding, bytes, offset: start, length, hidden: hiddenOf[i]! };
      const times = { minMs: sealed.minMsOf(ref), maxMs: sealed.maxMsOf(ref) };
      target.addChunk(chunk, deleted, this.#place, times);
    }
  }

  #wants(target: SampleTarget, minMs: number, maxMs: number): boolean {
    return target.overlaps(minMs, maxMs) && touches(this.#range, minMs, maxMs);
  }

  close(): void {
    this.#head.readers.delete(this.#registration);
  }
}

/** References of the live series of which samples were deleted. */
export function headSeriesWithDeletions(head: Head): Uint32Array {
  const { table, tombstones, outOfOrder } = head;
  const refs = new Set(tombstones.keys());
  for (const slot of outOfOrder.samples.slotsWithDeletions()) refs.add(table.refs[slot]!);
  return Uint32Array.from(refs).filter((ref) => table.slotOf(ref) >= 0);
}

/** Series, or values, that are looked at between two steps. */
const STEP = 2_048;

/**
 * Names of the labels of the matching series, or of all when there is no matcher, not counting `hidden` ones. Unsorted. Yields
 * between steps; series that leave the head meanwhile need not count.
 */
export function* headLabelNames(
  head: Head,
  matchers: readonly Matcher[],
  hidden: ReadonlySet<number>,
): Generator<void, Set<string>> {
  const { table } = head;
  const names = new Set<string>();
  if (matchers.length === 0) {
    const index = new HeadLabelIndex(head);
    const doubtful = new Set<string>();
    for (const labels of labelsOf(head, hidden)) for (const [name] of labels) doubtful.add(name);
    for (const id of table.postings.names()) {
      const name = table.symbols.text(id);
      if (
        !doubtful.has(name) ||
        isLabelShown(index, { name, value: null }, hiddenOrGone(head, hidden))
      ) {
        names.add(name);
      }
    }
    return names;
  }
  for (const [i, ref] of matchPostings(new HeadLabelIndex(head), matchers).entries()) {
    if (i % STEP === 0) yield;
    const slot = hidden.has(ref) ? -1 : table.slotOf(ref);
    if (slot >= 0) for (const [name] of table.labelsOf(slot)) names.add(name);
  }
  return names;
}

/** Values of one label over the matching series, or over all when there is no matcher, as {@link headLabelNames}. */
export function* headLabelValues(
  head: Head,
  name: string,
  matchers: readonly Matcher[],
  hidden: ReadonlySet<number>,
): Generator<void, Set<string>> {
  const { table } = head;
  const values = new Set<string>();
  const nameId = table.symbols.find(name);
  if (nameId < 0) return values;
  if (matchers.length === 0) {
    const ids = table.postings.valuesOf(nameId);
    const index = new HeadLabelIndex(head);
    const doubtful = new Set<string>();
    for (const labels of labelsOf(head, hidden)) doubtful.add(labels.get(name));
    const { removals } = table;
    for (const [i, id] of ids.entries()) {
      if (i % STEP === 0) yield;
      // Numbers of texts may by now be others'.
      if (removals !== table.removals) return yield* headLabelValues(head, name, matchers, hidden);
      const value = table.symbols.text(id);
      if (
        !doubtful.has(value) ||
        isLabelShown(index, { name, value }, hiddenOrGone(head, hidden))
      ) {
        values.add(value);
      }
    }
    return values;
  }
  const found = matchPostings(new HeadLabelIndex(head), matchers);
  const isShown = (ref: number): boolean => !hidden.has(ref) && table.slotOf(ref) >= 0;
  for (let at = 0; at < found.length; at += STEP) {
    const live = found.subarray(at, at + STEP).filter(isShown);
    for (const value of new HeadLabelIndex(head).valuesOf(live, name)) values.add(value);
    yield;
  }
  return values;
}

function* labelsOf(head: Head, refs: ReadonlySet<number>): IterableIterator<Labels> {
  for (const ref of refs) {
    const slot = head.table.slotOf(ref);
    if (slot >= 0) yield head.table.labelsOf(slot);
  }
}

function hiddenOrGone(head: Head, hidden: ReadonlySet<number>): (ref: number) => boolean {
  return (ref) => hidden.has(ref) || head.table.slotOf(ref) < 0;
}
