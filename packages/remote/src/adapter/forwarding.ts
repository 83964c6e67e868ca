import { assert, type Clock, errorText } from '@pollux/base';
import type { Labels } from '@pollux/model';
import { APPEND_OUTCOME, type Appendable, type Appender, UnavailableError } from '@pollux/storage';
import type { Log, Registry } from '@pollux/telemetry';
import { ForwardingMetrics, type LeftOut } from './forwarding-metrics.ts';
import type { TextTarget } from './text-target.ts';

/** Of the texts of known series, some hundred for each and target. */
const MAX_KNOWN_CHARACTERS = 64_000_000;

export type ForwardingOptions = {
  readonly clock: Clock;
  readonly log: Log;
  readonly registry: Registry;
  /** Each gets every sample. */
  readonly targets: readonly TextTarget[];
};

/**
 * Takes samples for other stores. A batch is taken when all of them have it: where one cannot be reached, all of the batch is to come
 * again, and the others, which overwrite by time, have it twice.
 */
export class Forwarding {
  readonly #options: ForwardingOptions;
  readonly #metrics: ForwardingMetrics;
  #known: KnownSeries;

  constructor(options: ForwardingOptions) {
    const hasInflux = options.targets.some(({ name }) => name === 'influxdb');
    this.#options = options;
    this.#metrics = new ForwardingMetrics(options.registry, hasInflux);
    this.#known = new KnownSeries(options, this.#metrics);
  }

  /** Another one when it knows too many series: who has numbers of them has them of the one that gave them. */
  appendable(): Appendable {
    if (this.#known.isFull) this.#known = new KnownSeries(this.#options, this.#metrics);
    return this.#known;
  }
}

class KnownSeries implements Appendable {
  readonly #options: ForwardingOptions;
  readonly #metrics: ForwardingMetrics;
  /** By their numbers, less one: for each target what its samples say of them. */
  readonly #heads: (readonly (string | null)[])[] = [];
  #characters = 0;

  constructor(options: ForwardingOptions, metrics: ForwardingMetrics) {
    this.#options = options;
    this.#metrics = metrics;
  }

  get isFull(): boolean {
    return this.#characters >= MAX_KNOWN_CHARACTERS;
  }

  appender(): Appender {
    return new Batch(this.#options, this.#metrics, this);
  }

  add(labels: Labels): number {
    const heads = this.#options.targets.map((target) => target.head(labels));
    for (const head of heads) this.#characters += head?.length ?? 0;
    return this.#heads.push(heads);
  }

  headsOf(ref: number): readonly (string | null)[] | undefined {
    return this.#heads[ref - 1];
  }
}

class Batch implements Appender {
  readonly #options: ForwardingOptions;
  readonly #metrics: ForwardingMetrics;
  readonly #series: KnownSeries;
  readonly #texts: string[];
  readonly #counts: number[];
  readonly #leftOut: Record<LeftOut, number[]>;
  #received = 0;

  constructor(options: ForwardingOptions, metrics: ForwardingMetrics, series: KnownSeries) {
    const zeros = (): number[] => options.targets.map(() => 0);
    this.#options = options;
    this.#metrics = metrics;
    this.#series = series;
    this.#texts = options.targets.map(() => '');
    this.#counts = zeros();
    this.#leftOut = { value: zeros(), labels: zeros(), histogram: zeros() };
  }

  series(labels: Labels): number {
    return this.#series.add(labels);
  }

  appendFloats(
    refs: Uint32Array,
    timestampsMs: Float64Array,
    values: Float64Array,
    _startTimestampsMs: Float64Array | null,
    count: number,
    outcomes: Uint8Array,
  ): number {
    const { targets } = this.#options;
    let taken = 0;
    for (let i = 0; i < count; i++) {
      const heads = this.#series.headsOf(refs[i]!);
      if (heads === undefined) {
        outcomes[i] = APPEND_OUTCOME.unknownRef;
        continue;
      }
      outcomes[i] = APPEND_OUTCOME.ok;
      taken++;
      const value = values[i]!;
      const isNumber = Number.isFinite(value);
      for (let t = 0; t < targets.length; t++) {
        const head = heads[t]!;
        if (!isNumber) this.#leftOut.value[t]!++;
        else if (head === null) this.#leftOut.labels[t]!++;
        else {
          this.#texts[t] += targets[t]!.sample(head, timestampsMs[i]!, value);
          this.#counts[t]!++;
        }
      }
    }
    this.#received += taken;
    return taken;
  }

  appendHistogram(ref: number): number {
    if (this.#series.headsOf(ref) === undefined) return APPEND_OUTCOME.unknownRef;
    this.#received++;
    for (let t = 0; t < this.#counts.length; t++) this.#leftOut.histogram[t]!++;
    return APPEND_OUTCOME.ok;
  }

  /** No target has a place for them. */
  appendExemplar(): void {}

  /** No target has a place for it. */
  setMetadata(): void {}

  async commit(): Promise<void> {
    this.#count();
    const sent = await Promise.allSettled(
      this.#options.targets.map((target, index) => this.#send(target, index)),
    );
    const reasons: unknown[] = sent.flatMap((one) =>
      one.status === 'rejected' ? [one.reason] : [],
    );
    if (reasons.length === 0) return;
    // What another may take later must not be dropped with what one refuses.
    const waiting = reasons.filter((reason) => UnavailableError.behind(reason) !== null);
    if (waiting.length > 0) throw new UnavailableError(waiting.map(errorText).join('; '));
    throw reasons[0];
  }

  rollback(): void {}

  #count(): void {
    const { targets } = this.#options;
    const { received, leftOut, influxIgnored } = this.#metrics;
    received.inc(this.#received);
    for (const [reason, counts] of Object.entries(this.#leftOut)) {
      for (const [index, { name }] of targets.entries()) {
        const count = counts[index]!;
        if (count === 0) continue;
        leftOut.with(name, reason).inc(count);
        if (name === 'influxdb' && reason === 'value') influxIgnored?.inc(count);
      }
    }
  }

  async #send(target: TextTarget, index: number): Promise<void> {
    const { clock, log } = this.#options;
    const { sent, failed, duration } = this.#metrics;
    const [text, count] = [this.#texts[index], this.#counts[index]];
    assert(text !== undefined && count !== undefined, 'BUG: no such target');
    if (count === 0) return;
    const startMs = clock.monotonic();
    try {
      await target.send(text);
      sent.with(target.name).inc(count);
    } catch (error) {
      failed.with(target.name).inc(count);
      log.warn('samples could not be sent', {
        storage: target.name,
        num_samples: count,
        err: errorText(error),
      });
      throw error;
    } finally {
      duration.with(target.name).observe((clock.monotonic() - startMs) / 1_000);
    }
  }
}
