import { InputError } from '@pollux/base';
import {
  type FloatHistogram,
  histogramFault,
  isStaleAt,
  type Labels,
  wordsOf,
} from '@pollux/model';
import { APPEND_OUTCOME, type Appendable, type Appender } from '@pollux/storage';

/** Times in results count from here. */
export const START_MS = 1_700_000_000_000;

type Stored = {
  labels: Labels;
  timestampMs: number;
  value: number;
  isStale: boolean;
  /** Whether it would have been refused had it come late. */
  isNeverLate: boolean;
};

type StoredHistogram = {
  readonly labels: Labels;
  readonly timestampMs: number;
  readonly histogram: FloatHistogram;
};

/** A database in memory: append semantics, refs that can be forgotten, a switch for failing commits. */
export class FakeDatabase implements Appendable {
  readonly samples: Stored[] = [];
  readonly histograms: StoredHistogram[] = [];
  readonly exemplars: unknown[] = [];
  appendCalls = 0;
  commits = 0;
  rollbacks = 0;
  commitError: Error | null = null;
  seriesLimit = Number.POSITIVE_INFINITY;
  readonly #refs = new Map<string, number>();
  readonly #labels = new Map<number, Labels>();
  readonly #newest = new Map<number, Stored>();
  #nextRef = 1;

  forgetRefs(): void {
    this.#refs.clear();
    this.#labels.clear();
    this.#newest.clear();
  }

  appender(): Appender {
    const staged: Stored[] = [];
    const histograms: StoredHistogram[] = [];
    const newestHere = new Map<number, Stored>();
    const appender: Appender = {
      refusesOutOfOrder: false,
      series: (labels) => {
        const known = this.#refs.get(labels.key());
        if (known !== undefined) return known;
        if (this.#refs.size >= this.seriesLimit) return 0;
        const ref = this.#nextRef++;
        this.#refs.set(labels.key(), ref);
        this.#labels.set(ref, labels);
        return ref;
      },
      appendFloats: (refs, timestampsMs, values, _starts, count, outcomes) => {
        this.appendCalls++;
        const words = wordsOf(values);
        for (let i = 0; i < count; i++) {
          const ref = refs[i]!;
          const labels = this.#labels.get(ref);
          const newest = newestHere.get(ref) ?? this.#newest.get(ref);
          const sample: Stored = {
            labels: labels!,
            timestampMs: timestampsMs[i]!,
            value: values[i]!,
            isStale: isStaleAt(words, i),
            isNeverLate: appender.refusesOutOfOrder === true,
          };
          if (ref === 0) outcomes[i] = APPEND_OUTCOME.seriesLimit;
          else if (labels === undefined) outcomes[i] = APPEND_OUTCOME.unknownRef;
          else if (newest !== undefined && newest.timestampMs > sample.timestampMs)
            outcomes[i] = APPEND_OUTCOME.outOfOrder;
          else if (newest !== undefined && newest.timestampMs === sample.timestampMs)
            outcomes[i] = Object.is(newest.value, sample.value)
              ? APPEND_OUTCOME.ok
              : APPEND_OUTCOME.duplicate;
          else {
            outcomes[i] = APPEND_OUTCOME.ok;
            newestHere.set(ref, sample);
            staged.push(sample);
          }
        }
        return staged.length;
      },
      appendHistogram: (ref, timestampMs, histogram) => {
        const labels = this.#labels.get(ref);
        if (labels === undefined) return APPEND_OUTCOME.unknownRef;
        const fault = histogramFault(histogram);
        if (fault !== null) throw new InputError('TEST.HISTOGRAM', '', fault);
        histograms.push({ labels, timestampMs, histogram });
        return APPEND_OUTCOME.ok;
      },
      appendExemplar: (_ref, exemplar) => {
        if (exemplar.labels.toString().length > 128)
          throw new InputError('TEST.EXEMPLAR', '', 'exemplar too long');
        this.exemplars.push(exemplar);
      },
      setMetadata: () => {},
      commit: async () => {
        this.commits++;
        if (this.commitError !== null) throw this.commitError;
        for (const [ref, sample] of newestHere) this.#newest.set(ref, sample);
        this.samples.push(...staged);
        this.histograms.push(...histograms);
      },
      rollback: () => {
        this.rollbacks++;
      },
    };
    return appender;
  }

  /** `[time since START, value or 'stale']` of the series printed so. */
  of(series: string): [number, number | 'stale'][] {
    return this.samples
      .filter(({ labels }) => labels.toMetricString() === series)
      .map(({ timestampMs, value, isStale }) => [
        timestampMs - START_MS,
        isStale ? 'stale' : value,
      ]);
  }

  names(): string[] {
    return [...new Set(this.samples.map(({ labels }) => labels.toMetricString()))].sort();
  }
}
