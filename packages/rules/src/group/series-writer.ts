import { errorText, OperatingError } from '@pollux/base';
import { type Labels, setStaleAt, wordsOf } from '@pollux/model';
import { APPEND_OUTCOME, type Appendable, type Appender } from '@pollux/storage';
import type { RuleSamples } from '../evaluation.ts';

export type WriteReport = {
  /** Samples of the rule that were taken, stale markers not counted. */
  readonly taken: number;
  /** The first refusal in words, or null when every sample was taken and committed. */
  readonly fault: string | null;
};

const OUTCOME_TEXT: Readonly<Record<number, string>> = {
  [APPEND_OUTCOME.duplicate]: 'duplicate sample for timestamp',
  [APPEND_OUTCOME.outOfOrder]: 'out of order sample',
  [APPEND_OUTCOME.outOfBounds]: 'out of bounds',
  [APPEND_OUTCOME.tooOld]: 'too old sample',
  [APPEND_OUTCOME.tooFarAhead]: 'sample too far in the future',
  [APPEND_OUTCOME.unknownRef]: 'unknown series',
  [APPEND_OUTCOME.seriesLimit]: 'a limit on series refuses the new series',
};

/**
 * Writes what rules give and remembers each rule's series, so that a series which a rule no longer gives ends at once by a
 * stale marker instead of lingering for the lookback time.
 */
export class SeriesWriter {
  readonly #appendable: Appendable;
  /** Per rule: the series of its last evaluation, by key. */
  readonly #previous: Map<string, Labels>[];
  /** Series of rules that are no more, to be ended with the next evaluation. */
  #orphans = new Map<string, Labels>();

  constructor(appendable: Appendable, ruleCount: number) {
    this.#appendable = appendable;
    this.#previous = Array.from({ length: ruleCount }, () => new Map());
  }

  /** Series of rule `from` of another writer go on as those of rule `to` here. */
  adopt(other: SeriesWriter, from: number, to: number): void {
    this.#previous[to] = new Map(other.#previous[from]);
  }

  /** Series of rule `from` of another writer have no rule here. */
  orphan(other: SeriesWriter, from: number): void {
    for (const [key, labels] of other.#previous[from] ?? []) this.#orphans.set(key, labels);
  }

  /** Series waiting for their end in another writer wait here now. */
  inheritOrphans(other: SeriesWriter): void {
    for (const [key, labels] of other.#orphans) this.#orphans.set(key, labels);
  }

  /** Every series of every rule is to end with the next {@link endOrphans}. */
  orphanAll(): void {
    for (const series of this.#previous) {
      for (const [key, labels] of series) this.#orphans.set(key, labels);
      series.clear();
    }
  }

  /** One batch: the samples of one rule and the ends of what it gave before and gives no more. */
  async write(ruleIndex: number, samples: RuleSamples, atMs: number): Promise<WriteReport> {
    const previous = this.#previous[ruleIndex] ?? new Map<string, Labels>();
    const current = new Map<string, Labels>();
    const appender = this.#appendable.appender();
    appender.refusesOutOfOrder = true;
    let fault: string | null = null;
    try {
      fault = appendSamples(appender, samples, atMs, current);
      const ended = [...previous].filter(([key]) => !current.has(key)).map(([, labels]) => labels);
      appendStale(appender, ended, atMs);
    } catch (error) {
      appender.rollback();
      throw error;
    }
    await appender.commit();
    this.#previous[ruleIndex] = current;
    return { taken: current.size, fault };
  }

  /** Ends the series of rules that are no more, unless some rule gives them again. */
  async endOrphans(atMs: number): Promise<void> {
    if (this.#orphans.size === 0) return;
    for (const series of this.#previous) for (const key of series.keys()) this.#orphans.delete(key);
    const ended = [...this.#orphans.values()];
    this.#orphans = new Map();
    const appender = this.#appendable.appender();
    appender.refusesOutOfOrder = true;
    try {
      appendStale(appender, ended, atMs);
    } catch (error) {
      appender.rollback();
      throw error;
    }
    await appender.commit();
  }
}

/** Stages the samples; fills `current` with the series that were taken and gives the first refusal in words. */
function appendSamples(
  appender: Appender,
  samples: RuleSamples,
  atMs: number,
  current: Map<string, Labels>,
): string | null {
  const size = samples.labels.length;
  const refs = new Uint32Array(size);
  const values = new Float64Array(size);
  // Values move as 64-bit words so that NaN payloads survive.
  const source = wordsOf(samples.values);
  const target = wordsOf(values);
  const staged: Labels[] = [];
  let fault: string | null = null;
  for (const [index, labels] of samples.labels.entries()) {
    const ref = resolve(appender, labels);
    if (typeof ref === 'string') {
      fault ??= ref;
      continue;
    }
    const histogram = samples.histograms?.[index] ?? null;
    if (histogram !== null) {
      const outcome = appender.appendHistogram(ref, atMs, histogram, 0);
      if (outcome === APPEND_OUTCOME.ok) current.set(labels.key(), labels);
      else fault ??= refusal(outcome, labels);
      continue;
    }
    const at = staged.push(labels) - 1;
    refs[at] = ref;
    target[at * 2] = source[index * 2]!;
    target[at * 2 + 1] = source[index * 2 + 1]!;
  }
  const count = staged.length;
  const outcomes = new Uint8Array(count);
  const timestamps = new Float64Array(count).fill(atMs);
  appender.appendFloats(refs, timestamps, values, null, count, outcomes);
  for (const [index, labels] of staged.entries()) {
    const outcome = outcomes[index]!;
    if (outcome === APPEND_OUTCOME.ok) current.set(labels.key(), labels);
    else fault ??= refusal(outcome, labels);
  }
  return fault;
}

/** Refusals of stale markers (the series already ended or is newer) need no word. */
function appendStale(appender: Appender, ended: readonly Labels[], atMs: number): void {
  if (ended.length === 0) return;
  const refs = new Uint32Array(ended.length);
  const values = new Float64Array(ended.length);
  const words = wordsOf(values);
  let count = 0;
  for (const labels of ended) {
    const ref = resolve(appender, labels);
    if (typeof ref === 'string') continue;
    refs[count] = ref;
    setStaleAt(words, count);
    count++;
  }
  const timestamps = new Float64Array(count).fill(atMs);
  appender.appendFloats(refs, timestamps, values, null, count, new Uint8Array(count));
}

/** The series' ref, or why it has none. */
function resolve(appender: Appender, labels: Labels): number | string {
  try {
    return appender.series(labels);
  } catch (error) {
    if (OperatingError.is(error)) return errorText(error);
    throw error;
  }
}

function refusal(outcome: number, labels: Labels): string {
  return `${OUTCOME_TEXT[outcome] ?? 'sample refused'}: ${labels.toMetricString()}`;
}
