import type { LabelIndex } from '@pollux/index';
import { intersectPostings } from '@pollux/kernels';
import type { Matcher } from '@pollux/model';
import type { SelectSize, TimeRange } from '@pollux/storage';
import type { Block } from '../block/block.ts';
import { isDamage } from '../block/block-cursor.ts';
import type { Head } from '../head/head.ts';
import { HeadLabelIndex, selectHead } from '../head/read.ts';
import { overlapsHead } from './open-cursors.ts';

/** Matching so many series of the head costs less than handing a query over. */
const MOST_MATCHED = 4_096;
const FEW_MATCHED = 512;
/** Reading the postings of more blocks is work. */
const MOST_BLOCKS = 8;
/** The open chunks of so many series tell how often samples come. */
const LOOKED_AT = 8;
/** Where no chunk tells: nobody scrapes more often. */
const LEAST_INTERVAL_MS = 1_000;
/** What decoding one histogram costs, in samples. */
const SAMPLES_OF_HISTOGRAM = 32;

type Asked = { readonly range: TimeRange; readonly matchers: readonly Matcher[] };

/** See {@link Queryable.sizeAtMost}. */
export function selectSize(
  parts: { readonly head: Head; readonly blocks: readonly Block[] },
  asked: Asked,
  mostSamples: number,
): SelectSize | null {
  const { head, blocks } = parts;
  const { range, matchers } = asked;
  let series = 0;
  let samples = 0;
  if (overlapsHead(head, range)) {
    const found = headSize(head, asked, mostSamples);
    series = found.series;
    samples = found.samples;
  }
  const touched = blocks.filter((block) => block.overlaps(range));
  if (touched.length > MOST_BLOCKS) return null;
  for (const block of touched) {
    if (samples > mostSamples) return null;
    const found = seriesInBlock(block, matchers);
    if (found === null) return null;
    series += found;
    samples += found * samplesOfSeries(block, range);
  }
  return samples > mostSamples ? null : { series, samples };
}

/** How many series of the head may pass all matchers, at most; takes no time. */
export function headSeriesAtMost(head: Head, matchers: readonly Matcher[]): number {
  return shortestPostings(new HeadLabelIndex(head), matchers)?.length ?? head.table.count;
}

function headSize(head: Head, { range, matchers }: Asked, mostSamples: number): SelectSize {
  const spanMs = Math.min(range.maxMs, head.maxMs) - Math.max(range.minMs, head.minMs);
  const bound = shortestPostings(new HeadLabelIndex(head), matchers);
  let refs = bound ?? new Uint32Array(0);
  let series = bound === null ? head.table.count : refs.length;
  let perSeries = samplesOfHeadSeries(head, refs, spanMs);
  // Few are matched in no time, and what is found is known when the query asks.
  const isNarrowed = (bound === null || matchers.length > 1) && series <= MOST_MATCHED;
  if (isNarrowed && (series <= FEW_MATCHED || series * perSeries > mostSamples)) {
    const found = selectHead(head, matchers);
    refs = found instanceof Uint32Array ? found : found.refs;
    series = refs.length;
    perSeries = samplesOfHeadSeries(head, refs, spanMs);
  }
  return { series, samples: series * perSeries };
}

/** By the open chunks of a few of the series. */
function samplesOfHeadSeries(head: Head, refs: Uint32Array, spanMs: number): number {
  let intervalMs = Number.POSITIVE_INFINITY;
  let weight = 1;
  const stride = Math.max(1, Math.floor(refs.length / LOOKED_AT));
  for (let i = 0; i < refs.length; i += stride) {
    const slot = head.table.slotOf(refs[i]!);
    if (slot < 0) continue;
    if (head.endsInHistogram(slot)) weight = SAMPLES_OF_HISTOGRAM;
    const chunk = head.openChunkOf(slot);
    if (chunk === null || chunk.samples < 2) continue;
    intervalMs = Math.min(intervalMs, (chunk.maxMs - chunk.minMs) / (chunk.samples - 1));
  }
  if (!Number.isFinite(intervalMs)) intervalMs = LEAST_INTERVAL_MS;
  return weight * (1 + Math.max(0, spanMs) / Math.max(1, intervalMs));
}

function samplesOfSeries({ meta }: Block, range: TimeRange): number {
  const { minTime, maxTime, stats } = meta;
  const { numSamples, numSeries, numHistogramSamples = 0 } = stats;
  const fromMs = Math.max(minTime, range.minMs);
  const part = (Math.min(maxTime, range.maxMs) - fromMs) / Math.max(1, maxTime - minTime);
  const weight = numHistogramSamples > 0 ? SAMPLES_OF_HISTOGRAM : 1;
  return weight * (1 + (numSamples / Math.max(1, numSeries)) * Math.max(0, part));
}

/** Null when the block cannot tell. */
function seriesInBlock(block: Block, matchers: readonly Matcher[]): number | null {
  try {
    const found = shortestPostings(block.index, matchers);
    return found === null ? null : narrowed(found, block.index, matchers);
  } catch (error) {
    if (isDamage(error)) return null;
    throw error;
  }
}

/** How many of few series have all labels that must have one value; of many it is not looked at. */
function narrowed(refs: Uint32Array, index: LabelIndex, matchers: readonly Matcher[]): number {
  let left = refs;
  if (refs.length > FEW_MATCHED) return refs.length;
  for (const { operator, name, value } of matchers) {
    if (operator !== '=' || value === '' || left.length === 0) continue;
    const both = new Uint32Array(left.length);
    left = both.subarray(0, intersectPostings(left, index.postings(name, value), both));
  }
  return left.length;
}

/** Of the labels that must have one value; null when there is none. */
function shortestPostings(index: LabelIndex, matchers: readonly Matcher[]): Uint32Array | null {
  let shortest: Uint32Array | null = null;
  for (const { operator, name, value } of matchers) {
    if (operator !== '=' || value === '') continue;
    const list = index.postings(name, value);
    if (shortest === null || list.length < shortest.length) shortest = list;
  }
  return shortest;
}
