import { createHash } from 'node:crypto';
import { type Clock, type Random, randomHex } from '@pollux/base';
import type { ClusterStatePart } from '../../../cluster-port.ts';
import { RobotRate, type RobotSend } from './rate.ts';
import { decodeSends, encodeSend, type WireSend } from './sends-codec.ts';

const MAX_ROBOTS = 10_000;
/** Clocks of members may differ; what is further off is of no use. */
const MAX_CLOCK_DIFFERENCE_MS = 10_000;
const MAX_AGE_MS = 120_000;

/**
 * The rate limits of all robots, kept over reloads and shared with the cluster as the state "pollux_robots": members tell
 * each other what they sent, so that together they keep to a robot's limit. Best effort: what is sent in the same moment on
 * two members is counted by neither, and in a partition each side may use the whole. Peers that do not know the state pass
 * over it.
 */
export class Robots implements ClusterStatePart {
  readonly isJoinable = true;
  readonly #clock: Clock;
  readonly #random: Random;
  /** By {@link robotId}. */
  readonly #robots = new Map<string, RobotRate>();
  #broadcast: (data: Uint8Array) => void = () => {};

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  /** From now on every message is told to the cluster. */
  connect(broadcast: (data: Uint8Array) => void): void {
    this.#broadcast = broadcast;
  }

  /** The rate of the robot at this address. */
  of(url: string): RobotRate {
    return this.#byId(robotId(url));
  }

  /** Messages that wait for their turn. */
  get waitingCount(): number {
    let count = 0;
    for (const robot of this.#robots.values()) count += robot.waitingCount;
    return count;
  }

  marshal(): Uint8Array {
    const parts: Uint8Array[] = [];
    for (const [robot, rate] of this.#robots) {
      for (const { id, wallMs } of rate.recent) parts.push(encodeSend({ robot, id, wallMs }));
    }
    return Buffer.concat(parts);
  }

  merge(data: Uint8Array): void {
    for (const send of decodeSends(data)) this.#take(send);
  }

  #take({ robot, id, wallMs }: WireSend): void {
    const ageMs = this.#clock.now() - wallMs;
    if (ageMs > MAX_AGE_MS || ageMs < -MAX_CLOCK_DIFFERENCE_MS) return;
    const atMs = this.#clock.monotonic() - Math.max(0, ageMs);
    this.#byId(robot).note({ id, wallMs, atMs });
  }

  #byId(robot: string): RobotRate {
    const known = this.#robots.get(robot);
    if (known !== undefined) return known;
    // Robots come from configurations; only one that rotates them for years could reach the bound.
    if (this.#robots.size >= MAX_ROBOTS) this.#robots.clear();
    const rate = new RobotRate(this.#clock, () => this.#send(robot));
    this.#robots.set(robot, rate);
    return rate;
  }

  #send(robot: string): RobotSend {
    const wallMs = this.#clock.now();
    const id = randomHex(this.#random, 8);
    this.#broadcast(encodeSend({ robot, id, wallMs }));
    return { id, wallMs, atMs: this.#clock.monotonic() };
  }
}

/** Tells robots apart on the wire without giving their address, which is a secret, away. */
function robotId(url: string): string {
  return createHash('sha256').update(url).digest('hex').slice(0, 16);
}
