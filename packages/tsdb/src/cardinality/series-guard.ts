import type { Clock } from '@pollux/base';
import { INSTANCE_LABEL, JOB_LABEL, type Labels } from '@pollux/model';
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
  /** By the symbol of `instance`. */
  readonly byInstance: Map<number, number>;
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
  /** By the symbol of `job`. */
  readonly #jobs = new Map<number, Job>();
  readonly #loggedMs = new Map<string, number>();
  /** The symbols of the label names by which series are counted. */
  readonly jobName: number;
  readonly instanceName: number;
  #limits: SeriesLimits;
  /** The job that was asked for last: series mostly come job by job. */
  #lastName = -1;
  #lastJob: Job | null = null;

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
    this.jobName = table.symbols.use(JOB_LABEL);
    this.instanceName = table.symbols.use(INSTANCE_LABEL);
  }

  get limits(): SeriesLimits {
    return this.#limits;
  }

  /** From now on; series beyond a lowered limit stay until they end. */
  setLimits(limits: SeriesLimits): void {
    this.#limits = limits;
  }

  /** Whether any limit is set, so that {@link reached} has to be asked. */
  get isLimiting(): boolean {
    const { total, perJob, perTarget, newPerJobPerHour } = this.#limits;
    return total + perJob + perTarget + newPerJobPerHour > 0;
  }

  /** The limit that a new series with these values (symbols; −1 = of no series yet) would exceed; null when it may come. */
  reached(job: number, instance: number): SeriesLimitName | null {
    const { total, perJob, perTarget, newPerJobPerHour } = this.#limits;
    if (total > 0 && this.#table.count >= total) return 'total';
    if (perJob === 0 && perTarget === 0 && newPerJobPerHour === 0) return null;
    const known = this.#jobs.get(job);
    if (known === undefined) return null;
    if (perJob > 0 && known.series >= perJob) return 'job';
    if (perTarget > 0 && (known.byInstance.get(instance) ?? 0) >= perTarget) return 'target';
    if (newPerJobPerHour > 0 && this.#createdLately(known) >= newPerJobPerHour) return 'churn';
    return null;
  }

  /** Counts and logs that the limit has refused a new series with these labels. */
  noteRefused(limit: SeriesLimitName, labels: Labels): void {
    const job = labels.get(JOB_LABEL);
    const instance = limit === 'target' ? labels.get(INSTANCE_LABEL) : '';
    this.#metrics.seriesRefused.with(limit, job, instance).inc();
    this.#tell(limit, job, instance);
  }

  /** The time for {@link noteCreated}; good for a batch. */
  creationStamp(): number {
    return Math.floor(this.#clock.monotonic() / CHURN_SLOT_MS) + 1;
  }

  /** Counts a new series with these values (symbols, 0 = absent). */
  noteCreated(jobValue: number, instance: number, stamp: number): void {
    const job = this.#jobOf(jobValue);
    this.#count(job, instance, 1);
    const churn = churnSlot(job, stamp);
    job.created[churn] = job.created[churn]! + 1;
  }

  /** To be called before the series' row is freed. */
  noteRemoved(slot: Slot): void {
    const name = this.#table.valueOf(slot, this.jobName);
    const job = this.#jobs.get(name);
    if (job === undefined) return;
    this.#count(job, this.#table.valueOf(slot, this.instanceName), -1);
    if (job.series > 0 || this.#createdLately(job) > 0) return;
    this.#jobs.delete(name);
    this.#lastName = -1;
    this.#table.symbols.drop(name);
  }

  /** Counts all series of the table: after a replay, whose series are not new. */
  recount(): void {
    for (const name of this.#jobs.keys()) this.#table.symbols.drop(name);
    this.#jobs.clear();
    this.#lastName = -1;
    for (let slot = 0; slot < this.#table.slotLimit; slot++) {
      if (this.#table.refs[slot] === 0) continue;
      const job = this.#jobOf(this.#table.valueOf(slot, this.jobName));
      this.#count(job, this.#table.valueOf(slot, this.instanceName), 1);
    }
  }

  /** Series and new series of the last hour, by job. */
  *jobs(): IterableIterator<{
    readonly name: string;
    readonly series: number;
    readonly createdLastHour: number;
  }> {
    for (const [name, job] of this.#jobs) {
      const { series } = job;
      const createdLastHour = this.#createdLately(job);
      yield { name: this.#table.symbols.text(name), series, createdLastHour };
    }
  }

  /** Series by job and instance. */
  *targets(): IterableIterator<{
    readonly job: string;
    readonly instance: string;
    readonly series: number;
  }> {
    const { symbols } = this.#table;
    for (const [name, { byInstance }] of this.#jobs) {
      const job = symbols.text(name);
      for (const [instance, series] of byInstance) {
        yield { job, instance: symbols.text(instance), series };
      }
    }
  }

  #jobOf(name: number): Job {
    if (name === this.#lastName && this.#lastJob !== null) return this.#lastJob;
    const job = this.#jobs.get(name) ?? this.#addJob(name);
    this.#lastName = name;
    this.#lastJob = job;
    return job;
  }

  #addJob(name: number): Job {
    const job: Job = {
      series: 0,
      byInstance: new Map(),
      created: new Uint32Array(CHURN_SLOTS),
      stamps: new Float64Array(CHURN_SLOTS),
    };
    this.#jobs.set(name, job);
    // Also while none of its series is left: those of the last hour are still counted.
    this.#table.symbols.retain(name);
    return job;
  }

  #count(job: Job, instance: number, change: 1 | -1): void {
    job.series += change;
    const count = (job.byInstance.get(instance) ?? 0) + change;
    if (count > 0) job.byInstance.set(instance, count);
    else job.byInstance.delete(instance);
  }

  #createdLately(job: Job): number {
    const stamp = this.creationStamp();
    let sum = 0;
    for (let slot = 0; slot < CHURN_SLOTS; slot++)
      if (job.stamps[slot]! > stamp - CHURN_SLOTS) sum += job.created[slot]!;
    return sum;
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

/** The slot of the five minutes `stamp`, emptied when it held earlier ones. */
function churnSlot(job: Job, stamp: number): number {
  const slot = stamp % CHURN_SLOTS;
  if (job.stamps[slot] !== stamp) {
    job.stamps[slot] = stamp;
    job.created[slot] = 0;
  }
  return slot;
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
