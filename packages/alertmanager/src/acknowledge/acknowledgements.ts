import { type Env, LimitError, uuid } from '@pollux/base';
import { type Matcher, matchesAll } from '@pollux/model';
import type { Alert } from '../alert/alert.ts';
import type { ClusterStatePart } from '../cluster-port.ts';
import type { AcknowledgementEvent } from '../events/notify-event.ts';
import type { NotifyEvents } from '../events/notify-events.ts';
import type { SilenceMatcher } from '../silence/silence.ts';
import { joined } from '../wire/protobuf.ts';
import {
  type Acknowledgement,
  compileAcknowledgement,
  endOf,
  isLiveAt,
  KEPT_MS,
} from './acknowledgement.ts';
import { decodeAcknowledgements, encodeAcknowledgement } from './codec.ts';

const MAX_ACKNOWLEDGEMENTS = 10_000;
/** Of another member's clock against ours. */
const MAX_CLOCK_DIFFERENCE_MS = 24 * 3_600_000;
/** A data blob above this is not sent on by the member that received it; the sender has reached everybody over TCP. */
const MAX_RELAY_BYTES = 700;

export type AcknowledgementDraft = {
  readonly matchers: readonly SilenceMatcher[];
  readonly fingerprint: string;
  readonly groupKey: string;
  readonly owner: string;
  readonly note: string;
  /** 0 for "when the alerts end". */
  readonly untilMs: number;
  /** The latest start among the alerts that it is meant for, ms. */
  readonly latestStartMs: number;
};

type Stored = {
  readonly acknowledgement: Acknowledgement;
  readonly bytes: Uint8Array;
  readonly matchers: readonly Matcher[] | null;
};

/** All acknowledgements of the cluster that this member knows; last writer wins. The state "pollux_ack". */
export class Acknowledgements implements ClusterStatePart {
  readonly #env: Pick<Env, 'clock' | 'random'>;
  readonly #events: NotifyEvents;
  readonly #stored = new Map<string, Stored>();
  #broadcast: (data: Uint8Array) => void = () => {};

  constructor(env: Pick<Env, 'clock' | 'random'>, events: NotifyEvents) {
    this.#env = env;
    this.#events = events;
  }

  /** From now on every change is sent to the cluster. */
  connect(broadcast: (data: Uint8Array) => void): void {
    this.#broadcast = broadcast;
  }

  get size(): number {
    return this.#stored.size;
  }

  /** Ended ones too, as long as they are kept. */
  *all(): IterableIterator<Acknowledgement> {
    for (const { acknowledgement } of this.#stored.values()) yield acknowledgement;
  }

  get(id: string): Acknowledgement | undefined {
    return this.#stored.get(id)?.acknowledgement;
  }

  isLive(acknowledgement: Acknowledgement): boolean {
    return isLiveAt(acknowledgement, this.#env.clock.now());
  }

  /** Throws a LimitError when there are too many. */
  create({ latestStartMs, ...draft }: AcknowledgementDraft): Acknowledgement {
    if (this.#stored.size >= MAX_ACKNOWLEDGEMENTS) {
      throw new LimitError(
        'ALERTMANAGER.ACKNOWLEDGEMENT_LIMIT',
        'acknowledgements',
        `${MAX_ACKNOWLEDGEMENTS} acknowledgements are kept already; end some, or acknowledge by group or matchers`,
      );
    }
    const nowMs = this.#env.clock.now();
    const created = {
      ...draft,
      id: uuid(this.#env.random),
      createdMs: nowMs,
      // The sender's clock may be ahead of ours.
      coversStartsUntilMs: Math.max(nowMs, latestStartMs),
      endedMs: 0,
      updatedMs: nowMs,
    };
    this.#publish(created);
    return created;
  }

  /** Ends it now; one that has ended, or is not known, stays as it is. */
  end(id: string): void {
    const known = this.get(id);
    if (known === undefined || !this.isLive(known)) return;
    const nowMs = this.#env.clock.now();
    const updatedMs = Math.max(nowMs, known.updatedMs + 1);
    this.#publish({ ...known, endedMs: nowMs, updatedMs });
  }

  /**
   * Those that cover an alert and live at a time, now if none is given. The keys are, in any spelling, those of the groups
   * that hold it; asked only when needed.
   */
  covering(
    alert: Alert,
    groupKeys: () => readonly string[],
    atMs = this.#env.clock.now(),
  ): Acknowledgement[] {
    // Nearly always there is none at all.
    if (this.#stored.size === 0) return [];
    const found: Acknowledgement[] = [];
    for (const stored of this.#stored.values()) {
      const { acknowledgement } = stored;
      if (isLiveAt(acknowledgement, atMs) && covers(stored, alert, groupKeys)) {
        found.push(acknowledgement);
      }
    }
    return found;
  }

  marshal(): Uint8Array {
    return joined([...this.#stored.values()].map(({ bytes }) => bytes));
  }

  merge(data: Uint8Array): void {
    for (const { acknowledgement, bytes } of decodeAcknowledgements(data)) {
      const known = this.get(acknowledgement.id);
      if (!this.#take(acknowledgement, bytes)) continue;
      this.#tell(known, acknowledgement, 'cluster');
      if (bytes.length <= MAX_RELAY_BYTES) this.#broadcast(bytes);
    }
  }

  /** Takes a snapshot over; as {@link merge}, but tells nobody. */
  load(data: Uint8Array): void {
    for (const { acknowledgement, bytes } of decodeAcknowledgements(data)) {
      this.#take(acknowledgement, bytes);
    }
  }

  /** Forgets what ended long ago; returns how many. */
  collect(): number {
    const nowMs = this.#env.clock.now();
    let count = 0;
    for (const [id, { acknowledgement }] of this.#stored) {
      if (endOf(acknowledgement) + KEPT_MS > nowMs) continue;
      this.#stored.delete(id);
      count++;
    }
    return count;
  }

  #take(acknowledgement: Acknowledgement, bytes: Uint8Array): boolean {
    const nowMs = this.#env.clock.now();
    if (endOf(acknowledgement) + KEPT_MS <= nowMs) return false;
    if (acknowledgement.createdMs > nowMs + MAX_CLOCK_DIFFERENCE_MS) return false;
    const known = this.#stored.get(acknowledgement.id);
    if (known === undefined) {
      if (this.#stored.size >= MAX_ACKNOWLEDGEMENTS) return false;
    } else if (!isNewer({ acknowledgement, bytes }, known)) return false;
    this.#store(acknowledgement, bytes);
    return true;
  }

  #store(acknowledgement: Acknowledgement, bytes: Uint8Array): void {
    const matchers = compileAcknowledgement(acknowledgement);
    this.#stored.set(acknowledgement.id, { acknowledgement, bytes, matchers });
  }

  #publish(acknowledgement: Acknowledgement): void {
    const bytes = encodeAcknowledgement(acknowledgement);
    const known = this.get(acknowledgement.id);
    this.#store(acknowledgement, bytes);
    this.#tell(known, acknowledgement, 'here');
    this.#broadcast(bytes);
  }

  #tell(
    known: Acknowledgement | undefined,
    acknowledgement: Acknowledgement,
    origin: AcknowledgementEvent['origin'],
  ): void {
    if (!this.#events.isHeard) return;
    const isLive = this.isLive(acknowledgement);
    const wasLive = known !== undefined && this.isLive(known);
    if (known === undefined ? !isLive : wasLive === isLive) return;
    const change = isLive ? 'created' : 'ended';
    this.#events.tell({ kind: 'acknowledgement', change, acknowledgement, origin });
  }
}

type Version = Pick<Stored, 'acknowledgement' | 'bytes'>;

/** Members that hear two versions in any order keep the same one. */
function isNewer(incoming: Version, known: Version): boolean {
  const order = incoming.acknowledgement.updatedMs - known.acknowledgement.updatedMs;
  return order !== 0 ? order > 0 : Buffer.compare(incoming.bytes, known.bytes) > 0;
}

function covers(
  { acknowledgement, matchers }: Stored,
  alert: Alert,
  groupKeys: () => readonly string[],
): boolean {
  const { fingerprint, groupKey, coversStartsUntilMs } = acknowledgement;
  if (matchers === null || alert.startsAtMs > coversStartsUntilMs) return false;
  // Without any condition it would cover everything.
  if (matchers.length === 0 && fingerprint === '' && groupKey === '') return false;
  if (fingerprint !== '' && alert.identity.fingerprint !== fingerprint) return false;
  if (!matchesAll(matchers, alert.identity)) return false;
  return groupKey === '' || groupKeys().includes(groupKey);
}
