import {
  assert,
  type ByteReader,
  type ByteWriter,
  DecodeError,
  type Env,
  errorText,
} from '@pollux/base';
import type { Log } from '@pollux/telemetry';
import { type Alert, type AlertIdentity, isResolvedAt } from '../alert/alert.ts';
import type { AlertBytes } from '../alert/alert-bytes.ts';
import { isSameContent, readAlert, readTimes, writeTimes } from '../alert/alert-codec.ts';
import type { AlertListener, AlertProvider } from '../alert/alert-provider.ts';
import { afterDowntime, type Downtime, RestoredAlerts } from './downtime.ts';
import type { DurableMetrics } from './durable-metrics.ts';
import type { GroupMemory, GroupTimes } from './group-memory.ts';
import { RecordLog } from './record-log.ts';

/** First byte of each record; see alerts.md. */
const RECORD = {
  alert: 1,
  again: 2,
  alertGone: 3,
  group: 4,
  groupGone: 5,
  toldEnd: 6,
  alive: 7,
  shared: 8,
} as const;

/** What a group is at. */
const WAITING = 0;
const FLUSHED = 1;
const ENDED = 2;

/** How exactly the end of a process is known afterwards, ms. */
const ALIVE_MS = 10_000;

/** A state that has a snapshot file of upstream's and whose changes since that are kept here. */
export type JournaledState = {
  /** The whole state, as bytes that `load` takes. */
  marshal(): Uint8Array;
  load(data: Uint8Array): void;
  /** From now on every change is handed over, as bytes that `load` takes. */
  journal(keep: (data: Uint8Array) => void): void;
};

export type AlertMemoryOptions = {
  readonly env: Pick<Env, 'clock' | 'files'>;
  readonly log: Log;
  readonly metrics: DurableMetrics;
  readonly directory: string;
  readonly provider: AlertProvider;
  readonly alertBytes: AlertBytes;
  /** By a name that is a record's first field. */
  readonly states: ReadonlyMap<string, JournaledState>;
  /** Whether a group still holds the alert. */
  readonly isHeld: (alert: Alert) => boolean;
};

/** `times` is null when the group is gone; its name is kept, since alerts whose end it told are. */
type Group = { readonly id: number; times: GroupTimes | null };

/**
 * The file `alerts`: active alerts, the times of groups, and what silences and notification log learned since their
 * snapshots. Open it when the snapshots are loaded; then it hears of every change by itself.
 */
export class AlertMemory implements AlertListener, GroupMemory {
  readonly #options: AlertMemoryOptions;
  readonly #file: RecordLog;
  /** Alerts of the provider that are in the file. */
  #count = 0;
  /** Forgotten by the provider, but a group has not told their end yet; by fingerprint. */
  readonly #orphans = new Map<string, AlertIdentity>();
  readonly #groups = new Map<string, Group>();
  /** While the file is read. */
  #loading: Loading | null = null;
  #lastId = 0;
  /** Of the records of alerts that were told since the start and not forgotten, about. */
  #alertBytes = 0;
  #aliveMs = 0;
  #restored: RestoredAlerts | null = null;

  constructor(options: AlertMemoryOptions) {
    const { env, log, metrics, directory } = options;
    this.#options = options;
    this.#file = new RecordLog({
      env,
      log,
      metrics,
      directory,
      name: 'alerts',
      kind: 'A',
      take: (reader) => this.#take(reader),
      state: (writer) => this.#state(writer),
      neededBytes: () => this.#alertBytes,
    });
  }

  /**
   * Reads the file and gives the provider what it had. Never throws for what is in it: what cannot be read or is refused
   * is counted and logged.
   */
  open(resolveTimeoutMs: number): void {
    const { env, log, provider, states } = this.#options;
    const loading: Loading = { alerts: new Map(), groups: new Map() };
    this.#loading = loading;
    this.#file.open();
    this.#loading = null;
    const startedMs = env.clock.now();
    const downtime: Downtime = { downMs: this.#aliveMs, startedMs, resolveTimeoutMs };
    const restored: Alert[] = [];
    for (const identity of newestOf(loading.alerts.values())) {
      const before = writtenOf(identity);
      // It is remembered before the provider tells of the alert, so that it is not taken for a new one.
      this.#remember(identity);
      try {
        provider.restore(before);
        restored.push(before);
      } catch (error) {
        this.#forget(identity);
        log.warn('An alert was not restored', { err: errorText(error) });
      }
    }
    for (const [name, state] of states) {
      state.journal((data) => this.#keepShared(name, data));
    }
    provider.subscribe(this);
    for (const before of restored) {
      const after = afterDowntime(before, downtime);
      if (after !== before) provider.restore(after);
    }
    this.#stillAlive();
    log.info('Restored alerts', {
      alerts: restored.length,
      firing: restored.filter((alert) => !isResolvedAt(alert, startedMs)).length,
      groups: this.#groups.size,
      down_ms: restored.length === 0 ? 0 : Math.max(0, startedMs - downtime.downMs),
    });
    this.#restored = new RestoredAlerts(restored, downtime);
  }

  onAlert(alert: Alert): void {
    const { identity } = alert;
    if (!identity.isRemembered) {
      if (this.#orphans.size > 0) this.#forgetOrphan(identity.fingerprint);
      identity.recordId = ++this.#lastId;
      identity.written = alert;
      identity.toldIn = null;
      this.#remember(identity);
      this.#alertBytes += this.#file.append((writer) => this.#writeAlert(writer, identity));
      return;
    }
    const before = writtenOf(identity);
    if (before === alert) return;
    identity.written = alert;
    identity.toldIn = null;
    if (!isSameContent(before, alert)) {
      this.#file.append((writer) => this.#writeAlert(writer, identity));
      return;
    }
    this.#file.append((writer) => {
      writer.u8(RECORD.again);
      writer.uvarint(identity.recordId);
      writeTimes(writer, alert);
    });
  }

  onRemoved(alert: Alert): void {
    const { identity } = alert;
    if (!identity.isRemembered) return;
    if (!this.#options.isHeld(alert)) {
      this.#forget(identity);
      return;
    }
    this.#leave(identity);
    this.#orphans.set(identity.fingerprint, identity);
  }

  recall(group: string): GroupTimes | null {
    return this.#groups.get(group)?.times ?? null;
  }

  began(group: string, nowMs: number): void {
    this.#setGroup(group, { sinceMs: nowMs, hasFlushed: false });
  }

  flushed(group: string, dueMs: number): void {
    this.#setGroup(group, { sinceMs: dueMs, hasFlushed: true });
  }

  ended(group: string): void {
    if (this.recall(group) !== null) this.#setGroup(group, null);
  }

  toldEnd(group: string, alert: Alert): void {
    const { identity } = alert;
    const { fingerprint } = identity;
    const orphan = this.#orphans.get(fingerprint);
    if (orphan?.written === alert) {
      if (!this.#options.isHeld(alert)) this.#forgetOrphan(fingerprint);
      return;
    }
    const known = this.#groups.get(group);
    if (!identity.isRemembered || identity.written !== alert || known === undefined) return;
    identity.toldIn ??= new Set();
    identity.toldIn.add(known.id);
    this.#file.append((writer) => writeToldEnd(writer, identity.recordId, known.id));
  }

  hasToldEnd(group: string, alert: Alert): boolean {
    const { isRemembered, toldIn, written } = alert.identity;
    if (!isRemembered || toldIn === null || written !== alert) return false;
    const known = this.#groups.get(group);
    return known !== undefined && toldIn.has(known.id);
  }

  takeConfirmed(group: string, alert: Alert): boolean {
    return this.#restored?.takeConfirmed(group, alert) ?? false;
  }

  /** Of the last start; null before it. */
  get restored(): RestoredAlerts | null {
    return this.#restored;
  }

  /** Forgets groups that no dispatcher has any more; alerts whose end was told must be forgotten by now. */
  sweepGroups(live: ReadonlySet<string>): void {
    for (const [name, { id }] of this.#groups) {
      if (live.has(name)) continue;
      this.#groups.delete(name);
      this.#file.append((writer) => {
        writer.u8(RECORD.groupGone);
        writer.uvarint(id);
      });
    }
  }

  /** To be called every few seconds: afterwards it is known when the process ended. */
  beat(): void {
    if (this.#options.env.clock.now() - this.#aliveMs >= ALIVE_MS && this.#count > 0) {
      this.#stillAlive();
    }
  }

  async close(): Promise<void> {
    if (this.#count > 0) this.#stillAlive();
    await this.#file.close();
  }

  #stillAlive(): void {
    this.#aliveMs = this.#options.env.clock.now();
    this.#file.append((writer) => writeAlive(writer, this.#aliveMs));
  }

  #keepShared(name: string, data: Uint8Array): void {
    this.#file.append((writer) => writeShared(writer, name, data));
  }

  #remember(identity: AlertIdentity): void {
    identity.isRemembered = true;
    this.#count++;
  }

  #leave(identity: AlertIdentity): void {
    if (!identity.isRemembered) return;
    identity.isRemembered = false;
    this.#count--;
  }

  #writeRemembered(writer: ByteWriter, identity: AlertIdentity): void {
    this.#writeAlert(writer, identity);
    for (const group of identity.toldIn ?? []) writeToldEnd(writer, identity.recordId, group);
  }

  #writeAlert(writer: ByteWriter, identity: AlertIdentity): void {
    writer.u8(RECORD.alert);
    writer.uvarint(identity.recordId);
    writer.raw(this.#options.alertBytes.of(writtenOf(identity)));
  }

  #setGroup(name: string, times: Group['times']): void {
    const known = this.#groups.get(name);
    const group: Group = known ?? { id: ++this.#lastId, times };
    group.times = times;
    this.#groups.set(name, group);
    this.#file.append((writer) => writeGroup(writer, known === undefined ? name : '', group));
  }

  #forget(identity: AlertIdentity): void {
    const held = this.#count + this.#orphans.size;
    this.#alertBytes -= held <= 1 ? this.#alertBytes : this.#alertBytes / held;
    this.#leave(identity);
    this.#file.append((writer) => {
      writer.u8(RECORD.alertGone);
      writer.uvarint(identity.recordId);
    });
  }

  #forgetOrphan(fingerprint: string): void {
    const orphan = this.#orphans.get(fingerprint);
    if (orphan === undefined) return;
    this.#orphans.delete(fingerprint);
    this.#forget(orphan);
  }

  *#state(writer: ByteWriter): Generator<void, void> {
    writeAlive(writer, this.#aliveMs);
    // Whole, since the snapshots may be older than changes that were appended to the file of before.
    for (const [name, state] of this.#options.states) {
      writeShared(writer, name, state.marshal());
      yield;
    }
    for (const [name, group] of this.#groups) {
      writeGroup(writer, name, group);
      yield;
    }
    // Those that come while this is written are appended after it.
    for (const { identity } of this.#options.provider.list()) {
      if (!identity.isRemembered) continue;
      this.#writeRemembered(writer, identity);
      yield;
    }
    for (const orphan of this.#orphans.values()) {
      this.#writeRemembered(writer, orphan);
      yield;
    }
  }

  #take(reader: ByteReader): void {
    const kind = reader.u8();
    switch (kind) {
      case RECORD.alive:
        this.#aliveMs = Math.max(this.#aliveMs, reader.uvarint());
        return;
      case RECORD.shared:
        this.#takeShared(reader);
        return;
      case RECORD.group:
      case RECORD.groupGone:
        this.#takeGroup(kind, reader);
        return;
      default:
        this.#takeAlert(kind, reader);
    }
  }

  #takeShared(reader: ByteReader): void {
    const state = this.#options.states.get(reader.uvarintText());
    state?.load(reader.raw(reader.uvarint()).slice());
  }

  #takeGroup(kind: number, reader: ByteReader): void {
    const names = this.#loading?.groups;
    const id = this.#idOf(reader);
    if (kind === RECORD.groupGone) {
      this.#groups.delete(names?.get(id) ?? '');
      return;
    }
    const written = reader.uvarintText();
    const sinceMs = reader.uvarint();
    const state = reader.u8();
    const times = state === ENDED ? null : { sinceMs, hasFlushed: state === FLUSHED };
    const name = written === '' ? names?.get(id) : written;
    // The name stood in bytes that were damaged.
    if (name === undefined) return;
    names?.set(id, name);
    this.#groups.set(name, { id, times });
  }

  #takeAlert(kind: number, reader: ByteReader): void {
    const alerts = this.#loading?.alerts;
    const id = this.#idOf(reader);
    const known = alerts?.get(id);
    switch (kind) {
      case RECORD.alert: {
        const read = readAlert(reader);
        const alert = known === undefined ? read : { ...read, identity: known };
        const { identity } = alert;
        identity.recordId = id;
        identity.written = alert;
        identity.toldIn = null;
        alerts?.set(id, identity);
        this.#aliveMs = Math.max(this.#aliveMs, alert.updatedAtMs);
        return;
      }
      case RECORD.again: {
        const times = readTimes(reader);
        if (known === undefined) return;
        known.written = { ...writtenOf(known), ...times };
        known.toldIn = null;
        this.#aliveMs = Math.max(this.#aliveMs, times.updatedAtMs);
        return;
      }
      case RECORD.alertGone:
        alerts?.delete(id);
        return;
      case RECORD.toldEnd: {
        const group = reader.uvarint();
        if (known === undefined) return;
        known.toldIn ??= new Set();
        known.toldIn.add(group);
        return;
      }
      default:
        throw new DecodeError(`no record of kind ${kind}`, reader.offset);
    }
  }

  /** Ids are given in order, over all kinds; none is given twice. */
  #idOf(reader: ByteReader): number {
    const id = reader.uvarint();
    this.#lastId = Math.max(this.#lastId, id);
    return id;
  }
}

function writtenOf({ written }: AlertIdentity): Alert {
  assert(written !== null, 'what has a record was written');
  return written;
}

/** One for each label set: damaged bytes may have held the end of an older one. */
function newestOf(identities: Iterable<AlertIdentity>): Iterable<AlertIdentity> {
  const byFingerprint = new Map<string, AlertIdentity>();
  for (const identity of identities) byFingerprint.set(identity.fingerprint, identity);
  return byFingerprint.values();
}

type Loading = {
  readonly alerts: Map<number, AlertIdentity>;
  readonly groups: Map<number, string>;
};

/** An empty name stands for that of an earlier record with the same id. */
function writeGroup(writer: ByteWriter, name: string, { id, times }: Group): void {
  writer.u8(RECORD.group);
  writer.uvarint(id);
  writer.uvarintText(name);
  writer.uvarint(Math.max(0, times?.sinceMs ?? 0));
  writer.u8(times === null ? ENDED : times.hasFlushed ? FLUSHED : WAITING);
}

function writeToldEnd(writer: ByteWriter, alert: number, group: number): void {
  writer.u8(RECORD.toldEnd);
  writer.uvarint(alert);
  writer.uvarint(group);
}

function writeShared(writer: ByteWriter, name: string, data: Uint8Array): void {
  writer.u8(RECORD.shared);
  writer.uvarintText(name);
  writer.uvarint(data.length);
  writer.raw(data);
}

function writeAlive(writer: ByteWriter, nowMs: number): void {
  writer.u8(RECORD.alive);
  writer.uvarint(Math.max(0, nowMs));
}
