import { assert, type Env, uuid } from '@pollux/base';
import { type LabelValues, Matcher, matchesAll, PatternError, quoteText } from '@pollux/model';
import type { Counter, Registry } from '@pollux/telemetry';
import type { ClusterStatePart } from '../cluster-port.ts';
import { SilenceError, SilenceLimitError, SilenceNotFoundError } from '../errors.ts';
import type { SilenceEvent } from '../events/notify-event.ts';
import type { NotifyEvents } from '../events/notify-events.ts';
import { MatcherIndex } from '../matcher/matcher-index.ts';
import { type SilenceMetrics, silenceMetrics } from '../state-metrics.ts';
import { after, compareTimes, fromMs, toMs, type WireTime } from '../wire/timestamp.ts';
import { decodeSilences, encodeSilences, type SilenceRecord, silenceRecord } from './codec.ts';
import {
  compileSilence,
  type Silence,
  type SilenceMatcher,
  type SilenceState,
  sameMatchers,
  stateAt,
} from './silence.ts';

/** A data blob above this is not sent on by the member that received it; the sender has reached everybody over TCP. */
const MAX_RELAY_BYTES = 700;

export type SilenceStoreOptions = {
  readonly env: Pick<Env, 'clock' | 'random'>;
  /** How long a silence is kept after its end. */
  readonly retentionMs: number;
  /** 0 for no limit. */
  readonly maxSilences: number;
  /** Of one encoded silence; 0 for no limit. */
  readonly maxSilenceBytes: number;
  readonly events: NotifyEvents;
  readonly registry: Registry;
};

/** A new silence or an edit, as the API takes it. */
export type SilenceDraft = {
  /** Empty for a new one. */
  readonly id: string;
  readonly matchers: readonly SilenceMatcher[];
  readonly startsAtMs: number;
  readonly endsAtMs: number;
  readonly createdBy: string;
  readonly comment: string;
  readonly annotations: ReadonlyMap<string, string>;
};

type Stored = {
  readonly record: SilenceRecord;
  /** Null for a silence that silences nothing here. */
  readonly matchers: readonly Matcher[] | null;
};

const NONE: readonly string[] = [];

/** All silences of the cluster that this member knows. Last writer wins, by `updatedAt`. */
export class SilenceStore implements ClusterStatePart {
  readonly isJoinable = true;
  readonly #options: SilenceStoreOptions;
  readonly #silences = new Map<string, Stored>();
  /** Of those that apply to anything, whatever their state. */
  readonly #index = new MatcherIndex<Stored>();
  readonly #metrics: SilenceMetrics;
  #indexedCount = 0;
  #broadcast: (data: Uint8Array) => void = () => {};
  #keep: (data: Uint8Array) => void = () => {};
  #noteHolder: (member: string, id: string, updatedAt: WireTime) => void = () => {};

  constructor(options: SilenceStoreOptions) {
    this.#options = options;
    this.#metrics = silenceMetrics(options.registry, {
      silences: () => this.size,
      indexed: () => this.#indexedCount,
    });
  }

  /** From now on every change is sent to the cluster. */
  connect(broadcast: (data: Uint8Array) => void): void {
    this.#broadcast = broadcast;
  }

  /** From now on every change is kept for a restart. */
  journal(keep: (data: Uint8Array) => void): void {
    this.#keep = keep;
  }

  /** From now on it is told which version a member is known to hold, each time that it sends one. */
  watchHolders(note: (member: string, id: string, updatedAt: WireTime) => void): void {
    this.#noteHolder = note;
  }

  get size(): number {
    return this.#silences.size;
  }

  /**
   * Creates or edits; returns the id. An edit that would change history ends the old silence and makes a new one. `by` is
   * the user who asks, for the record.
   */
  set(draft: SilenceDraft, by = ''): string {
    const nowMs = this.#options.env.clock.now();
    checkDraft(draft, nowMs);
    const previous = draft.id === '' ? null : this.#known(draft.id);
    if (previous !== null && canKeepId(previous, draft, nowMs)) {
      const updatedAt = after(previous.updatedAt, fromMs(nowMs));
      const startsAt =
        stateAt(previous, nowMs) === 'active' ? previous.startsAt : fromMs(draft.startsAtMs);
      this.#publish({ ...this.#silenceOf(draft, draft.id), startsAt, updatedAt }, by);
      return draft.id;
    }
    const id = uuid(this.#options.env.random);
    const created = this.#newSilence(draft, id, nowMs);
    if (previous !== null && stateAt(previous, nowMs) !== 'expired') this.expire(previous.id, by);
    this.#publish(created, by);
    return id;
  }

  /** Creates under an id that the caller made and that no silence has. */
  createAs(id: string, draft: SilenceDraft): void {
    assert(!this.#silences.has(id), 'the id is free');
    const nowMs = this.#options.env.clock.now();
    checkDraft(draft, nowMs);
    this.#publish(this.#newSilence(draft, id, nowMs));
  }

  #newSilence(draft: SilenceDraft, id: string, nowMs: number): Silence {
    const startsAt = fromMs(Math.max(draft.startsAtMs, nowMs));
    const created = { ...this.#silenceOf(draft, id), startsAt, updatedAt: fromMs(nowMs) };
    this.#checkLimits(created);
    return created;
  }

  /** Ends a silence now; one that has ended stays as it is. Throws SilenceNotFoundError. */
  expire(id: string, by = ''): void {
    const silence = this.#known(id);
    const nowMs = this.#options.env.clock.now();
    const now = fromMs(nowMs);
    const updatedAt = after(silence.updatedAt, now);
    switch (stateAt(silence, nowMs)) {
      case 'expired':
        return;
      case 'active':
        this.#publish({ ...silence, endsAt: now, updatedAt }, by);
        return;
      case 'pending':
        this.#publish({ ...silence, startsAt: now, endsAt: now, updatedAt }, by);
    }
  }

  get(id: string): Silence | undefined {
    return this.#silences.get(id)?.record.silence;
  }

  *all(): IterableIterator<Silence> {
    for (const { record } of this.#silences.values()) yield record.silence;
  }

  countByState(): Readonly<Record<SilenceState, number>> {
    const counts = { pending: 0, active: 0, expired: 0 };
    const nowMs = this.#options.env.clock.now();
    for (const silence of this.all()) counts[stateAt(silence, nowMs)]++;
    return counts;
  }

  /** Ids of all active silences that apply to these labels, sorted. */
  silencedBy(labels: LabelValues): readonly string[] {
    const metrics = this.#metrics;
    const candidates = this.#index.candidates(labels);
    metrics.queries.inc();
    metrics.skipped.inc(this.#indexedCount - candidates.length);
    if (candidates.length === 0) return NONE;
    metrics.scanned.inc(candidates.length);
    const { clock } = this.#options.env;
    const startMs = clock.monotonic();
    const nowMs = clock.now();
    const ids: string[] = [];
    for (const { record, matchers } of candidates) {
      if (matchers === null || stateAt(record.silence, nowMs) !== 'active') continue;
      if (matchesAll(matchers, labels)) ids.push(record.silence.id);
    }
    metrics.querySeconds.observe((clock.monotonic() - startMs) / 1_000);
    return ids.sort();
  }

  marshal(): Uint8Array {
    return encodeSilences([...this.#silences.values()].map(({ record }) => record));
  }

  merge(data: Uint8Array, holder: string | null = null): void {
    const nowMs = this.#options.env.clock.now();
    for (const record of decodeSilences(data)) {
      const { id, updatedAt } = record.silence;
      const known = this.get(id);
      if (holder !== null) this.#noteHolder(holder, id, updatedAt);
      if (!this.#take(record, nowMs, this.#metrics.unusableGossiped)) continue;
      this.#keep(record.bytes);
      this.#tell(known, record.silence, { origin: 'cluster', by: '' });
      if (record.bytes.length > MAX_RELAY_BYTES) continue;
      this.#broadcast(record.bytes);
      this.#metrics.relayed.inc();
    }
  }

  /** Takes a snapshot over; as {@link merge}, but sends nothing. */
  load(data: Uint8Array): void {
    const nowMs = this.#options.env.clock.now();
    for (const record of decodeSilences(data)) {
      this.#take(record, nowMs, this.#metrics.unusableLoaded);
    }
  }

  /** Forgets what is past its retention; returns how many. */
  collect(): number {
    const now = fromMs(this.#options.env.clock.now());
    let count = 0;
    for (const [id, stored] of this.#silences) {
      if (compareTimes(stored.record.expiresAt, now) > 0) continue;
      this.#silences.delete(id);
      this.#unindex(stored);
      count++;
    }
    return count;
  }

  #take(record: SilenceRecord, nowMs: number, unusable: Counter): boolean {
    if (toMs(record.expiresAt) < nowMs) return false;
    const known = this.#silences.get(record.silence.id)?.record.silence;
    if (known !== undefined && compareTimes(known.updatedAt, record.silence.updatedAt) >= 0) {
      return false;
    }
    if (!this.#store(record)) unusable.inc();
    return true;
  }

  /** Whether it can silence anything. */
  #store(record: SilenceRecord): boolean {
    const { id } = record.silence;
    const previous = this.#silences.get(id);
    if (previous !== undefined) this.#unindex(previous);
    const stored = { record, matchers: compileSilence(record.silence) };
    this.#silences.set(id, stored);
    if (stored.matchers === null) return false;
    this.#index.add(stored, stored.matchers);
    this.#indexedCount++;
    return true;
  }

  #unindex(stored: Stored): void {
    if (stored.matchers === null) return;
    this.#index.remove(stored, stored.matchers);
    this.#indexedCount--;
  }

  #publish(silence: Silence, by = ''): void {
    const record = silenceRecord(silence, this.#expiry(silence.endsAt));
    this.#tell(this.get(silence.id), silence, { origin: 'here', by });
    this.#store(record);
    this.#keep(record.bytes);
    this.#broadcast(record.bytes);
  }

  #tell(
    known: Silence | undefined,
    silence: Silence,
    from: Pick<SilenceEvent, 'origin' | 'by'>,
  ): void {
    const { events, env } = this.#options;
    if (!events.isHeard) return;
    const nowMs = env.clock.now();
    const isOver = stateAt(silence, nowMs) === 'expired';
    // One that was over before it was heard of is no news.
    if (known === undefined && isOver) return;
    const change = known === undefined ? 'created' : isOver ? 'expired' : 'edited';
    events.tell({ kind: 'silence', change, silence, ...from });
  }

  #expiry(endsAt: WireTime): WireTime {
    const retention = fromMs(this.#options.retentionMs);
    const nanos = endsAt.nanos + retention.nanos;
    const carry = nanos >= 1_000_000_000 ? 1 : 0;
    return {
      seconds: endsAt.seconds + retention.seconds + carry,
      nanos: nanos - carry * 1_000_000_000,
    };
  }

  #known(id: string): Silence {
    const silence = this.get(id);
    if (silence === undefined) throw new SilenceNotFoundError(id);
    return silence;
  }

  #silenceOf(draft: SilenceDraft, id: string): Silence {
    const unset = fromMs(0);
    return {
      id,
      matchers: draft.matchers,
      startsAt: fromMs(draft.startsAtMs),
      endsAt: fromMs(draft.endsAtMs),
      updatedAt: unset,
      createdBy: draft.createdBy,
      comment: draft.comment,
      annotations: draft.annotations,
      unknownFields: new Uint8Array(0),
      isApplicable: true,
    };
  }

  #checkLimits(silence: Silence): void {
    const { maxSilences, maxSilenceBytes } = this.#options;
    if (maxSilences > 0 && this.#silences.size + 1 > maxSilences) {
      throw new SilenceLimitError(
        'silences.max-silences',
        `exceeded maximum number of silences: ${this.#silences.size} (limit: ${maxSilences}); raise --silences.max-silences`,
      );
    }
    const size = silenceRecord(silence, this.#expiry(silence.endsAt)).bytes.length;
    if (maxSilenceBytes > 0 && size > maxSilenceBytes) {
      throw new SilenceLimitError(
        'silences.max-silence-size-bytes',
        `silence exceeded maximum size: ${size} bytes (limit: ${maxSilenceBytes} bytes); raise --silences.max-silence-size-bytes`,
      );
    }
  }
}

function checkDraft(draft: SilenceDraft, nowMs: number): void {
  if (draft.startsAtMs >= draft.endsAtMs) {
    throw new SilenceError('Failed to create silence: start time must be before end time');
  }
  if (draft.endsAtMs < nowMs) {
    throw new SilenceError("Failed to create silence: end time can't be in the past");
  }
  if (draft.matchers.length === 0)
    throw new SilenceError('invalid silence: at least one matcher required');
  const compiled = compileSilenceMatchers(draft.matchers);
  if (compiled.every((matcher) => matcher.matchesEmpty)) {
    throw new SilenceError(
      'invalid silence: matcher set 0: at least one matcher must not match the empty string',
    );
  }
}

function compileSilenceMatchers(matchers: readonly SilenceMatcher[]): Matcher[] {
  return matchers.map(({ name, operator, pattern }, index) => {
    const place = `invalid silence: invalid label matcher ${index} in set 0`;
    if (name === '') throw new SilenceError(`${place}: invalid label name ""`);
    try {
      return new Matcher(name, operator, pattern);
    } catch (error) {
      if (!(error instanceof PatternError)) throw error;
      const quoted = quoteText(pattern);
      throw new SilenceError(`${place}: invalid regular expression ${quoted}: ${error.message}`);
    }
  });
}

/**
 * The id survives an edit when the matchers are the same and the past is not changed: an active silence keeps its start,
 * a pending one starts not before now.
 */
function canKeepId(previous: Silence, draft: SilenceDraft, nowMs: number): boolean {
  if (!previous.isApplicable || !sameMatchers(previous.matchers, draft.matchers)) return false;
  switch (stateAt(previous, nowMs)) {
    case 'active':
      return (
        Math.floor(draft.startsAtMs / 1000) === previous.startsAt.seconds && draft.endsAtMs >= nowMs
      );
    case 'pending':
      return draft.startsAtMs >= nowMs;
    case 'expired':
      return false;
  }
}
