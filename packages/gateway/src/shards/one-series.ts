import type { Annotation, SeriesColumns, SeriesJoin } from '@pollux/storage';
import { cutToSegments } from '../splice/cut-to-segments.ts';
import type { Segment } from '../splice/segments.ts';

/**
 * One series of what several shards gave under the same labels. A target that has moved from one shard to another has its samples in
 * both, one after the other: they are joined, with the guard between them. Where two have samples of the same time, which is of
 * rules that each evaluates over its own targets, the first shard's are shown, with a warning; they are never mixed.
 */
export class OneSeries implements SeriesJoin {
  readonly #guardMs: number;
  #doubled = 0;
  #example = '';

  constructor(guardMs: number) {
    this.#guardMs = guardMs;
  }

  get warnings(): readonly Annotation[] {
    if (this.#doubled === 0) return [];
    const text = `${this.#doubled} series are in several shards, and the first one's samples are shown: ${this.#example}`;
    return [{ kind: 'warning', text }];
  }

  join(parts: readonly SeriesColumns[]): SeriesColumns | null {
    const [first, ...others] = parts.filter(({ count }) => count > 0);
    if (first === undefined) return null;
    if (others.length === 0) return first;
    const segments: Segment[] = [{ replica: 0, ...spanOf(first) }];
    let { startMs, endMs } = spanOf(first);
    let isDoubled = false;
    for (const [index, other] of others.entries()) {
      const own = spanOf(other);
      const replica = index + 1;
      isDoubled ||= hasWithin(other, startMs, endMs);
      if (own.endMs > endMs + this.#guardMs) {
        segments.push({ replica, startMs: endMs + this.#guardMs, endMs: own.endMs });
        endMs = own.endMs;
      }
      if (own.startMs < startMs - this.#guardMs) {
        segments.unshift({ replica, startMs: own.startMs, endMs: startMs - this.#guardMs });
        startMs = own.startMs;
      }
    }
    if (isDoubled) {
      this.#doubled++;
      if (this.#example === '') this.#example = first.labels.toString();
    }
    return cutToSegments(new Map([first, ...others].map((part, at) => [at, part])), segments);
  }
}

function spanOf({ timestampsMs, count }: SeriesColumns): {
  readonly startMs: number;
  readonly endMs: number;
} {
  return { startMs: timestampsMs[0]!, endMs: timestampsMs[count - 1]! + 1 };
}

function hasWithin(
  { timestampsMs, count }: SeriesColumns,
  startMs: number,
  endMs: number,
): boolean {
  for (let i = 0; i < count; i++)
    if (timestampsMs[i]! >= startMs && timestampsMs[i]! < endMs) return true;
  return false;
}
