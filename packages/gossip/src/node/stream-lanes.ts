import { type Address, type Clock, errorText, sleep } from '@pollux/base';
import type { Log } from '@pollux/telemetry';
import { isPeerFailure } from '../errors.ts';
import { encodePart } from '../wire/part.ts';
import type { GossipMetrics } from './metrics.ts';

/** Bytes that wait for one member; it learns of what is beyond with the next full exchange. */
const MAX_WAITING_BYTES = 1024 * 1024;
/** Changes that wait for the same member go in one message up to this size. */
const MAX_JOINED_BYTES = 256 * 1024;
const MAX_ATTEMPTS = 3;
const RETRY_PAUSE_MS = 500;

/** A change of one state. */
export type Change = {
  readonly key: string;
  readonly data: Uint8Array;
  /** Whether data of several changes may stand in one message. */
  readonly isJoinable: boolean;
};

export type LaneMember = { readonly name: string; readonly address: Address };

export type StreamLanesOptions = {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: GossipMetrics;
  readonly signal: AbortSignal;
  /** Members there are now, without this one. */
  readonly others: () => readonly LaneMember[];
  /** Hands one message over; rejects when that fails. */
  readonly send: (to: Address, message: Uint8Array) => Promise<void>;
  /** Sending to this member failed. */
  readonly onFailure: (name: string) => void;
};

/**
 * What is too much for packets, over TCP to every other member: one message at a time to each, so that a slow member delays
 * nobody else. What comes meanwhile is joined.
 */
export class StreamLanes {
  readonly #options: StreamLanesOptions;
  readonly #lanes = new Map<string, Lane>();

  constructor(options: StreamLanesOptions) {
    this.#options = options;
  }

  send(change: Change): void {
    for (const { name } of this.#options.others()) {
      const lane = this.#lanes.get(name) ?? new Lane();
      this.#lanes.set(name, lane);
      if (!lane.push(change)) {
        this.#options.metrics.oversizeDropped.with(change.key).inc();
        this.#options.log.debug('oversize message dropped: too much waits', { peer: name });
      }
      if (!lane.isBusy) void this.#drain(name, lane);
    }
  }

  async #drain(name: string, lane: Lane): Promise<void> {
    lane.isBusy = true;
    for (let next = lane.take(); next !== null; next = lane.take()) {
      if (!(await this.#deliver(name, next))) break;
    }
    // Whoever is gone takes what waits along.
    this.#lanes.delete(name);
  }

  /** False when the member is gone. */
  async #deliver(name: string, { key, data }: Change): Promise<boolean> {
    const { clock, metrics, log, signal } = this.#options;
    const message = encodePart({ key, data });
    for (let attempt = 1; ; attempt++) {
      const member = this.#options.others().find((other) => other.name === name);
      if (member === undefined || signal.aborted) return false;
      const startMs = clock.monotonic();
      metrics.oversizeSent.with(key).inc();
      try {
        await this.#options.send(member.address, message);
        metrics.oversizeSeconds.with(key).observe((clock.monotonic() - startMs) / 1000);
        return true;
      } catch (error) {
        if (!isPeerFailure(error)) throw error;
        metrics.oversizeFailed.with(key).inc();
        log.debug('oversize message failed', { peer: name, err: errorText(error) });
      }
      this.#options.onFailure(name);
      // The next full exchange repairs it.
      if (attempt === MAX_ATTEMPTS) return true;
      await sleep(clock, attempt * RETRY_PAUSE_MS, signal).catch(() => {});
    }
  }
}

/** What waits for one member. */
class Lane {
  isBusy = false;
  readonly #waiting: Change[] = [];
  #bytes = 0;

  /** False when it is full; a single change always fits. */
  push(change: Change): boolean {
    if (this.#bytes > 0 && this.#bytes + change.data.length > MAX_WAITING_BYTES) return false;
    this.#waiting.push(change);
    this.#bytes += change.data.length;
    return true;
  }

  /** The oldest change with those that may go along with it. */
  take(): Change | null {
    const first = this.#waiting.shift();
    if (first === undefined) return null;
    const joined = [first.data];
    let size = first.data.length;
    while (first.isJoinable) {
      const next = this.#waiting[0];
      if (next?.key !== first.key || size + next.data.length > MAX_JOINED_BYTES) break;
      joined.push(next.data);
      size += next.data.length;
      this.#waiting.shift();
    }
    this.#bytes -= size;
    return { ...first, data: joined.length === 1 ? first.data : Buffer.concat(joined) };
  }
}
