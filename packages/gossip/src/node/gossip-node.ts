import { setMaxListeners } from 'node:events';
import {
  type Address,
  assert,
  CanceledError,
  errorText,
  OperatingError,
  type StopSignal,
  sleep,
  type Timer,
  ulid,
} from '@pollux/base';
import type { Log } from '@pollux/telemetry';
import { isPeerFailure, PeerError, TlsError } from '../errors.ts';
import type { Destination, SwimAction, SwimEvent } from '../swim/protocol.ts';
import { createState, isPresent, type Member, type SwimState } from '../swim/state.ts';
import { nextDueMs, step } from '../swim/step.ts';
import { formatAddress, formatIp, parseIp } from '../wire/ip.ts';
import type { DecodedPacket } from '../wire/packet.ts';
import type { StreamMessage } from '../wire/stream.ts';
import { CatchUp } from './catch-up.ts';
import { deferred } from './deferred.ts';
import { Diagnosis, type MemberLink, type NameConflict } from './diagnosis.ts';
import { Exchange } from './exchange.ts';
import { GossipMetrics } from './metrics.ts';
import {
  DEFAULT_TIMES,
  type GossipOptions,
  type GossipTimes,
  parsePeer,
  swimConfig,
  validateOptions,
} from './options.ts';
import { PeerBook } from './peer-book.ts';
import { PeerContact } from './peer-contact.ts';
import { PlainTransport } from './plain-transport.ts';
import { settle } from './settle.ts';
import { SharedStates, type StateChannel, type StatePart } from './shared-states.ts';
import { StreamLanes } from './stream-lanes.ts';
import { TlsMetrics } from './tls-metrics.ts';
import { TlsTransport } from './tls-transport.ts';
import type { Transport, TransportHandlers } from './transport.ts';

const FORGET_INTERVAL_MS = 5 * 60_000;
/** Polls of the settling cluster per gossip interval, as Alertmanager does. */
const SETTLE_POLL_ROUNDS = 10;

export type PeerInfo = { readonly name: string; readonly address: string };
export type ClusterStatus = 'settling' | 'ready';

/**
 * A member of the cluster: the protocol of `swim/` bound to sockets and timers. Register states with {@link addState},
 * then {@link start}; joining and settling go on by themselves.
 */
export class GossipNode {
  readonly name: string;
  readonly #options: GossipOptions;
  readonly #times: GossipTimes;
  readonly #log: Log;
  readonly #metrics: GossipMetrics;
  readonly #transport: Transport;
  readonly #states: SharedStates;
  readonly #lanes: StreamLanes;
  readonly #exchange: Exchange;
  readonly #catchUp: CatchUp;
  readonly #listeners = new Set<() => void>();
  readonly #book = new PeerBook();
  readonly #diagnosis: Diagnosis;
  readonly #abort = new AbortController();
  readonly #settled = deferred<void>();
  #swim: SwimState | null = null;
  /** Set before something is due, or when it is. */
  #timer: Timer | null = null;
  /** What it was set for, by the monotonic clock. */
  #timerDueMs = 0;
  #status: ClusterStatus = 'settling';
  #onLeft: (() => void) | null = null;
  #address: Address | null = null;
  /** Sorted by name; null when it must be made anew. */
  #sorted: readonly Member[] | null = null;

  /** Throws GossipConfigError for settings that cannot work. */
  constructor(options: GossipOptions) {
    validateOptions(options);
    const { env } = options;
    this.#options = options;
    this.#times = { ...DEFAULT_TIMES, ...options.times };
    this.name = options.name ?? ulid(env.clock.now(), env.random);
    this.#log = options.log.with({ component: 'cluster' });
    this.#metrics = new GossipMetrics(options.registry, {
      memberCount: () => this.#present().length,
      failedPeerCount: () => this.#book.failedCount,
      position: () => this.position(),
      health: () => this.#swim?.health ?? 0,
      queuedMessages: () => this.#swim?.userQueue.size ?? 0,
    });
    this.#metrics.nameSelf(this.name);
    this.#transport = this.#newTransport();
    this.#diagnosis = new Diagnosis({
      clock: env.clock,
      random: env.random,
      transport: this.#transport,
    });
    this.#states = new SharedStates({
      clock: env.clock,
      log: this.#log,
      metrics: this.#metrics,
      tell: (message) => this.#step({ kind: 'news', data: message }),
      gossip: (message) => this.#step({ kind: 'broadcast', data: message }),
      stream: (change) => this.#lanes.send(change),
      memberCount: () => this.#present().length,
    });
    this.#lanes = new StreamLanes({
      clock: env.clock,
      log: this.#log,
      metrics: this.#metrics,
      signal: this.#abort.signal,
      others: () =>
        this.#others().map((member) => ({ name: member.name, address: socketAddress(member) })),
      send: async (to, data) => {
        await this.#transport.request(to, { kind: 'user', data }, { wantsReply: false });
      },
      onFailure: (node) => this.#step({ kind: 'doubt', node }),
    });
    this.#exchange = new Exchange({
      log: this.#log,
      transport: this.#transport,
      states: this.#states,
      swim: () => this.#swim,
      step: (event) => this.#step(event),
      memberAt: ({ host, port }) => {
        const address = parseIp(host);
        return address === null ? null : this.#memberAt({ address, port });
      },
      signal: this.#abort.signal,
    });
    this.#catchUp = new CatchUp(env, (member) => this.#exchange.with(member, false));
    // Every lane that waits before it tries again listens.
    setMaxListeners(0, this.#abort.signal);
    // Nobody may be waiting when the node is closed before it has settled.
    this.#settled.promise.catch(() => {});
  }

  #newTransport(): Transport {
    const { env, registry, listen, label = '', tls } = this.#options;
    const { tcpTimeoutMs } = this.#times;
    const options = { net: env.net, clock: env.clock, listen, label, tcpTimeoutMs };
    const handlers: TransportHandlers = {
      onPacket: (packet, from) => this.#onPacket(packet, from),
      onStream: (message, from) => this.#onStream(message, from),
      onRefused: (error, from) => this.#refuse(error, from),
    };
    if (tls === undefined) return new PlainTransport(options, handlers);
    return new TlsTransport({ ...options, tls, metrics: new TlsMetrics(registry) }, handlers);
  }

  /** Registers a shared state; before {@link start}, else the first exchange misses it. */
  addState(key: string, part: StatePart): StateChannel {
    this.#metrics.introduceState(key);
    return this.#states.add(key, part);
  }

  /** Binds the port and begins to join. Rejects when the port cannot be bound. */
  async start(): Promise<void> {
    assert(this.#swim === null, 'gossip node started twice');
    const { env, label = '', peers } = this.#options;
    const bound = await this.#transport.start();
    const advertised = this.#options.advertise ?? bound;
    const address = parseIp(advertised.host);
    assert(address !== null, 'advertised address was validated');
    const port = advertised.port === 0 ? bound.port : advertised.port;
    this.#address = { host: formatIp(address), port };
    this.#swim = createState(
      { name: this.name, address, port },
      swimConfig(this.#times, peers.length, label),
      env.random,
      env.clock.monotonic(),
    );
    this.#sorted = null;
    this.#schedule();
    this.#log.info('gossip listening', {
      name: this.name,
      addr: formatAddress(bound.host, bound.port),
    });
    const contact = new PeerContact({
      env,
      log: this.#log,
      metrics: this.#metrics,
      book: this.#book,
      peers: peers.map(parsePeer),
      self: this.#address,
      resolveTimeoutMs: this.#times.peersResolveTimeoutMs,
      memberAddresses: () => this.peers().map((peer) => peer.address),
      join: (to) => this.#exchange.with(to, true),
    });
    void this.#background('join and settle', async (signal) => {
      await contact.join(signal);
      await this.#settle(signal);
    });
    const { reconnectIntervalMs, reconnectTimeoutMs, peersResolveTimeoutMs } = this.#times;
    this.#every(reconnectIntervalMs, 'reconnect', () => contact.reconnect());
    this.#every(peersResolveTimeoutMs, 'refresh', (signal) => contact.refresh(signal));
    this.#every(FORGET_INTERVAL_MS, 'forget', async () => {
      this.#book.forgetOld(reconnectTimeoutMs, env.clock.monotonic());
    });
  }

  /** What peers send to; null before start. */
  get address(): Address | null {
    return this.#address;
  }

  /** All members that are alive or suspected, this one included, sorted by name. */
  peers(): readonly PeerInfo[] {
    return this.#present().map((member) => ({ name: member.name, address: addressOf(member) }));
  }

  /** This member's index in {@link peers}: how many members notify before it. */
  position(): number {
    return Math.max(
      0,
      this.#present().findIndex((member) => member.name === this.name),
    );
  }

  status(): ClusterStatus {
    return this.#status;
  }

  /** Tries both ways to every other member; takes `timeoutMs` at most. */
  diagnose(timeoutMs: number): Promise<readonly MemberLink[]> {
    return Promise.all(
      this.#others().map(async (member): Promise<MemberLink> => {
        const { name } = member;
        const to = socketAddress(member);
        const [udp, tcp] = await Promise.all([
          this.#diagnosis.udp(name, to, timeoutMs),
          this.#diagnosis.tcp(name, to, timeoutMs),
        ]);
        const address = addressOf(member);
        const lastContactMs = this.#diagnosis.lastContactMs(address);
        return { name, address, isSuspected: member.state === 'suspect', udp, tcp, lastContactMs };
      }),
    );
  }

  /** Members that claimed a name that another has; the last twenty. */
  conflicts(): readonly NameConflict[] {
    return this.#diagnosis.conflicts;
  }

  /** Calls back after each change of {@link peers}, until the returned function is called. */
  onMembership(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Resolves when the others have been asked for what a member told them before it was lost, and those before this one for what they told
   * since; at once when none was lost lately, and after a second at the latest. Rejects when `signal` aborts.
   */
  caughtUp(signal: StopSignal): Promise<void> {
    const present = this.#present();
    const before = present.slice(0, this.position()).filter(({ state }) => state === 'alive');
    const isOneSilent = present.some(({ state }) => state === 'suspect');
    this.#catchUp.renew(before.map(socketAddress), isOneSilent);
    return this.#catchUp.done(signal);
  }

  /** Resolves once the cluster has settled; rejects when `signal` aborts or the node is closed first. */
  async settled(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const aborted = deferred<never>();
    const onAbort = (): void =>
      aborted.reject(
        new CanceledError('gave up on the cluster to settle', { cause: signal.reason }),
      );
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await Promise.race([this.#settled.promise, aborted.promise]);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** Tells the others goodbye and resolves when that is out, 10 s at most. Then {@link close}. */
  async leave(): Promise<void> {
    if (this.#swim === null || this.#swim.phase !== 'running') return;
    this.#states.flush();
    const left = deferred<void>();
    this.#onLeft = left.resolve;
    this.#step({ kind: 'leave' });
    this.#sorted = null;
    await left.promise;
  }

  /** Stops at once, without a goodbye. */
  async close(): Promise<void> {
    if (this.#abort.signal.aborted) return;
    this.#abort.abort(new CanceledError('the cluster member was closed'));
    this.#timer?.cancel();
    this.#states.close();
    this.#onLeft?.();
    this.#settled.reject(new CanceledError('the cluster member was closed'));
    await this.#transport.close();
  }

  /** Alive and suspected ones, sorted by name. */
  #present(): readonly Member[] {
    this.#sorted ??= [...(this.#swim?.members.values() ?? [])]
      .filter(isPresent)
      .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
    return this.#sorted;
  }

  #others(): readonly Member[] {
    return this.#present().filter((member) => member.name !== this.name);
  }

  /** The name of the one member that listens there; null when none or several do. */
  #memberAt({ address, port }: Destination): string | null {
    let found: string | null = null;
    for (const member of this.#present()) {
      if (member.port !== port || Buffer.compare(member.address, address) !== 0) continue;
      if (found !== null) return null;
      found = member.name;
    }
    return found;
  }

  #step(event: SwimEvent): void {
    if (this.#swim === null || this.#abort.signal.aborted) return;
    const actions = step(this.#swim, event, this.#options.env.clock.monotonic());
    for (const action of actions) this.#act(action);
    this.#schedule();
  }

  /** A timer that is due earlier stays as it is: it finds nothing to do, which costs less than setting one behind each packet. */
  #schedule(): void {
    if (this.#swim === null || this.#abort.signal.aborted) return;
    const dueMs = nextDueMs(this.#swim);
    if (this.#timer !== null && this.#timerDueMs <= dueMs) return;
    this.#timer?.cancel();
    this.#timer = null;
    if (dueMs === Number.POSITIVE_INFINITY) return;
    const { clock } = this.#options.env;
    // Whole milliseconds upwards: a timer that fires a fraction early would find nothing due and be set again at once.
    const delayMs = Math.max(0, Math.ceil(dueMs - clock.monotonic()));
    this.#timerDueMs = dueMs;
    this.#timer = clock.after(delayMs, () => {
      this.#timer = null;
      this.#step({ kind: 'tick' });
    });
  }

  #act(action: SwimAction): void {
    switch (action.kind) {
      case 'packet':
        this.#transport.send(action.messages, socketAddress(action.to), action.withChecksum);
        return;
      case 'tcpPing':
        void this.#background('ping over TCP', () => this.#tcpPing(action));
        return;
      case 'pushPull':
        void this.#background('push/pull', async () => {
          await this.#exchange.with(socketAddress(action.to), false);
        });
        return;
      case 'deliver':
        this.#states.mergeMessage(action.data, this.#memberAt(action.from));
        return;
      case 'joined':
      case 'left':
      case 'updated':
        this.#onMember(action.kind, action.member);
        return;
      case 'alive':
        this.#metrics.alive.with(action.node).inc();
        return;
      case 'conflict':
        this.#metrics.conflicts.inc();
        this.#diagnosis.noteConflict(action.node, addressOf(action.at));
        this.#log.warn('two members have the same name', {
          peer: action.node,
          addr: addressOf(action.at),
        });
        return;
      case 'pong':
        this.#metrics.pings.with(action.node).observe(action.roundTripMs / 1000);
        return;
      case 'pruned':
        this.#metrics.pruned.inc(action.count);
        return;
      case 'leaveDone':
        this.#onLeft?.();
        return;
      case 'log':
        this.#log[action.level](action.text, { peer: action.node });
        return;
    }
  }

  #onMember(kind: 'joined' | 'left' | 'updated', member: Member): void {
    const address = addressOf(member);
    this.#metrics[kind].inc();
    if (kind === 'joined') this.#book.markAlive(address);
    if (kind === 'left') {
      this.#book.markFailed(address, this.#options.env.clock.monotonic());
      this.#metrics.forgetPeer(member.name);
    }
    this.#log.info(`peer ${kind}`, { peer: member.name, addr: address });
    this.#sorted = null;
    if (kind === 'left') this.#catchUp.begin(this.#others().map(socketAddress));
    for (const listener of this.#listeners) listener();
  }

  #onPacket(packet: DecodedPacket, from: Address): void {
    for (const error of packet.errors) this.#refuse(error, from);
    const address = parseIp(from.host);
    if (address === null) return;
    const source = { address, port: from.port };
    this.#diagnosis.noteContact(formatAddress(formatIp(address), from.port));
    for (const message of packet.messages) {
      if (this.#diagnosis.takes(message)) continue;
      this.#step({ kind: 'message', message, from: source });
    }
  }

  #onStream(
    message: StreamMessage,
    from: Address,
  ): { reply: StreamMessage; after: () => void } | null {
    if (this.#swim === null) return null;
    switch (message.kind) {
      case 'pushPull':
        // The answer is taken before the other side's state is merged.
        return {
          reply: this.#exchange.ours(message.isJoin),
          after: () => {
            const error = this.#exchange.merge(message, null);
            if (error !== null) this.#refuse(error, from);
          },
        };
      case 'ping':
        if (message.node !== '' && message.node !== this.name) return null;
        return { reply: { kind: 'ack', sequence: message.sequence }, after: () => {} };
      case 'user':
        this.#states.mergeMessage(message.data, null);
        return null;
      default:
        this.#refuse(new PeerError(`unexpected ${message.kind} on a stream`), from);
        return null;
    }
  }

  async #tcpPing(action: Extract<SwimAction, { kind: 'tcpPing' }>): Promise<void> {
    const { sequence, node, to, timeoutMs } = action;
    try {
      const ping: StreamMessage = { kind: 'ping', sequence, node, source: null };
      const options = { wantsReply: true, timeoutMs };
      const reply = await this.#transport.request(socketAddress(to), ping, options);
      if (reply?.kind === 'ack' && reply.sequence === sequence) {
        this.#step({ kind: 'tcpPong', sequence });
      }
    } catch (error) {
      if (!isPeerFailure(error)) throw error;
      this.#log.debug('ping over TCP failed', { peer: node, err: errorText(error) });
    }
  }

  async #settle(signal: AbortSignal): Promise<void> {
    await settle({
      clock: this.#options.env.clock,
      log: this.#log,
      pollIntervalMs: SETTLE_POLL_ROUNDS * this.#times.gossipIntervalMs,
      timeoutMs: this.#times.settleTimeoutMs,
      memberCount: () => this.#present().length,
      signal,
    });
    this.#status = 'ready';
    this.#settled.resolve();
  }

  #refuse(error: OperatingError, from: Address): void {
    this.#metrics.refused.with(error.code).inc();
    // A wrong certificate is for whoever runs the members to mend; the rest may be anybody's noise.
    this.#log[error instanceof TlsError ? 'warn' : 'debug']('gossip refused', {
      from: formatAddress(from.host, from.port),
      err: errorText(error),
    });
  }

  #every(intervalMs: number, what: string, work: (signal: AbortSignal) => Promise<void>): void {
    void this.#background(what, async (signal) => {
      for (;;) {
        await sleep(this.#options.env.clock, intervalMs, signal);
        await work(signal);
      }
    });
  }

  /** Runs until done or closed; only the end of the node may end it early. */
  async #background(what: string, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    try {
      await work(this.#abort.signal);
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      this.#log.error(`${what} ended`, { err: errorText(error) });
      if (!OperatingError.is(error)) throw error;
    }
  }
}

function socketAddress({ address, port }: Destination): Address {
  return { host: formatIp(address), port };
}

function addressOf({ address, port }: Destination): string {
  return formatAddress(formatIp(address), port);
}
