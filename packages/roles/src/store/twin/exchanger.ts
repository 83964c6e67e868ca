import { CanceledError, type Clock, errorText, OperatingError, sleep } from '@pollux/base';
import type { HttpConfigClient } from '@pollux/http';
import type { InfluxService } from '@pollux/influx';
import {
  BUCKETS,
  type CopyExchange,
  type CopyPlace,
  type ShardStore,
  WINDOW_MS,
} from '@pollux/shards';
import type { Counter, Log, Registry } from '@pollux/telemetry';
import { decodeDifference, decodeSums, TWIN_PATH } from './wire.ts';

const REQUEST_TIMEOUT_MS = 90_000;
const MAX_ANSWER_BYTES = 256 * 1024 * 1024;
/** What writers send again by themselves need not be fetched. */
const LATE_MS = 15 * 60_000;
/** After a start. */
const FIRST_MS = 10_000;
/** Buckets remembered of which nothing could be taken. */
const MAX_FRUITLESS = 65_536;

export type ExchangerOptions = {
  readonly clock: Clock;
  readonly log: Log;
  readonly registry: Registry;
  readonly service: InfluxService;
  readonly store: ShardStore;
  readonly copies: CopyExchange;
  /** Without a slash at the end. */
  readonly urls: readonly string[];
  readonly client: HttpConfigClient;
  readonly intervalMs: number;
  /** Windows that ended longer ago are not compared. */
  readonly horizonMs: number;
  readonly samplesPerSecond: number;
};

/**
 * Fetches what a twin holds of replicas' copies and this store lacks: windows that ended a while ago, newest first, of all policies
 * that both have. The twin does the same the other way.
 */
export class Exchanger {
  readonly #options: ExchangerOptions;
  readonly #stop = new AbortController();
  readonly #rounds: Counter;
  readonly #failures: Counter;
  readonly #rows: Counter;
  /** Buckets that differ for good: what either held when nothing could be taken. */
  readonly #fruitless = new Map<string, string>();
  #doneMs = 0;
  #running: Promise<void> | null = null;

  constructor(options: ExchangerOptions) {
    this.#options = options;
    const { registry } = options;
    this.#rounds = registry.counter(
      'pollux_store_twin_rounds_total',
      'Times that all windows were compared with a twin.',
    );
    this.#failures = registry.counter(
      'pollux_store_twin_failures_total',
      'Times that comparing with a twin was given up.',
    );
    this.#rows = registry.counter(
      'pollux_store_twin_values_total',
      'Field values of replicas that were fetched from a twin and stored.',
    );
    registry.gaugeFrom(
      'pollux_store_twin_last_round_timestamp_seconds',
      'When all windows were last compared with every twin; 0 before.',
      () => this.#doneMs / 1_000,
    );
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock, log, urls, intervalMs } = this.#options;
    let waitMs = Math.min(FIRST_MS, intervalMs);
    for (;;) {
      try {
        await sleep(clock, waitMs, this.#stop.signal);
        waitMs = intervalMs;
        let isDone = true;
        for (const url of urls) isDone = (await this.#tryRound(url)) && isDone;
        if (isDone) this.#doneMs = clock.now();
      } catch (error) {
        if (error instanceof CanceledError || this.#stop.signal.aborted) return;
        log.error('comparing with twins failed', { error: errorText(error) });
      }
    }
  }

  async #tryRound(url: string): Promise<boolean> {
    const { log } = this.#options;
    try {
      const rows = await this.#round(url);
      this.#rounds.inc();
      if (rows > 0) log.info('fetched from a twin what was missing', { twin: url, values: rows });
      return true;
    } catch (error) {
      if (this.#stop.signal.aborted) throw error;
      this.#failures.inc();
      log.warn('cannot compare with a twin; the next round tries again', {
        twin: url,
        error: errorText(error),
      });
      return false;
    }
  }

  async #round(url: string): Promise<number> {
    const { clock, service, store, horizonMs } = this.#options;
    let rows = 0;
    for (const { name: database, policies } of service.meta.databases()) {
      for (const { name: retentionPolicy } of policies) {
        const nowMs = clock.now();
        const { oldestMs } = service.writeTarget(database, retentionPolicy);
        const firstMs = Math.max(nowMs - horizonMs, oldestMs ?? Number.NEGATIVE_INFINITY);
        const lastEndMs = Math.floor((nowMs - LATE_MS) / WINDOW_MS) * WINDOW_MS;
        for (let startMs = lastEndMs - WINDOW_MS; startMs >= firstMs; startMs -= WINDOW_MS) {
          // What is older than a deletion stays as it is.
          if (!store.mayTake(database, startMs)) break;
          const taken = await this.#window(url, { database, retentionPolicy, startMs });
          if (taken === null) break;
          rows += taken;
        }
      }
    }
    return rows;
  }

  /** Rows taken; null when the twin has no such policy. */
  async #window(url: string, place: CopyPlace): Promise<number | null> {
    const { copies } = this.#options;
    const { signal } = this.#stop;
    const answer = await this.#ask('GET', url, place);
    if (answer === null) return null;
    const theirs = decodeSums(answer);
    const ours = await copies.sums(place, signal);
    let rows = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      if (theirs[bucket] === ours[bucket] || theirs[bucket] === 0) continue;
      const key = JSON.stringify([url, place, bucket]);
      const state = `${theirs[bucket]} ${ours[bucket]}`;
      if (this.#fruitless.get(key) === state) continue;
      const taken = await this.#bucket(url, place, bucket);
      rows += taken;
      if (taken > 0) continue;
      if (this.#fruitless.size >= MAX_FRUITLESS) this.#fruitless.clear();
      this.#fruitless.set(key, state);
    }
    return rows;
  }

  async #bucket(url: string, place: CopyPlace, bucket: number): Promise<number> {
    const { clock, copies, service, samplesPerSecond } = this.#options;
    const { signal } = this.#stop;
    let rows = 0;
    for (;;) {
      const held = Object.fromEntries(await copies.sumsOf(place, bucket, signal));
      const answer = await this.#ask('POST', url, place, bucket, JSON.stringify({ held }));
      if (answer === null) return rows;
      const { copies: found, isWhole } = decodeDifference(answer, place.startMs);
      const target = service.writeTarget(place.database, place.retentionPolicy);
      const taken = await copies.take(target, place.startMs, found, signal);
      rows += taken;
      this.#rows.inc(taken);
      let read = 0;
      for (const { data } of found) read += data.count;
      await sleep(clock, (read / samplesPerSecond) * 1_000, signal);
      // Where nothing could be taken, the same would come again.
      if (isWhole || taken === 0) return rows;
    }
  }

  /** The body of the answer; null when the twin does not know the database or policy. */
  async #ask(
    method: 'GET' | 'POST',
    url: string,
    { database, retentionPolicy, startMs }: CopyPlace,
    bucket: number | null = null,
    body = '',
  ): Promise<string | null> {
    const query = new URLSearchParams({
      db: database,
      rp: retentionPolicy,
      start: `${startMs}`,
      ...(bucket === null ? {} : { bucket: `${bucket}` }),
    });
    const answer = await this.#options.client.request({
      method,
      url: `${url}${TWIN_PATH}?${query}`,
      headers: { 'accept-encoding': 'gzip' },
      ...(method === 'POST' ? { body } : {}),
      timeoutMs: REQUEST_TIMEOUT_MS,
      maxBodyBytes: MAX_ANSWER_BYTES,
      signal: this.#stop.signal,
    });
    const text = new TextDecoder().decode(answer.body);
    if (answer.status === 200) return text;
    if (answer.status === 404 && text.includes('not found:')) return null;
    const why = `status ${answer.status}: ${text.slice(0, 200)}`;
    throw new OperatingError('ROLES.TWIN', `${database}.${retentionPolicy}: ${why}`);
  }
}
