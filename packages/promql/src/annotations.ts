import { quoteText } from '@pollux/model';
import type { Annotation } from '@pollux/storage';
import { lineAndColumn, type PositionRange } from './parser/parse-error.ts';
import { printGeneral } from './print-general.ts';

/** A remark that is merged with others of its key: only the widest figures are told. */
type MonotonicityFix = {
  readonly head: string;
  readonly place: string;
  minTimestampMs: number;
  maxTimestampMs: number;
  minBucket: number;
  maxBucket: number;
  maxDifference: number;
  count: number;
};

/** Distinct remarks kept per query; the rest would say the same of other series. */
const MAX_ANNOTATIONS = 10_000;

/**
 * What the user should know of how an answer came about. Warnings may mean that it is wrong, infos that it may surprise.
 * Texts and positions are Prometheus' own; of equal remarks the last one's position is told.
 */
export class Annotations {
  readonly #query: string;
  readonly #items = new Map<string, Annotation>();
  /** Where the remarks of a text were made last. */
  readonly #starts = new Map<string, number>();
  readonly #fixes = new Map<string, MonotonicityFix>();

  constructor(query: string) {
    this.#query = query;
  }

  warn(text: string, range: PositionRange): void {
    this.#add('warning', `PromQL warning: ${text}`, range);
  }

  info(text: string, range: PositionRange): void {
    this.#add('info', `PromQL info: ${text}`, range);
  }

  /** Passes on what a storage said. */
  addAll(items: readonly Annotation[]): void {
    for (const item of items) this.#items.set(`${item.kind}${item.text}`, item);
  }

  /** A classic histogram had to be forced to be monotonic. */
  monotonicityFix(
    metricName: string,
    range: PositionRange,
    fix: {
      readonly timestampMs: number;
      readonly minBucket: number;
      readonly maxBucket: number;
      readonly maxDifference: number;
    },
  ): void {
    const head = `PromQL info: input to histogram_quantile needed to be fixed for monotonicity (see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)${forMetric(metricName)}`;
    // Of these the first one's position is told.
    const known = this.#fixes.get(head);
    if (known === undefined) {
      if (this.#fixes.size >= MAX_ANNOTATIONS) return;
      this.#fixes.set(head, {
        head,
        place: lineAndColumn(this.#query, range.start),
        minTimestampMs: fix.timestampMs,
        maxTimestampMs: fix.timestampMs,
        minBucket: fix.minBucket,
        maxBucket: fix.maxBucket,
        maxDifference: fix.maxDifference,
        count: 1,
      });
      return;
    }
    known.minTimestampMs = Math.min(known.minTimestampMs, fix.timestampMs);
    known.maxTimestampMs = Math.max(known.maxTimestampMs, fix.timestampMs);
    known.minBucket = Math.min(known.minBucket, fix.minBucket);
    known.maxBucket = Math.max(known.maxBucket, fix.maxBucket);
    known.maxDifference = Math.max(known.maxDifference, fix.maxDifference);
    known.count++;
  }

  list(): readonly Annotation[] {
    const fixes = [...this.#fixes.values()].map(
      (fix): Annotation => ({ kind: 'info', text: describeFix(fix) }),
    );
    return [...this.#items.values(), ...fixes];
  }

  #add(kind: Annotation['kind'], text: string, range: PositionRange): void {
    const key = kind + text;
    if (this.#starts.get(key) === range.start) return;
    if (this.#items.size >= MAX_ANNOTATIONS && !this.#items.has(key)) return;
    this.#starts.set(key, range.start);
    this.#items.set(key, {
      kind,
      text: `${text} (${lineAndColumn(this.#query, range.start)})`,
    });
  }
}

/** ` for metric name "x"`, or nothing for a series without a name. */
export function forMetric(metricName: string): string {
  return metricName === '' ? '' : ` for metric name ${quoteText(metricName)}`;
}

function describeFix(fix: MonotonicityFix): string {
  const { head, place, minBucket, maxBucket, maxDifference, minTimestampMs, maxTimestampMs } = fix;
  const when = `over ${fix.count} samples from ${wholeSecond(minTimestampMs)} to ${wholeSecond(maxTimestampMs)}`;
  return `${head}, from buckets ${printGeneral(minBucket)} to ${printGeneral(maxBucket)}, with a max diff of ${printGeneral(maxDifference, 2)}, ${when} (${place})`;
}

function wholeSecond(timestampMs: number): string {
  return new Date(Math.trunc(timestampMs / 1000) * 1000).toISOString().replace('.000Z', 'Z');
}
