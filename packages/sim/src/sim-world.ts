import {
  type Clock,
  type Env,
  InlineWorkers,
  OperatingError,
  SeededRandom,
  type Timer,
  VirtualClock,
} from '@pollux/base';
import { SimDisk } from './disk/sim-disk.ts';
import type { Link } from './link.ts';
import type { SimNet } from './sim-net.ts';
import { SimNetwork } from './sim-network.ts';

export type SimWorldOptions = {
  readonly seed: number;
  /** Wall clock at the start, ms since 1970. */
  readonly startMs?: number;
  /** What links are like unless changed. */
  readonly link?: Partial<Link>;
};

/** A simulated machine: `env` is what a role on it gets. */
export type SimHost = {
  readonly name: string;
  readonly ip: string;
  readonly env: Env;
};

type Machine = { disk: SimDisk; clock: HostClock; host: SimHost };

/** Nothing here streams or works in slices, so that promise chains end within the first; the second is for what they begin. */
const TURNS_PER_TIMER = 2;

/**
 * Hosts that share one virtual clock, one network and one seed. The same seed and the same calls give the same run to the
 * last byte.
 */
export class SimWorld {
  readonly clock: VirtualClock;
  readonly network: SimNetwork;
  readonly #random: SeededRandom;
  readonly #machines = new Map<string, Machine>();

  constructor(options: SimWorldOptions) {
    this.clock = new VirtualClock(options.startMs, TURNS_PER_TIMER);
    this.#random = new SeededRandom(options.seed);
    this.network = new SimNetwork(this.clock, this.#derive(), options.link);
  }

  /** A new host named `name` with the next address, 10.0.0.1 onwards. */
  addHost(name: string): SimHost {
    const index = this.#machines.size + 1;
    const ip = `10.0.${index >> 8}.${index & 0xff}`;
    const net = this.network.addHost(name, ip);
    return this.#boot(name, net, new SimDisk(this.clock));
  }

  /**
   * Power loss: timers of the host never fire again, its sockets are gone and its disk has what was synced, or what
   * `survives` beyond that: `all` when only its processes were killed. Returns the host started anew; what ran on it before
   * must not be touched any more.
   */
  crash(name: string, survives: 'none' | 'all' | 'some' = 'none'): SimHost {
    const machine = this.#machine(name);
    machine.clock.stop();
    machine.disk.restart(survives);
    const host = this.#boot(name, this.network.restartHost(name), machine.disk);
    // The clock of the board goes on without power.
    this.setClock(name, machine.clock.aheadMs);
    return host;
  }

  /** How far the wall clock of a host is ahead, ms. */
  clockOf(name: string): number {
    return this.#machine(name).clock.aheadMs;
  }

  /** From now on the wall clock of a host is ahead of the world's by so many whole milliseconds, or behind. */
  setClock(name: string, aheadMs: number): void {
    this.#machine(name).clock.aheadMs = aheadMs;
  }

  /**
   * A host gets no processor time for so long: its timers are late, and what comes to it waits. Behind that its timers go
   * first, as in an event loop.
   */
  stall(name: string, durationMs: number): void {
    this.network.stall(name, this.clock.now() + durationMs);
    this.#machine(name).clock.stall(durationMs);
  }

  /** Where faults are injected. */
  diskOf(name: string): SimDisk {
    return this.#machine(name).disk;
  }

  /** Moves time; everything due on the way happens. */
  advance(durationMs: number): Promise<void> {
    return this.clock.advance(durationMs);
  }

  #boot(name: string, net: SimNet, disk: SimDisk): SimHost {
    const clock = new HostClock(this.clock);
    const world = { clock, random: this.#derive(), files: disk.files };
    // Threads would run on the machine's own clock.
    const env: Env = { ...world, net, workers: new InlineWorkers(world) };
    const host = { name, ip: net.ip, env };
    this.#machines.set(name, { disk, clock, host });
    return host;
  }

  #machine(name: string): Machine {
    const machine = this.#machines.get(name);
    if (machine === undefined)
      throw new OperatingError('SIM.UNKNOWN_HOST', `no host is called ${name}`);
    return machine;
  }

  #derive(): SeededRandom {
    return new SeededRandom(this.#random.below(2 ** 32));
  }
}

/** The world's clock, as long as the host is up; the wall clock may be set wrong. */
class HostClock implements Clock {
  aheadMs = 0;
  readonly #clock: Clock;
  /** What fell due while the host is stalled; null when it runs. */
  #late: (() => void)[] | null = null;
  #isStopped = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  stop(): void {
    this.#isStopped = true;
  }

  stall(durationMs: number): void {
    const late: (() => void)[] = [];
    this.#late = late;
    this.#clock.after(durationMs, () => {
      if (this.#late === late) this.#late = null;
      for (const callback of late) callback();
    });
  }

  now(): number {
    return this.#clock.now() + this.aheadMs;
  }

  monotonic(): number {
    return this.#clock.monotonic();
  }

  after(delayMs: number, callback: () => void): Timer {
    let isOn = true;
    const run = (): void => {
      if (isOn && !this.#isStopped) callback();
    };
    const timer = this.#clock.after(delayMs, () => {
      if (this.#late === null) run();
      else this.#late.push(run);
    });
    return {
      cancel: () => {
        isOn = false;
        timer.cancel();
      },
    };
  }
}
