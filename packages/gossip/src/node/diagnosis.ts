import { type Address, type Clock, errorText, type Random } from '@pollux/base';
import { isPeerFailure } from '../errors.ts';
import { encodeMessage, type Message } from '../wire/messages.ts';
import { deferred } from './deferred.ts';

import type { Transport } from './transport.ts';

/** Whether a way to a member works. */
export type LinkState = {
  readonly isReachable: boolean;
  /** Of the first answer; null without one. */
  readonly roundTripMs: number | null;
  /** Why it does not work; empty when it does. */
  readonly error: string;
};

/** What this member sees of another. */
export type MemberLink = {
  readonly name: string;
  readonly address: string;
  readonly isSuspected: boolean;
  readonly udp: LinkState;
  readonly tcp: LinkState;
  /** How long ago anything came from its address over UDP, ms; null when nothing ever did. */
  readonly lastContactMs: number | null;
};

/** Two members that claimed one name. */
export type NameConflict = {
  readonly name: string;
  readonly address: string;
  /** Wall clock. */
  readonly timeMs: number;
};

export type DiagnosisOptions = {
  readonly clock: Clock;
  readonly random: Random;
  readonly transport: Transport;
};

/** The pings of a diagnosis are told from those of the protocol, which count from 0, by numbers from here on. */
const FIRST_SEQUENCE = 0xc000_0000;
const SEQUENCES = 0x3000_0000;
/** A datagram may be lost on a way that works. */
const UDP_ATTEMPTS = 3;
const MAX_CONFLICTS = 20;
const MAX_CONTACTS = 10_000;

/** Pings members over both ways on request, outside of the protocol: what it finds changes nobody's standing. */
export class Diagnosis {
  readonly #options: DiagnosisOptions;
  /** By sequence: what to call when the answer comes. */
  readonly #waiting = new Map<number, () => void>();
  /** When something came from an address, monotonic ms. */
  readonly #contacts = new Map<string, number>();
  readonly #conflicts: NameConflict[] = [];

  constructor(options: DiagnosisOptions) {
    this.#options = options;
  }

  /** The last ones, oldest first. */
  get conflicts(): readonly NameConflict[] {
    return [...this.#conflicts];
  }

  noteConflict(name: string, address: string): void {
    this.#conflicts.push({ name, address, timeMs: this.#options.clock.now() });
    if (this.#conflicts.length > MAX_CONFLICTS) this.#conflicts.shift();
  }

  noteContact(from: string): void {
    // Addresses may be forged: the map stays bounded.
    if (this.#contacts.size >= MAX_CONTACTS && !this.#contacts.has(from)) return;
    this.#contacts.set(from, this.#options.clock.monotonic());
  }

  /** How long ago, ms. */
  lastContactMs(from: string): number | null {
    const atMs = this.#contacts.get(from);
    return atMs === undefined ? null : this.#options.clock.monotonic() - atMs;
  }

  /** True when the message answers a ping of a diagnosis. */
  takes(message: Message): boolean {
    if (message.kind !== 'ack') return false;
    const answered = this.#waiting.get(message.sequence);
    answered?.();
    return answered !== undefined;
  }

  /** Pings `name` at `to` over UDP, three times within `timeoutMs`. */
  async udp(name: string, to: Address, timeoutMs: number): Promise<LinkState> {
    const { clock, transport } = this.#options;
    const sequence = this.#freeSequence();
    const answer = deferred<number>();
    const startMs = clock.monotonic();
    this.#waiting.set(sequence, () => answer.resolve(rounded(clock.monotonic() - startMs)));
    const ping = encodeMessage({ kind: 'ping', sequence, node: name, source: null });
    const send = (): void => transport.send([ping], to, false);
    send();
    const timers = Array.from({ length: UDP_ATTEMPTS - 1 }, (_, index) =>
      clock.after(((index + 1) * timeoutMs) / UDP_ATTEMPTS, send),
    );
    timers.push(clock.after(timeoutMs, () => answer.resolve(-1)));
    const roundTripMs = await answer.promise;
    for (const timer of timers) timer.cancel();
    this.#waiting.delete(sequence);
    return roundTripMs < 0
      ? { isReachable: false, roundTripMs: null, error: `no answer within ${timeoutMs} ms` }
      : { isReachable: true, roundTripMs, error: '' };
  }

  /** Pings over TCP. */
  async tcp(name: string, to: Address, timeoutMs: number): Promise<LinkState> {
    const { clock, transport } = this.#options;
    const sequence = this.#freeSequence();
    const startMs = clock.monotonic();
    try {
      const ping = { kind: 'ping', sequence, node: name, source: null } as const;
      const reply = await transport.request(to, ping, { wantsReply: true, timeoutMs });
      if (reply?.kind === 'ack' && reply.sequence === sequence) {
        const roundTripMs = rounded(clock.monotonic() - startMs);
        return { isReachable: true, roundTripMs, error: '' };
      }
      return { isReachable: false, roundTripMs: null, error: 'answered with something else' };
    } catch (error) {
      if (!isPeerFailure(error)) throw error;
      return { isReachable: false, roundTripMs: null, error: errorText(error) };
    }
  }

  #freeSequence(): number {
    for (;;) {
      const sequence = FIRST_SEQUENCE + Math.floor(this.#options.random.next() * SEQUENCES);
      if (!this.#waiting.has(sequence)) return sequence;
    }
  }
}

/** To the microsecond; clocks tell no more. */
function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
