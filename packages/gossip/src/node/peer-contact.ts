import { type Address, type Clock, errorText, type Net, sleep, withTimeout } from '@pollux/base';
import type { Log } from '@pollux/telemetry';
import { isPeerFailure } from '../errors.ts';
import { formatAddress, formatIp, parseIp } from '../wire/ip.ts';
import type { GossipMetrics } from './metrics.ts';
import { parsePeer } from './options.ts';
import type { PeerBook } from './peer-book.ts';

const RESOLVE_RETRY_MS = 2_000;
const MAX_PEER_ADDRESSES = 1_024;
/** Addresses remembered of names that move again and again; beyond it the memory begins anew. */
const MAX_REMEMBERED = 4_096;

export type PeerContactOptions = {
  readonly env: { readonly clock: Clock; readonly net: Net };
  readonly log: Log;
  readonly metrics: GossipMetrics;
  readonly book: PeerBook;
  /** As configured; hosts may be names. */
  readonly peers: readonly Address[];
  /** What peers send to; never joined. */
  readonly self: Address;
  readonly resolveTimeoutMs: number;
  /** `ip:port` of the members there are now. */
  readonly memberAddresses: () => readonly string[];
  /** Exchanges full states; false when that failed. */
  readonly join: (to: Address) => Promise<boolean>;
};

/** Finds the configured peers and those lost, above the membership protocol and as Alertmanager does. */
export class PeerContact {
  readonly #options: PeerContactOptions;
  /** `ip:port` that a configured name had at some time. */
  readonly #ofNames = new Set<string>();

  constructor(options: PeerContactOptions) {
    this.#options = options;
  }

  /** First contact: looks the peers up, again while nothing is found, and joins them all. One success is enough. */
  async join(signal: AbortSignal): Promise<void> {
    if (this.#options.peers.length === 0) return;
    const { clock } = this.#options.env;
    const endMs = clock.monotonic() + this.#options.resolveTimeoutMs;
    let addresses = await this.#resolvePeers(signal);
    while (addresses.length === 0 && clock.monotonic() + RESOLVE_RETRY_MS < endMs) {
      if (this.#options.peers.every((peer) => this.#isSelf(peer))) return;
      await sleep(clock, RESOLVE_RETRY_MS, signal);
      addresses = await this.#resolvePeers(signal);
    }
    const nowMs = clock.monotonic();
    for (const { host, port } of addresses)
      this.#options.book.markFailed(formatAddress(host, port), nowMs);
    const joined = await Promise.all(addresses.map((address) => this.#options.join(address)));
    const count = joined.filter((isJoined) => isJoined).length;
    if (count === 0 && addresses.length > 0) {
      this.#options.log.warn('no peer could be joined; trying again and again', {
        peers: addresses.length,
      });
    } else {
      this.#options.log.info('joined', { peers: count });
    }
  }

  async reconnect(): Promise<void> {
    for (const address of this.#options.book.failed()) {
      const isJoined = await this.#options.join(parsePeer(address));
      (isJoined
        ? this.#options.metrics.reconnections
        : this.#options.metrics.reconnectionsFailed
      ).inc();
      // The exchange can succeed with a member under another name that took the address over.
      if (isJoined) this.#options.book.markAlive(address);
    }
  }

  /**
   * Joins configured peers that are no members, at the addresses their names have now. Addresses that the names had before
   * are given up: somebody else's cluster may have them next.
   */
  async refresh(signal: AbortSignal): Promise<void> {
    const { addresses, isWhole } = await this.#lookUp(signal);
    if (isWhole) this.#dropMoved(addresses);
    const known = new Set(this.#options.memberAddresses());
    for (const address of addresses) {
      if (known.has(formatAddress(address.host, address.port))) continue;
      const isJoined = await this.#options.join(address);
      (isJoined ? this.#options.metrics.refreshes : this.#options.metrics.refreshesFailed).inc();
    }
  }

  async #resolvePeers(signal: AbortSignal): Promise<Address[]> {
    return (await this.#lookUp(signal)).addresses;
  }

  /** Addresses of the configured peers, without our own, and whether every name was found. */
  async #lookUp(signal: AbortSignal): Promise<{ addresses: Address[]; isWhole: boolean }> {
    const found = new Map<string, Address>();
    let isWhole = true;
    for (const { host, port } of this.#options.peers) {
      const isLiteral = parseIp(host) !== null;
      const ips = isLiteral ? [host] : await this.#resolve(host, signal);
      if (ips.length === 0) isWhole = false;
      for (const ip of ips) {
        const bytes = parseIp(ip);
        if (bytes === null) continue;
        // One spelling for each address, so that it can be compared with those of members.
        const address = { host: formatIp(bytes), port };
        if (this.#isSelf(address) || found.size >= MAX_PEER_ADDRESSES) continue;
        const text = formatAddress(address.host, port);
        found.set(text, address);
        if (!isLiteral) this.#remember(text);
      }
    }
    return { addresses: [...found.values()], isWhole };
  }

  #remember(address: string): void {
    if (this.#ofNames.size >= MAX_REMEMBERED) this.#ofNames.clear();
    this.#ofNames.add(address);
  }

  #dropMoved(current: readonly Address[]): void {
    const now = new Set(current.map(({ host, port }) => formatAddress(host, port)));
    for (const address of this.#options.book.failed()) {
      if (!this.#ofNames.has(address) || now.has(address)) continue;
      this.#options.book.forget(address);
      this.#options.log.info('a peer name has moved; its old address is given up', {
        addr: address,
      });
    }
  }

  async #resolve(host: string, signal: AbortSignal): Promise<string[]> {
    const { clock, net } = this.#options.env;
    try {
      return await withTimeout(
        clock,
        this.#options.resolveTimeoutMs,
        `looking up ${host}`,
        (inner) => net.resolve(host, inner),
        signal,
      );
    } catch (error) {
      signal.throwIfAborted();
      if (!isPeerFailure(error)) throw error;
      this.#options.log.warn('peer name not found', { host, err: errorText(error) });
      return [];
    }
  }

  #isSelf({ host, port }: Address): boolean {
    const { self } = this.#options;
    return host === self.host && port === self.port;
  }
}
