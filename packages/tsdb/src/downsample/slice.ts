import type { Files } from '@pollux/base';
import type { TimeRange } from '@pollux/storage';
import type { Block } from '../block/block.ts';
import { isDamage } from '../block/block-cursor.ts';
import type { Slices } from '../slices.ts';
import {
  addToBitmap,
  decodeRawDropped,
  encodeRawDropped,
  isInBitmap,
  type RawDropped,
} from './raw-dropped.ts';

export const RAW_DROPPED_FILE = 'raw-dropped';

/**
 * Buckets of one resolution over a range of time. While all samples of that time are there it is only a faster way to read
 * them; from the moment that some are dropped by retention it is all that is left of those.
 */
export class Slice {
  readonly block: Block;
  readonly resolutionMs: number;
  readonly #files: Files;
  /** Null: nothing was dropped; undefined: not read yet. */
  #dropped: RawDropped | null | undefined = undefined;
  /** References of all series; only needed while samples of some series are there and of others not. */
  #refs: Uint32Array | null = null;

  constructor(files: Files, block: Block, resolutionMs: number) {
    this.#files = files;
    this.block = block;
    this.resolutionMs = resolutionMs;
    this.#known();
  }

  /** Both ends included. */
  get range(): TimeRange {
    const { minTime, maxTime } = this.block.meta;
    return { minMs: minTime, maxMs: maxTime - 1 };
  }

  /** True when it was made of damaged blocks, shortly before they were dropped. */
  get isIncomplete(): boolean {
    return this.block.meta.compaction.isIncomplete === true;
  }

  /** Samples up to this time may be gone; −Infinity while all are there. */
  get droppedUntilMs(): number {
    return this.#known()?.untilMs ?? Number.NEGATIVE_INFINITY;
  }

  /** True when samples of the series may be gone. */
  isDropped(ref: number): boolean {
    const dropped = this.#known();
    if (dropped === null) return false;
    const { series } = dropped;
    return series === 'all' || isInBitmap(series, this.#indexOf(ref));
  }

  /** Says on the disk, before it is done, that samples up to a time are dropped: of all series or of those in the bitmap. */
  noteDropped(untilMs: number, series: RawDropped['series']): void {
    const before = this.#dropped ?? this.#readDropped();
    const merged = before === null ? series : united(before.series, series);
    const until = Math.max(Math.min(untilMs, this.range.maxMs), this.droppedUntilMs);
    const isNews = before === null || until > before.untilMs || !isSame(before.series, merged);
    if (!isNews || (series !== 'all' && series.every((byte) => byte === 0))) return;
    const dropped = { untilMs: until, series: merged };
    this.#dropped = dropped;
    const path = `${this.block.directory}/${RAW_DROPPED_FILE}`;
    this.#files.replaceFile(path, encodeRawDropped(dropped));
  }

  /** Makes hard links of all files in `target`. */
  linkInto(target: string): void {
    this.block.linkInto(target);
    const path = `${this.block.directory}/${RAW_DROPPED_FILE}`;
    if (!this.#files.exists(path)) return;
    this.#files.link(path, `${target}/${RAW_DROPPED_FILE}`);
    this.#files.syncDirectory(target);
  }

  /** What {@link noteDropped} has to say of a copy of this slice, which may have fewer series. Null: nothing. */
  async droppedOfCopy(copy: Block, slices: Slices): Promise<RawDropped | null> {
    const dropped = this.#dropped ?? this.#readDropped();
    if (dropped === null || dropped.series === 'all') return dropped;
    const refs = copy.index.all();
    const bitmap = new Uint8Array(Math.ceil(refs.length / 8));
    const own = this.#allRefs();
    let at = 0;
    for (const [index, ref] of refs.entries()) {
      const { labels } = copy.index.series(ref);
      while (at < own.length && !this.block.index.series(own[at]!).labels.equals(labels)) at++;
      if (at < own.length && isInBitmap(dropped.series, at)) addToBitmap(bitmap, index);
      if (slices.isOver) await slices.pause();
    }
    return { untilMs: dropped.untilMs, series: bitmap };
  }

  /** What was dropped; all, as long as that cannot be read. */
  #known(): RawDropped | null {
    if (this.#dropped !== undefined) return this.#dropped;
    try {
      this.#dropped = this.#readDropped();
      return this.#dropped;
    } catch (error) {
      if (!isDamage(error)) throw error;
      return this.#everything();
    }
  }

  /** Throws the system's error; a file that is damaged for good stands for everything. */
  #readDropped(): RawDropped | null {
    const path = `${this.block.directory}/${RAW_DROPPED_FILE}`;
    if (!this.#files.exists(path)) return null;
    const bytes = this.#files.readFile(path);
    try {
      return decodeRawDropped(bytes, path);
    } catch (error) {
      if (!isDamage(error)) throw error;
      return this.#everything();
    }
  }

  #everything(): RawDropped {
    return { untilMs: this.range.maxMs, series: 'all' };
  }

  #indexOf(ref: number): number {
    const refs = this.#allRefs();
    let low = 0;
    let high = refs.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (refs[middle]! < ref) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #allRefs(): Uint32Array {
    this.#refs ??= this.block.index.all();
    return this.#refs;
  }
}

function united(a: RawDropped['series'], b: RawDropped['series']): RawDropped['series'] {
  if (a === 'all' || b === 'all') return 'all';
  return a.map((byte, index) => byte | (b[index] ?? 0));
}

function isSame(a: RawDropped['series'], b: RawDropped['series']): boolean {
  if (a === 'all' || b === 'all') return a === b;
  return Buffer.compare(a, b) === 0;
}
