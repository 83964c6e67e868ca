import { assert, type Clock, type Random } from '@pollux/base';
import { GOOD_LINK, type Link, type Wires } from './link.ts';
import { SimNet } from './sim-net.ts';

/** As an event loop does it: timers that are due come before what has arrived. */
const BEHIND_TIMERS_MS = 0.001;

/**
 * The wires between simulated hosts. All that happens is drawn from one seed and the order of calls, so a run can be
 * repeated exactly.
 */
export class SimNetwork implements Wires {
  readonly clock: Clock;
  readonly random: Random;
  readonly #default: Link;
  readonly #hosts = new Map<string, SimNet>();
  readonly #names = new Map<string, string>();
  /** By `from>to`. */
  readonly #links = new Map<string, Link>();
  /** By address: until when it is stalled, ms of the world's clock. */
  readonly #stalls = new Map<string, number>();
  #onLoss: (from: string, to: string) => void = () => {};

  constructor(clock: Clock, random: Random, link: Partial<Link> = {}) {
    this.clock = clock;
    this.random = random;
    this.#default = { ...GOOD_LINK, ...link };
  }

  /** A new host with one address; `name` resolves to it. */
  addHost(name: string, ip: string): SimNet {
    assert(!this.#hosts.has(ip), `the address ${ip} is taken`);
    const net = new SimNet(this, ip);
    this.#hosts.set(ip, net);
    this.#names.set(name, ip);
    return net;
  }

  /** The host as it is after a crash: no socket of its life before is left, and peers find their connections broken. */
  restartHost(name: string): SimNet {
    const ip = this.addressOf(name);
    this.hostAt(ip)?.crash();
    const net = new SimNet(this, ip);
    this.#hosts.set(ip, net);
    return net;
  }

  addressOf(name: string): string {
    const ip = this.#names.get(name);
    assert(ip !== undefined, `no host is called ${name}`);
    return ip;
  }

  hostAt(ip: string): SimNet | undefined {
    return this.#hosts.get(ip);
  }

  resolve(host: string): string | undefined {
    return this.#hosts.has(host) ? host : this.#names.get(host);
  }

  /** Changes the link between two hosts in both directions. */
  setLink(a: string, b: string, change: Partial<Link>): void {
    this.setWay(a, b, change);
    this.setWay(b, a, change);
  }

  /** Changes the link in one direction only. */
  setWay(from: string, to: string, change: Partial<Link>): void {
    const key = `${this.addressOf(from)}>${this.addressOf(to)}`;
    this.#links.set(key, { ...(this.#links.get(key) ?? this.#default), ...change });
  }

  /** Cuts every link between hosts of different groups and mends those inside a group. */
  partition(...groups: readonly (readonly string[])[]): void {
    for (const [index, group] of groups.entries()) {
      for (const [otherIndex, other] of groups.entries()) {
        for (const a of group) {
          for (const b of other) if (a !== b) this.setLink(a, b, { isCut: index !== otherIndex });
        }
      }
    }
  }

  /** Mends every link that was cut. */
  heal(): void {
    for (const [key, link] of this.#links) this.#links.set(key, { ...link, isCut: false });
  }

  link(from: string, to: string): Link {
    if (from === to) return { ...GOOD_LINK, minDelayMs: 0.01, maxDelayMs: 0.05 };
    return this.#links.get(`${from}>${to}`) ?? this.#default;
  }

  /** What comes to a host in this time it finds when the time is over, behind its timers. */
  stall(name: string, untilMs: number): void {
    this.#stalls.set(this.addressOf(name), untilMs);
  }

  stalledMs(to: string): number {
    const leftMs = (this.#stalls.get(to) ?? -Infinity) - this.clock.now();
    return leftMs <= 0 ? 0 : leftMs + BEHIND_TIMERS_MS;
  }

  /** From now on `told` is called for each datagram that a link loses, with both addresses; one listener. */
  onLoss(told: (from: string, to: string) => void): void {
    this.#onLoss = told;
  }

  /** Whether chance takes a datagram on this link. */
  isLost(from: string, to: string): boolean {
    const isLost = this.random.next() < this.link(from, to).loss;
    if (isLost) this.#onLoss(from, to);
    return isLost;
  }

  /** A delay drawn from the link. */
  delayMs(from: string, to: string): number {
    const { minDelayMs, maxDelayMs } = this.link(from, to);
    return minDelayMs + this.random.next() * (maxDelayMs - minDelayMs);
  }
}
