import type { Env, HttpPool, TlsClientOptions } from '@pollux/base';
import type { Log } from '@pollux/telemetry';
import type { BodyBudget } from './balance/body-budget.ts';
import type { FaultListener } from './balance/fault.ts';
import { Forwarder } from './balance/forwarder.ts';
import type { GroupConfig, MemberConfig } from './balance/group-config.ts';
import { checkHealth } from './balance/health-check.ts';
import { Peer } from './balance/peer.ts';
import { watchUpstream } from './health.ts';
import type { GatewayMetrics } from './metrics.ts';
import { Upstream } from './upstream.ts';

export type GroupOptions = {
  readonly env: Env;
  readonly log: Log;
  readonly metrics: GatewayMetrics;
  readonly config: GroupConfig;
  readonly healthIntervalMs: number;
  readonly plainLookbackMs: number;
  readonly onFault: FaultListener;
  readonly bodies: BodyBudget;
  /** Members that were watched before a reload: what is known of one with the same name and address stays. */
  readonly known: readonly Upstream[];
};

/** The members of one group of gateway.yml, with what watches them and what passes requests to them. */
export class Group {
  readonly config: GroupConfig;
  readonly upstreams: readonly Upstream[];
  readonly forwarder: Forwarder;
  readonly #options: GroupOptions;
  readonly #stop = new AbortController();
  #watches: Promise<void>[] = [];

  /** Throws when a file of the group's TLS cannot be read. */
  constructor(options: GroupOptions) {
    this.#options = options;
    const { config, env, metrics, onFault, bodies, known } = options;
    this.config = config;
    const isChecked = config.kind !== 'http' || config.health_check !== null;
    this.upstreams = config.members.map(
      ({ name, url }) =>
        known.find((old) => old.name === name && old.url === url && old.isChecked === isChecked) ??
        new Upstream(name, url, isChecked),
    );
    const peers = config.members.map(
      (member, index) => new Peer(this.upstreams[index]!, peerSettings(member)),
    );
    this.forwarder = new Forwarder({ env, metrics, group: config, peers, onFault, bodies });
  }

  start(): void {
    const { env, log, config, healthIntervalMs: intervalMs, plainLookbackMs } = this.#options;
    const { signal } = this.#stop;
    for (const peer of this.forwarder.peers) {
      const onGood = (): void => peer.forgive();
      if (config.kind !== 'http') {
        const pool = this.poolOf(peer.member);
        const options = { env, log, intervalMs, plainLookbackMs, pool, onGood };
        this.#watches.push(watchUpstream(peer.member, config.kind, options, signal));
      } else if (config.health_check !== null) {
        const options = { env, log, config: config.health_check, onGood };
        this.#watches.push(checkHealth(peer.member, options, signal));
      }
    }
  }

  /** The connections to a member, the forwarder's own. */
  poolOf(member: Upstream): HttpPool {
    return this.forwarder.poolOf(member);
  }

  /** For connections to members that are made beside the forwarder's. */
  get tls(): TlsClientOptions | undefined {
    return this.forwarder.tls;
  }

  stopChecks(): void {
    this.#stop.abort();
  }

  async close(): Promise<void> {
    this.stopChecks();
    await Promise.all(this.#watches);
    this.#watches = [];
    await this.forwarder.close();
  }
}

function peerSettings(member: MemberConfig): Peer<Upstream>['settings'] {
  return {
    weight: member.weight,
    maxFails: member.max_fails,
    failTimeoutMs: member.fail_timeout,
    isBackup: member.backup,
    isDown: member.down,
    maxConns: member.max_conns,
  };
}
