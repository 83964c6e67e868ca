import type { Clock } from '@pollux/base';
import type { Exemplar, FloatHistogram, Labels, Metadata } from '@pollux/model';
import { APPEND_OUTCOME, type Appendable, type Appender, type SeriesRef } from './appendable.ts';
import { seriesOfUtf8 } from './utf8-labels.ts';

/** How far in the future a sample may be that comes from a target or a sender, as in Prometheus. */
export const MAX_AHEAD_MS = 10 * 60 * 1000;

/**
 * Refuses samples that are further ahead of the clock than `maxAheadMs`, as `tooFarAhead`; one of them would move the head's
 * newest time and shut out everybody else. For what comes from outside: rules write at times of their own making.
 */
export function limitAhead(
  inner: Appendable,
  clock: Clock,
  maxAheadMs: number = MAX_AHEAD_MS,
): Appendable {
  return { appender: () => new AheadLimit(inner.appender(), clock.now() + maxAheadMs) };
}

class AheadLimit implements Appender {
  readonly #inner: Appender;
  readonly #maxMs: number;

  constructor(inner: Appender, maxMs: number) {
    this.#inner = inner;
    this.#maxMs = maxMs;
  }

  get refusesOutOfOrder(): boolean {
    return this.#inner.refusesOutOfOrder === true;
  }

  set refusesOutOfOrder(refuses: boolean) {
    this.#inner.refusesOutOfOrder = refuses;
  }

  series(labels: Labels): SeriesRef {
    return this.#inner.series(labels);
  }

  seriesOfUtf8(data: Uint8Array, spans: Uint32Array, count: number): SeriesRef {
    return seriesOfUtf8(this.#inner, data, spans, count);
  }

  appendFloats(
    refs: Uint32Array,
    timestampsMs: Float64Array,
    values: Float64Array,
    startTimestampsMs: Float64Array | null,
    count: number,
    outcomes: Uint8Array,
  ): number {
    for (let i = 0; i < count; i++) {
      if (!(timestampsMs[i]! > this.#maxMs)) continue;
      const columns = { refs, timestampsMs, values, startTimestampsMs };
      return this.#appendNear(columns, count, outcomes);
    }
    return this.#inner.appendFloats(refs, timestampsMs, values, startTimestampsMs, count, outcomes);
  }

  appendHistogram(
    ref: SeriesRef,
    timestampMs: number,
    histogram: FloatHistogram,
    startTimestampMs: number,
  ): number {
    if (timestampMs > this.#maxMs) return APPEND_OUTCOME.tooFarAhead;
    return this.#inner.appendHistogram(ref, timestampMs, histogram, startTimestampMs);
  }

  appendExemplar(ref: SeriesRef, exemplar: Exemplar): void {
    this.#inner.appendExemplar(ref, exemplar);
  }

  setMetadata(ref: SeriesRef, metadata: Metadata): void {
    this.#inner.setMetadata(ref, metadata);
  }

  commit(): Promise<void> {
    return this.#inner.commit();
  }

  rollback(): void {
    this.#inner.rollback();
  }

  /** Appends those that are not too far ahead. */
  #appendNear(
    columns: {
      readonly refs: Uint32Array;
      readonly timestampsMs: Float64Array;
      readonly values: Float64Array;
      readonly startTimestampsMs: Float64Array | null;
    },
    count: number,
    outcomes: Uint8Array,
  ): number {
    const near: number[] = [];
    for (let i = 0; i < count; i++) {
      if (columns.timestampsMs[i]! > this.#maxMs) outcomes[i] = APPEND_OUTCOME.tooFarAhead;
      else near.push(i);
    }
    // Values move as whole 64-bit words, so that NaN payloads survive.
    const source = new BigUint64Array(columns.values.buffer, columns.values.byteOffset, count);
    const words = BigUint64Array.from(near, (i) => source[i]!);
    const { startTimestampsMs } = columns;
    const nearOutcomes = new Uint8Array(near.length);
    const taken = this.#inner.appendFloats(
      Uint32Array.from(near, (i) => columns.refs[i]!),
      Float64Array.from(near, (i) => columns.timestampsMs[i]!),
      new Float64Array(words.buffer),
      startTimestampsMs && Float64Array.from(near, (i) => startTimestampsMs[i]!),
      near.length,
      nearOutcomes,
    );
    for (const [at, i] of near.entries()) outcomes[i] = nearOutcomes[at]!;
    return taken;
  }
}
