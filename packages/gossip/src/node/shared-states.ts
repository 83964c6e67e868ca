import { BoundedQueue, type Clock, errorText, OperatingError } from '@pollux/base';
import type { Log } from '@pollux/telemetry';
import {
  decodeFullState,
  decodePart,
  encodeFullState,
  encodePart,
  type Part,
} from '../wire/part.ts';
import type { GossipMetrics } from './metrics.ts';

/** Parts up to this size go by gossip, larger ones over TCP to every member: half of a packet. */
const MAX_GOSSIPED_PART_BYTES = 700;

/** Oversize messages waiting per key. */
const MAX_OVERSIZE_QUEUE = 200;

/** A state that all members share and that merges without conflict, such as silences. */
export type StatePart = {
  /** The whole state as the data of one Part. The caller owns the bytes. */
  marshal(): Uint8Array;
  /**
   * Takes over data of another member: a whole state or one change. Throws an OperatingError and changes nothing when it is
   * malformed. May call `broadcast` for what was news, which is how changes travel on.
   */
  merge(data: Uint8Array): void;
};

export type StateChannel = {
  /** Sends data to all other members, best effort; push/pull repairs what is lost. Takes the bytes over. */
  broadcast(data: Uint8Array): void;
};

export type SharedStatesOptions = {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: GossipMetrics;
  /** Queues a small message for gossip. */
  readonly gossip: (message: Uint8Array) => void;
  /** Sends a large message to every other member over TCP; resolves with the number of failures. */
  readonly sendToAll: (message: Uint8Array) => Promise<number>;
};

/** The states registered under their keys: their full form, their changes out and in. */
export class SharedStates {
  readonly #options: SharedStatesOptions;
  readonly #parts = new Map<string, StatePart>();

  constructor(options: SharedStatesOptions) {
    this.#options = options;
  }

  add(key: string, part: StatePart): StateChannel {
    this.#parts.set(key, part);
    const oversize = new OversizeSender(key, this.#options);
    const { metrics } = this.#options;
    return {
      broadcast: (data) => {
        const message = encodePart({ key, data });
        metrics.sent.with('update').inc();
        metrics.sentBytes.with('update').inc(message.length);
        if (message.length <= MAX_GOSSIPED_PART_BYTES) this.#options.gossip(message);
        else oversize.send(message);
      },
    };
  }

  /** The user state of a push/pull. */
  fullState(): Uint8Array {
    const parts: Part[] = [];
    for (const [key, part] of this.#parts) parts.push({ key, data: part.marshal() });
    const state = encodeFullState(parts);
    const { metrics } = this.#options;
    metrics.sent.with('full_state').inc();
    metrics.sentBytes.with('full_state').inc(state.length);
    return state;
  }

  /** Merges a full state of another member, part by part; a broken part does not keep the others out. */
  mergeFullState(state: Uint8Array): void {
    this.#count('full_state', state);
    if (state.length === 0) return;
    this.#guard('full state', () => {
      for (const part of decodeFullState(state)) {
        this.#guard(`full state of ${part.key}`, () => this.#merge(part, true));
      }
    });
  }

  /** Merges one gossiped message. */
  mergeMessage(message: Uint8Array): void {
    this.#count('update', message);
    this.#guard('message', () => this.#merge(decodePart(message), false));
  }

  #merge(part: Part, isFullState: boolean): void {
    const known = this.#parts.get(part.key);
    // Keys that only some members know are how states are added to running clusters.
    if (known === undefined) {
      if (isFullState)
        this.#options.log.debug('state with an unknown key skipped', { key: part.key });
      return;
    }
    if (part.data.length > 0) known.merge(part.data);
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

/** One worker per key, so that a slow round of one state does not delay another's. */
class OversizeSender {
  readonly #key: string;
  readonly #options: SharedStatesOptions;
  readonly #queue = new BoundedQueue<Uint8Array>(MAX_OVERSIZE_QUEUE);
  #isBusy = false;

  constructor(key: string, options: SharedStatesOptions) {
    this.#key = key;
    this.#options = options;
  }

  send(message: Uint8Array): void {
    if (!this.#queue.push(message)) {
      this.#options.metrics.oversizeDropped.with(this.#key).inc();
      this.#options.log.debug('oversize message dropped: queue is full', { key: this.#key });
      return;
    }
    if (!this.#isBusy) void this.#drain();
  }

  async #drain(): Promise<void> {
    const { metrics, clock } = this.#options;
    this.#isBusy = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      const startMs = clock.monotonic();
      metrics.oversizeSent.with(this.#key).inc();
      const failures = await this.#options.sendToAll(next);
      metrics.oversizeFailed.with(this.#key).inc(failures);
      metrics.oversizeSeconds.with(this.#key).observe((clock.monotonic() - startMs) / 1000);
    }
    this.#isBusy = false;
  }
}
