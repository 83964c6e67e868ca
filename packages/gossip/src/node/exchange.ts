import { type Address, assert, errorText } from '@pollux/base';
import type { Log } from '@pollux/telemetry';
import { isPeerFailure, PeerError, TlsError } from '../errors.ts';
import { pushedNodes, versionMismatch } from '../swim/membership.ts';
import type { SwimEvent } from '../swim/protocol.ts';
import type { SwimState } from '../swim/state.ts';
import { formatAddress } from '../wire/ip.ts';
import type { PushPull } from '../wire/stream.ts';
import type { SharedStates } from './shared-states.ts';
import type { Transport } from './transport.ts';

export type ExchangeOptions = {
  readonly log: Log;
  readonly transport: Transport;
  readonly states: SharedStates;
  /** Null before the start. */
  readonly swim: () => SwimState | null;
  readonly step: (event: SwimEvent) => void;
  /** The name of the one member that listens there; null when none or several do. */
  readonly memberAt: (address: Address) => string | null;
  readonly signal: AbortSignal;
};

/** Push/pull: two members give each other all they know of the members and of the shared states. */
export class Exchange {
  readonly #options: ExchangeOptions;

  constructor(options: ExchangeOptions) {
    this.#options = options;
  }

  /** What this member knows. */
  ours(isJoin: boolean): PushPull {
    const nodes = pushedNodes(this.#swim());
    return { kind: 'pushPull', isJoin, nodes, userState: this.#options.states.fullState() };
  }

  /**
   * Takes over what another member knows; gives what keeps it out as an error. `from` is the address that it listens on,
   * null where only that of its connection is known.
   */
  merge(theirs: PushPull, from: Address | null): PeerError | null {
    const mismatch = versionMismatch(pushedNodes(this.#swim()), theirs.nodes);
    if (mismatch !== null) return new PeerError(mismatch);
    const { step, states, memberAt } = this.#options;
    // First: a member that was just joined is known only then.
    step({ kind: 'merge', nodes: theirs.nodes });
    states.mergeFullState(theirs.userState, from === null ? null : memberAt(from));
    return null;
  }

  /** Exchanges with a member; false when that failed. */
  async with(to: Address, isJoin: boolean): Promise<boolean> {
    try {
      await this.#exchange(to, isJoin);
      return true;
    } catch (error) {
      if (!isPeerFailure(error)) throw error;
      const text = { addr: formatAddress(to.host, to.port), err: errorText(error) };
      this.#options.log[error instanceof TlsError ? 'warn' : 'debug'](
        isJoin ? 'join failed' : 'push/pull failed',
        text,
      );
      return false;
    }
  }

  async #exchange(to: Address, isJoin: boolean): Promise<void> {
    const { transport, signal } = this.#options;
    const reply = await transport.request(to, this.ours(isJoin), { wantsReply: true });
    if (reply?.kind !== 'pushPull') throw new PeerError('the answer is no push/pull');
    if (signal.aborted) return;
    const error = this.merge(reply, to);
    if (error !== null) throw error;
  }

  #swim(): SwimState {
    const swim = this.#options.swim();
    assert(swim !== null, 'an exchange before the start');
    return swim;
  }
}
