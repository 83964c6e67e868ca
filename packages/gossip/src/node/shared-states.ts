import { type Clock, errorText, OperatingError, type Timer } from '@pollux/base';
import type { Log } from '@pollux/telemetry';
import {
  decodeFullState,
  decodePart,
  encodeFullState,
  encodePart,
  type Part,
} from '../wire/part.ts';
import type { GossipMetrics } from './metrics.ts';
import type { Change } from './stream-lanes.ts';

/** Keys that every Alertmanager knows; their parts are sent also when they are empty, as it does. */
const UPSTREAM_KEYS: ReadonlySet<string> = new Set(['nfl', 'sil']);

/** Parts up to this size go by gossip, larger ones over TCP to every member: half of a packet. */
const MAX_GOSSIPED_PART_BYTES = 700;

/** Changes of this long are told once more together, over TCP when that is too much for a packet. */
const JOIN_MS = 50;

/** Of a full state so many news are passed on; what is more is a member that comes back, and everybody else has them. */
const MAX_PASSED_ON = 64;

/** In larger clusters everything that fits a packet is left to gossip: a connection to each would be too many. */
const MAX_JOINED_MEMBERS = 16;

/** A state that all members share and that merges without conflict, such as silences. */
export type StatePart = {
  /** Set when the data of two changes, one behind the other, is the data of both: many are told together then. */
  readonly isJoinable?: boolean;
  /** The whole state as the data of one Part. The caller owns the bytes. */
  marshal(): Uint8Array;
  /**
   * Takes over data of another member: a whole state or one change. Throws an OperatingError and changes nothing when it is
   * malformed. May call `broadcast` for what was news, which is how changes travel on. `holder` is the member that is known
   * to hold the data itself; null when it is not known who sent it.
   */
  merge(data: Uint8Array, holder: string | null): void;
};

export type StateChannel = {
  /** Sends data to all other members, best effort; push/pull repairs what is lost. Takes the bytes over. */
  broadcast(data: Uint8Array): void;
};

export type SharedStatesOptions = {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: GossipMetrics;
  /** Sends a small message to all at once, where packets may be lost. */
  readonly tell: (message: Uint8Array) => void;
  /** Queues a small message for the rounds of gossip. */
  readonly gossip: (message: Uint8Array) => void;
  /** Sends a change over TCP to every other member. */
  readonly stream: (change: Change) => void;
  /** Members there are now, this one included. */
  readonly memberCount: () => number;
};

/**
 * The states registered under their keys: their full form, their changes out and in.
 *
 * A change of our own is told twice. At once, in a packet to everybody, so that it has left before whoever made it goes on.
 * And again with the others of the same 50 ms: few go into the rounds of gossip; what is more than a packet's share goes
 * over TCP, since the rounds (1,400 bytes to each of a few members every 200 ms) could not keep up with it. What came from
 * others and is passed on goes into the rounds only.
 */
export class SharedStates {
  readonly #options: SharedStatesOptions;
  readonly #parts = new Map<string, StatePart>();
  readonly #joining = new Map<string, Uint8Array[]>();
  #timer: Timer | null = null;
  /** Whose news it is that a state broadcasts now: another member's while its data is taken over. */
  #origin: 'own' | 'passed on' | 'known to all' = 'own';
  #passedOn = 0;

  constructor(options: SharedStatesOptions) {
    this.#options = options;
  }

  add(key: string, part: StatePart): StateChannel {
    this.#parts.set(key, part);
    return {
      broadcast: (data) => this.#broadcast({ key, data, isJoinable: part.isJoinable === true }),
    };
  }

  /** Sends on its way what waits for more to go along. */
  flush(): void {
    this.#timer?.cancel();
    this.#timer = null;
    for (const [key, changes] of this.#joining) this.#tellAgain(key, changes);
    this.#joining.clear();
  }

  /** Drops it. */
  close(): void {
    this.#timer?.cancel();
    this.#joining.clear();
  }

  #broadcast(change: Change): void {
    const { metrics, gossip, tell, stream, clock } = this.#options;
    const { key, data, isJoinable } = change;
    if (this.#origin === 'known to all') return;
    if (this.#origin === 'passed on' && ++this.#passedOn > MAX_PASSED_ON) return;
    const message = encodePart({ key, data });
    metrics.sent.with('update').inc();
    metrics.sentBytes.with('update').inc(message.length);
    if (message.length > MAX_GOSSIPED_PART_BYTES) {
      stream(change);
      return;
    }
    if (this.#origin === 'passed on') {
      gossip(message);
      return;
    }
    tell(message);
    if (!isJoinable) {
      gossip(message);
      return;
    }
    const joining = this.#joining.get(key);
    if (joining === undefined) this.#joining.set(key, [data]);
    else joining.push(data);
    this.#timer ??= clock.after(JOIN_MS, () => this.flush());
  }

  #tellAgain(key: string, changes: readonly Uint8Array[]): void {
    const { gossip, stream, memberCount } = this.#options;
    const size = changes.reduce((sum, data) => sum + data.length, 0);
    if (size > MAX_GOSSIPED_PART_BYTES && memberCount() <= MAX_JOINED_MEMBERS) {
      stream({ key, data: Buffer.concat(changes), isJoinable: true });
      return;
    }
    for (const data of changes) gossip(encodePart({ key, data }));
  }

  /** The user state of a push/pull. */
  fullState(): Uint8Array {
    const parts: Part[] = [];
    for (const [key, part] of this.#parts) {
      const data = part.marshal();
      // The Go program warns of each key that it does not know: one without content is not worth that.
      if (data.length > 0 || UPSTREAM_KEYS.has(key)) parts.push({ key, data });
    }
    const state = encodeFullState(parts);
    const { metrics } = this.#options;
    metrics.sent.with('full_state').inc();
    metrics.sentBytes.with('full_state').inc(state.length);
    return state;
  }

  /** Merges a full state of another member, part by part; a broken part does not keep the others out. */
  mergeFullState(state: Uint8Array, holder: string | null): void {
    this.#count('full_state', state);
    if (state.length === 0) return;
    this.#guard('full state', () => {
      for (const part of decodeFullState(state)) {
        this.#guard(`full state of ${part.key}`, () =>
          this.#merge(part, { isFullState: true, holder }),
        );
      }
    });
  }

  /** Merges one gossiped message. */
  mergeMessage(message: Uint8Array, holder: string | null): void {
    this.#count('update', message);
    this.#guard('message', () => {
      this.#merge(decodePart(message), { isFullState: false, holder });
    });
  }

  #merge(
    part: Part,
    { isFullState, holder }: { readonly isFullState: boolean; readonly holder: string | null },
  ): void {
    const known = this.#parts.get(part.key);
    // Keys that only some members know are how states are added to running clusters.
    if (known === undefined) {
      if (isFullState)
        this.#options.log.debug('state with an unknown key skipped', { key: part.key });
      return;
    }
    if (part.data.length === 0) return;
    // A change too large for packets came over TCP, and its sender has reached everybody in that way.
    const isTold = !isFullState && part.data.length > MAX_GOSSIPED_PART_BYTES;
    this.#passedOn = 0;
    this.#origin = isTold ? 'known to all' : 'passed on';
    try {
      known.merge(part.data, holder);
    } finally {
      this.#origin = 'own';
    }
  }

  #count(type: string, data: Uint8Array): void {
    this.#options.metrics.received.with(type).inc();
    this.#options.metrics.receivedBytes.with(type).inc(data.length);
  }

  #guard(what: string, work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!OperatingError.is(error)) throw error;
      this.#options.metrics.refused.with(error.code).inc();
      this.#options.log.warn('gossip refused', { what, err: errorText(error) });
    }
  }
}
