import type { Clock } from '@pollux/base';
import type { Labels } from '@pollux/model';
import type { Log } from '@pollux/telemetry';
import type { SeriesTable, Slot } from '../head/series-table.ts';
import type { TsdbMetrics } from '../metrics.ts';

/** How many series the head may hold; 0 = no limit. A series without the label counts for the empty name. */
export type SeriesLimits = {
  readonly total: number;
  /** Per value of `job`. */
  readonly perJob: number;
  /** Per pair of `job` and `instance`. */
  readonly perTarget: number;
  /** New series per job in the last hour, those that are gone again included. */
  readonly newPerJobPerHour: number;
};

export const NO_SERIES_LIMITS: SeriesLimits = {
  total: 0,
  perJob: 0,
  perTarget: 0,
  newPerJobPerHour: 0,
};

export type SeriesLimitName = 'total' | 'job' | 'target' | 'churn';

const CHURN_SLOT_MS = 300_000;
const CHURN_SLOTS = 12;
/** The same limit of the same job is logged once in this time. */
const LOG_EVERY_MS = 60_000;
/** Jobs remembered for logging; beyond it the memory starts anew. */
const MAX_LOGGED = 10_000;

/** Creations of the last hour in slots of five minutes; `stamps` says which five minutes a slot holds. */
type Job = {
  series: number;
  readonly byInstance: Map<string, number>;
  readonly created: Uint32Array;
  readonly stamps: Float64Array;
};

/**
 * Keeps an explosion of series from filling the memory: at a limit the known series go on, and new ones are refused and
 * counted by whom they belong to. Costs two map lookups for each series that comes or goes, nothing for a sample.
 */
export class SeriesGuard {
  readonly #table: SeriesTable;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #metrics: TsdbMetrics;
  readonly #jobs = new Map<string, Job>();
  readonly #loggedMs = new Map<string, number>();
  #limits: SeriesLimits;

  constructor(
    table: SeriesTable,
    parts: { readonly clock: Clock; readonly log: Log; readonly metrics: TsdbMetrics },
    limits: SeriesLimits,
  ) {
    this.#table = table;
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#metrics = parts.metrics;
    this.#limits = limits;
  }

  get limits(): SeriesLimits {
    return this.#limits;
  }

  /** From now on; series beyond a lowered limit stay until they end. */
  setLimits(limits: SeriesLimits): void {
    this.#limits = limits;
  }

  /** Whether a new series with these labels may be created. A refusal is counted and logged. */
  admits(labels: Labels): boolean {
    const limit = this.#reached(labels);
    if (limit === null) return true;
    const job = labels.get('job');
    const instance = limit === 'target' ? labels.get('instance') : '';
    this.#metrics.seriesRefused.with(limit, job, instance).inc();
    this.#tell(limit, job, instance);
    return false;
  }

  noteCreated(labels: Labels): void {
    const job = this.#job(labels.get('job'));
    this.#count(job, labels.get('instance'), 1);
    const slot = this.#churnSlot(job);
    job.created[slot] = job.created[slot]! + 1;
  }

  /** To be called before the series' row is freed. */
  noteRemoved(slot: Slot): void {
    const name = this.#text(slot, 'job');
    const job = this.#jobs.get(name);
    if (job === undefined) return;
    this.#count(job, this.#text(slot, 'instance'), -1);
    if (job.series === 0 && this.#createdLately(job) === 0) this.#jobs.delete(name);
  }

  /** Counts all series of the table: after a replay, whose series are not new. */
  recount(): void {
    this.#jobs.clear();
    for (let slot = 0; slot < this.#table.slotLimit; slot++) {
      if (this.#table.refs[slot] === 0) continue;
      this.#count(this.#job(this.#text(slot, 'job')), this.#text(slot, 'instance'), 1);
    }
  }

  /** Series and new series of the last hour, by job. */
  *jobs(): IterableIterator<{
    readonly name: string;
    readonly series: number;
    readonly createdLastHour: number;
  }> {
    for (const [name, job] of this.#jobs)
      yield { name, series: job.series, createdLastHour: this.#createdLately(job) };
  }

  /** Series by job and instance. */
  *targets(): IterableIterator<{
    readonly job: string;
    readonly instance: string;
    readonly series: number;
  }> {
    for (const [job, { byInstance }] of this.#jobs)
      for (const [instance, series] of byInstance) yield { job, instance, series };
  }

  #reached(labels: Labels): SeriesLimitName | null {
    const { total, perJob, perTarget, newPerJobPerHour } = this.#limits;
    if (total > 0 && this.#table.count >= total) return 'total';
    if (perJob === 0 && perTarget === 0 && newPerJobPerHour === 0) return null;
    const job = this.#jobs.get(labels.get('job'));
    if (job === undefined) return null;
    if (perJob > 0 && job.series >= perJob) return 'job';
    if (perTarget > 0 && (job.byInstance.get(labels.get('instance')) ?? 0) >= perTarget)
      return 'target';
    if (newPerJobPerHour > 0 && this.#createdLately(job) >= newPerJobPerHour) return 'churn';
    return null;
  }

  #job(name: string): Job {
    const known = this.#jobs.get(name);
    if (known !== undefined) return known;
    const job: Job = {
      series: 0,
      byInstance: new Map(),
      created: new Uint32Array(CHURN_SLOTS),
      stamps: new Float64Array(CHURN_SLOTS),
    };
    this.#jobs.set(name, job);
    return job;
  }

  #count(job: Job, instance: string, change: 1 | -1): void {
    job.series += change;
    const count = (job.byInstance.get(instance) ?? 0) + change;
    if (count > 0) job.byInstance.set(instance, count);
    else job.byInstance.delete(instance);
  }

  /** The slot of the five minutes that now belongs to, emptied when it held earlier ones. */
  #churnSlot(job: Job): number {
    const stamp = Math.floor(this.#clock.monotonic() / CHURN_SLOT_MS) + 1;
    const slot = stamp % CHURN_SLOTS;
    if (job.stamps[slot] !== stamp) {
      job.stamps[slot] = stamp;
      job.created[slot] = 0;
    }
    return slot;
  }

  #createdLately(job: Job): number {
    const stamp = Math.floor(this.#clock.monotonic() / CHURN_SLOT_MS) + 1;
    let sum = 0;
    for (let slot = 0; slot < CHURN_SLOTS; slot++)
      if (job.stamps[slot]! > stamp - CHURN_SLOTS) sum += job.created[slot]!;
    return sum;
  }

  #text(slot: Slot, label: string): string {
    const { symbols } = this.#table;
    const name = symbols.find(label);
    const value = name < 0 ? 0 : this.#table.valueOf(slot, name);
    return value === 0 ? '' : symbols.text(value);
  }

  #tell(limit: SeriesLimitName, job: string, instance: string): void {
    const key = `${limit}\n${job}\n${instance}`;
    const nowMs = this.#clock.monotonic();
    const last = this.#loggedMs.get(key);
    if (last !== undefined && nowMs - last < LOG_EVERY_MS) return;
    if (this.#loggedMs.size >= MAX_LOGGED) this.#loggedMs.clear();
    this.#loggedMs.set(key, nowMs);
    this.#log.warn('a limit refuses new series; known ones go on', {
      limit: `storage.tsdb.series_limits.${CONFIG_NAMES[limit]}`,
      value: this.#limits[LIMIT_FIELDS[limit]],
      job,
      ...(instance === '' ? {} : { instance }),
    });
  }
}

const LIMIT_FIELDS = {
  total: 'total',
  job: 'perJob',
  target: 'perTarget',
  churn: 'newPerJobPerHour',
} as const satisfies Record<SeriesLimitName, keyof SeriesLimits>;

const CONFIG_NAMES: Readonly<Record<SeriesLimitName, string>> = {
  total: 'total',
  job: 'per_job',
  target: 'per_target',
  churn: 'new_per_job_per_hour',
};
