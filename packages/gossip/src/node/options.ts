import type { Address, Clock, Net, Random } from '@pollux/base';
import type { Log, Registry } from '@pollux/telemetry';
import { GossipConfigError } from '../errors.ts';
import { LAN, type SwimConfig } from '../swim/config.ts';
import { isAnyAddress, parseIp } from '../wire/ip.ts';
import type { GossipTls } from './transport.ts';

/** Times in ms, with Alertmanager's flags and defaults. */
export type GossipTimes = {
  /** --cluster.gossip-interval */
  readonly gossipIntervalMs: number;
  /** --cluster.pushpull-interval */
  readonly pushPullIntervalMs: number;
  /** --cluster.tcp-timeout: connecting, and each read and write of an exchange. */
  readonly tcpTimeoutMs: number;
  /** --cluster.probe-timeout */
  readonly probeTimeoutMs: number;
  /** --cluster.probe-interval */
  readonly probeIntervalMs: number;
  /** --cluster.settle-timeout */
  readonly settleTimeoutMs: number;
  /** --cluster.reconnect-interval */
  readonly reconnectIntervalMs: number;
  /** --cluster.reconnect-timeout: how long a lost peer is tried again. */
  readonly reconnectTimeoutMs: number;
  /** --cluster.peers-resolve-timeout; peers are also looked up anew this often. */
  readonly peersResolveTimeoutMs: number;
};

export const DEFAULT_TIMES: GossipTimes = {
  gossipIntervalMs: 200,
  pushPullIntervalMs: 60_000,
  tcpTimeoutMs: 10_000,
  probeTimeoutMs: 500,
  probeIntervalMs: 1_000,
  settleTimeoutMs: 60_000,
  reconnectIntervalMs: 10_000,
  reconnectTimeoutMs: 6 * 3_600_000,
  peersResolveTimeoutMs: 15_000,
};

export type GossipOptions = {
  readonly env: { readonly clock: Clock; readonly random: Random; readonly net: Net };
  readonly log: Log;
  readonly registry: Registry;
  /** UDP and TCP listen here; port 0 takes a free one. */
  readonly listen: Address;
  /** What peers are told to send to: an IP address; port 0 means the listening port. Needed when `listen` is any-address. */
  readonly advertise?: Address;
  /** Unique in the cluster; default a ULID, so that names sort by start time. */
  readonly name?: string;
  /** `host:port` of some members; names are looked up again and again. */
  readonly peers: readonly string[];
  /** Only members with the same label talk to each other. Up to 255 bytes. */
  readonly label?: string;
  /** All traffic goes over TLS then; members without it are not reached. */
  readonly tls?: GossipTls;
  readonly times?: Partial<GossipTimes>;
};

/** The membership protocol's settings for a cluster that was given `peerCount` peers. */
export function swimConfig(times: GossipTimes, peerCount: number, label: string): SwimConfig {
  const half = Math.max(Math.floor(peerCount / 2), 3);
  const labelBytes = new TextEncoder().encode(label).length;
  return {
    ...LAN,
    gossipIntervalMs: times.gossipIntervalMs,
    pushPullIntervalMs: times.pushPullIntervalMs,
    probeIntervalMs: times.probeIntervalMs,
    probeTimeoutMs: times.probeTimeoutMs,
    gossipNodes: half,
    userRetransmitMult: half,
    labelBytes: labelBytes === 0 ? 0 : labelBytes + 2,
  };
}

/** Throws GossipConfigError for what cannot work. */
export function validateOptions(options: GossipOptions): void {
  if (new TextEncoder().encode(options.label ?? '').length > 255) {
    throw new GossipConfigError('cluster.label', 'longer than 255 bytes; choose a shorter one');
  }
  if (options.name === '') throw new GossipConfigError('cluster.peer-name', 'must not be empty');
  for (const peer of options.peers) parsePeer(peer);
  const times = { ...DEFAULT_TIMES, ...options.times };
  for (const [name, value] of Object.entries(times)) {
    if (value > 0 || (name === 'settleTimeoutMs' && value >= 0)) continue;
    throw new GossipConfigError(`cluster.${name}`, `must be positive, is ${value} ms`);
  }
  if (options.advertise !== undefined) {
    const { host } = options.advertise;
    if (parseIp(host) !== null && !isAnyAddress(host)) return;
    throw new GossipConfigError('cluster.advertise-address', `${host} is no IP address of a host`);
  }
  if (isAnyAddress(options.listen.host) || parseIp(options.listen.host) === null) {
    throw new GossipConfigError(
      'cluster.advertise-address',
      `peers cannot be told to send to "${options.listen.host}"; set an IP address that they reach`,
    );
  }
}

/** `host:port`, with brackets around an IPv6 host. */
export function parsePeer(peer: string): Address {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):([0-9]{1,5})$/.exec(peer);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port === 0 || port > 65_535) {
    throw new GossipConfigError('cluster.peer', `${JSON.stringify(peer)} is not host:port`);
  }
  return { host, port };
}
