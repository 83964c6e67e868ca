/** What the last period taught about a queue. Rates are samples a second, averaged over some periods. */
export type ShardLoad = {
  readonly inRate: number;
  readonly outRate: number;
  /** Share of what comes in that is not dropped by relabelling, 0..1. */
  readonly keptRatio: number;
  /** Seconds of sending per second, over all shards. */
  readonly sendSecondsRate: number;
  /** How far the newest sent sample is behind the newest known one, seconds. */
  readonly delaySeconds: number;
};

export type ShardBounds = { readonly min: number; readonly max: number };

/** A change within this share of the present number is not worth the pause it costs. */
const TOLERANCE = 0.3;
/** Share of the backlog that is to be worked off each second. */
const BACKLOG_SHARE = 0.05;
/** With more delay than this, fewer shards are never chosen, seconds. */
const DELAY_FOR_FEWER_SECONDS = 10;

/**
 * How many shards the load calls for: the time that sending one sample takes, times the samples that must leave per
 * second to keep up and work off the backlog (Prometheus' rule). Gives what is wanted, unbounded, and what to run.
 */
export function desiredShards(
  current: number,
  load: ShardLoad,
  bounds: ShardBounds,
): { readonly desired: number; readonly run: number } {
  if (load.outRate <= 0) return { desired: current, run: current };
  const secondsPerSample = load.sendSecondsRate / load.outRate;
  const keptRate = load.inRate * load.keptRatio;
  const backlog = load.delaySeconds * keptRate;
  const desired = secondsPerSample * (keptRate + BACKLOG_SHARE * backlog);
  if (desired > current * (1 - TOLERANCE) && desired < current * (1 + TOLERANCE)) {
    return { desired, run: current };
  }
  const bounded = Math.min(Math.max(Math.ceil(desired), bounds.min), bounds.max);
  if (bounded < current && load.delaySeconds > DELAY_FOR_FEWER_SECONDS) {
    return { desired, run: current };
  }
  return { desired, run: bounded };
}

/** Exponentially weighted moving average of a rate; `tick` once per period. */
export class RateAverage {
  readonly #weight: number;
  #sum = 0;
  #rate = 0;
  #hasTicked = false;

  constructor(weight = 0.2) {
    this.#weight = weight;
  }

  add(count: number): void {
    this.#sum += count;
  }

  tick(periodSeconds: number): void {
    const now = this.#sum / periodSeconds;
    this.#sum = 0;
    this.#rate = this.#hasTicked ? this.#rate + this.#weight * (now - this.#rate) : now;
    this.#hasTicked = true;
  }

  get rate(): number {
    return this.#rate;
  }
}
