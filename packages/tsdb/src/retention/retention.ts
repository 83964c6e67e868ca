import type { Files } from '@pollux/base';
import type { Block } from '../block/block.ts';
import { blockRanges } from '../compaction/plan.ts';
import type { Expiry } from './expiry.ts';
import { countClasses, type SeriesClasses } from './series-classes.ts';
import type { RetentionSettings } from './settings.ts';

/** Largest block that is made without an explicit setting, and the share of what is kept that it may be. */
const MAX_BLOCK_MS = 31 * 24 * 60 * 60 * 1000;
const BLOCK_SHARE = 0.1;
/** A block is rewritten when this share of its series is expired … */
const REWRITE_SHARE = 0.05;
/** … or when some are overdue by this share of the time that they are kept. */
const REWRITE_DELAY = 0.1;

/** What rules want done with a block. */
export type Verdict =
  /** All of it is still wanted. */
  | 'keep'
  /** Some of its series are not, enough to be worth the writing. */
  | 'rewrite'
  | 'drop';

/** Decides what is old or large enough to be deleted. Time is data time: that of the newest block, as in Prometheus. */
export class Retention {
  #settings: RetentionSettings;
  readonly #files: Files;
  readonly #directory: string;
  /** By block, for the rules of now; a block's series never change. */
  #classes = new WeakMap<Block, SeriesClasses>();

  constructor(files: Files, directory: string, settings: RetentionSettings) {
    this.#files = files;
    this.#directory = directory;
    this.#settings = settings;
  }

  get settings(): RetentionSettings {
    return this.#settings;
  }

  set settings(settings: RetentionSettings) {
    this.#settings = settings;
    this.#classes = new WeakMap();
  }

  /** Bytes that may be used; 0 = no limit. */
  get limitBytes(): number {
    const { percentage, bytes } = this.#settings;
    if (percentage === 0) return bytes;
    return Math.floor((this.#files.space(this.#directory).totalBytes * percentage) / 100);
  }

  /** True when the next {@link verdict} on the block has to look through its index. */
  isUnknown(block: Block): boolean {
    return this.#settings.rules.length > 0 && !this.#classes.has(block);
  }

  /** What to do with a block when the newest block ends at `newestMs`. */
  verdict(block: Block, newestMs: number): Verdict {
    const { timeMs, rules } = this.#settings;
    const ageMs = newestMs - block.meta.maxTime;
    if (rules.length === 0) return isExpired(ageMs, timeMs) ? 'drop' : 'keep';
    const { counts } = this.#classesOf(block);
    let total = 0;
    let expired = 0;
    let isOverdue = false;
    for (const [kind, keepMs] of this.#keeps().entries()) {
      const count = counts[kind]!;
      total += count;
      if (count === 0 || !isExpired(ageMs, keepMs)) continue;
      expired += count;
      if (ageMs >= keepMs * (1 + REWRITE_DELAY)) isOverdue = true;
    }
    if (expired === total) return total === 0 ? 'keep' : 'drop';
    return expired > 0 && (isOverdue || expired / total >= REWRITE_SHARE) ? 'rewrite' : 'keep';
  }

  /** What a rewrite leaves out. Null when rules expire nothing. */
  expiry(newestMs: number): Expiry | null {
    const { rules } = this.#settings;
    if (rules.length === 0) return null;
    return { rules, cutoffsMs: this.#cutoffsMs(newestMs) };
  }

  /** True when the block has series of which everything before a time within it is expired. */
  expiresIn(block: Block, newestMs: number): boolean {
    const cutoffs = this.#cutoffsMs(newestMs);
    const { counts } = this.#classesOf(block);
    return cutoffs.some((cutoffMs, kind) => counts[kind]! > 0 && cutoffMs > block.meta.minTime);
  }

  /**
   * Lengths of blocks, ascending. Without `maxMs` (0) the largest is a tenth of what is kept longest, and at most 31 days.
   */
  ranges(minMs: number, maxMs: number): number[] {
    if (maxMs > 0) return blockRanges(minMs, maxMs);
    return blockRanges(minMs, Math.max(...this.#keeps().map(largestBlockMs)));
  }

  /**
   * False while a block of this length would keep series on the disk for long beyond their time: blocks longer than a
   * tenth of it are only made where those series have expired.
   */
  mayFill(rangeMs: number, maxTime: number, newestMs: number): boolean {
    if (this.#settings.rules.length === 0) return true;
    return this.#keeps().every(
      (keepMs) => rangeMs <= largestBlockMs(keepMs) || isExpired(newestMs - maxTime, keepMs),
    );
  }

  /** How long each class is kept; 0 = for ever. */
  #keeps(): number[] {
    const { rules, timeMs } = this.#settings;
    return [...rules.map(({ keepMs }) => keepMs), timeMs];
  }

  /** For each rule, and last for what no rule names, the time before which samples are expired; −Infinity for never. */
  #cutoffsMs(newestMs: number): number[] {
    return this.#keeps().map((keepMs) =>
      keepMs === 0 ? Number.NEGATIVE_INFINITY : newestMs - keepMs,
    );
  }

  #classesOf(block: Block): SeriesClasses {
    const known = this.#classes.get(block) ?? countClasses(block, this.#settings.rules);
    this.#classes.set(block, known);
    return known;
  }
}

function isExpired(ageMs: number, keepMs: number): boolean {
  return keepMs > 0 && ageMs >= keepMs;
}

function largestBlockMs(keepMs: number): number {
  return keepMs === 0 ? MAX_BLOCK_MS : Math.min(MAX_BLOCK_MS, keepMs * BLOCK_SHARE);
}
