import type { Labels } from '@pollux/model';
import type { Block } from '../block/block.ts';
import type { Slices } from '../slices.ts';
import type { SampleTarget } from './sample-target.ts';

/** Walks the matching series of one head or block in the order of their labels. Synchronous. */
export interface SeriesCursor {
  /** Does the work of very many series before the first look, without holding the thread; without it, the first look does it. */
  prepare?(slices: Slices): Promise<void>;
  /** Labels of the series it stands on, null at the end. */
  readonly labels: Labels | null;
  /** The source's own reference of that series. */
  readonly ref: number;
  /** Of a block: which one. */
  readonly block?: Block;
  advance(): void;
  /** True when the series may have samples in the range; reads no chunk. */
  hasSamples(): boolean;
  /** True when some samples of the series are deleted, so that only {@link read} tells what is left. */
  readonly hasDeletions: boolean;
  /** Adds the series' samples to the target. */
  read(target: SampleTarget): void;
  /** Lets go of what keeps the source alive. Idempotent. */
  close(): void;
}

/** The least labels on which one of the cursors stands; null when all are behind their last series. */
export function leastLabels(cursors: readonly SeriesCursor[]): Labels | null {
  let least: Labels | null = null;
  for (const { labels } of cursors) {
    if (labels !== null && (least === null || labels.compare(least) < 0)) least = labels;
  }
  return least;
}
