import type { Clock } from '@pollux/base';
import type { Log, Registry } from '@pollux/telemetry';
import type { ClusterStatePart } from '../cluster-port.ts';
import { type StateMetrics, stateMetrics } from '../state-metrics.ts';
import { after, compareTimes, fromMs, toMs } from '../wire/timestamp.ts';
import { decodeLog, encodeLog, type LogRecord, logRecord } from './codec.ts';
import { entryKey, type LogEntry, type LogReceiver } from './entry.ts';

/** As for silences: what was larger has gone to every member over TCP already. */
const MAX_RELAY_BYTES = 700;

export type NotificationLogOptions = {
  readonly clock: Clock;
  /** Longest life of an entry. */
  readonly retentionMs: number;
  /** For what came from other members, at the level for debugging. */
  readonly log?: Log;
  readonly registry: Registry;
};

/** Which alerts were last notified, per group and integration, by any member. The cluster's memory against duplicates. */
export class NotificationLog implements ClusterStatePart {
  readonly isJoinable = true;
  readonly #options: NotificationLogOptions;
  readonly #records = new Map<string, LogRecord>();
  /** When an entry of another member came, by the monotonic clock, ms. */
  readonly #arrivedMs = new WeakMap<LogEntry, number>();
  readonly #metrics: StateMetrics;
  #broadcast: (data: Uint8Array) => void = () => {};
  #keep: (data: Uint8Array) => void = () => {};

  constructor(options: NotificationLogOptions) {
    this.#options = options;
    this.#metrics = stateMetrics(options.registry, 'nflog');
  }

  /** From now on every change is sent to the cluster. */
  connect(broadcast: (data: Uint8Array) => void): void {
    this.#broadcast = broadcast;
  }

  /** From now on every change is kept for a restart. */
  journal(keep: (data: Uint8Array) => void): void {
    this.#keep = keep;
  }

  /** Whether another member wrote the entry since the start of this one. */
  isFromMember(entry: LogEntry): boolean {
    return this.#arrivedMs.has(entry);
  }

  /** When the entry came from another member, by the monotonic clock, ms; null for one of this member, or of before its start. */
  arrivedMs(entry: LogEntry): number | null {
    return this.#arrivedMs.get(entry) ?? null;
  }

  get size(): number {
    return this.#records.size;
  }

  /** The newest entry of this integration under any of the spellings of the group's key. */
  find(groupKeys: readonly string[], receiver: LogReceiver): LogEntry | null {
    const { clock } = this.#options;
    const startMs = clock.monotonic();
    this.#metrics.queries.inc();
    let newest: LogEntry | null = null;
    for (const groupKey of groupKeys) {
      const entry = this.#records.get(entryKey(groupKey, receiver))?.entry;
      if (entry === undefined) continue;
      if (newest === null || compareTimes(entry.timestamp, newest.timestamp) > 0) newest = entry;
    }
    this.#metrics.querySeconds.observe((clock.monotonic() - startMs) / 1_000);
    return newest;
  }

  /**
   * Notes a successful notification. Where the entry before is of the future (another member's clock is ahead), the new one
   * is of the next nanosecond: the original keeps the old one, and tells the same at every flush until that time has come.
   * The entry lives for `lifeMs`, at most the retention.
   */
  write(entry: Omit<LogEntry, 'timestamp'>, lifeMs: number): void {
    const nowMs = this.#options.clock.now();
    const key = entryKey(entry.groupKey, entry.receiver);
    const known = this.#records.get(key)?.entry;
    const now = fromMs(nowMs);
    const timestamp = known === undefined ? now : after(known.timestamp, now);
    const expiresAt = fromMs(nowMs + Math.min(lifeMs, this.#options.retentionMs));
    const record = logRecord({ ...entry, timestamp }, expiresAt);
    this.#records.set(key, record);
    this.#keep(record.bytes);
    this.#broadcast(record.bytes);
  }

  marshal(): Uint8Array {
    return encodeLog(this.#records.values());
  }

  merge(data: Uint8Array): void {
    const nowMs = this.#options.clock.now();
    for (const record of decodeLog(data)) {
      if (!this.#take(record, nowMs)) continue;
      this.#arrivedMs.set(record.entry, this.#options.clock.monotonic());
      this.#logNew(record.entry);
      this.#keep(record.bytes);
      if (record.bytes.length > MAX_RELAY_BYTES) continue;
      this.#broadcast(record.bytes);
      this.#metrics.relayed.inc();
    }
  }

  /** Takes a snapshot over; as {@link merge}, but sends nothing. */
  load(data: Uint8Array): void {
    const nowMs = this.#options.clock.now();
    for (const record of decodeLog(data)) this.#take(record, nowMs);
  }

  /** Forgets what has expired; returns how many. */
  collect(): number {
    const now = fromMs(this.#options.clock.now());
    let count = 0;
    for (const [key, { expiresAt }] of this.#records) {
      if (compareTimes(expiresAt, now) > 0) continue;
      this.#records.delete(key);
      count++;
    }
    return count;
  }

  /** In the original's words, by which its members and ours are followed alike. */
  #logNew({ groupKey, receiver }: LogEntry): void {
    const { log } = this.#options;
    if (log?.isEnabled('debug') !== true) return;
    const { groupName, integration, index } = receiver;
    log.debug('gossiping new entry', {
      component: 'nflog',
      entry: `${groupKey} ${groupName} ${integration}[${index}]`,
    });
  }

  #take(record: LogRecord, nowMs: number): boolean {
    if (toMs(record.expiresAt) < nowMs) return false;
    const key = entryKey(record.entry.groupKey, record.entry.receiver);
    const known = this.#records.get(key)?.entry;
    if (known !== undefined && compareTimes(known.timestamp, record.entry.timestamp) >= 0) {
      return false;
    }
    this.#records.set(key, record);
    return true;
  }
}
