import { VirtualClock } from '@pollux/base';
import { Spool, SpoolError } from '@pollux/gateway';
import { Log } from '@pollux/telemetry';
import { describe, expect, it } from 'vitest';
import { canHit } from '../disk/disk-faults.ts';
import { SimDisk } from '../disk/sim-disk.ts';

/** Two pages, so that the script cuts segments. */
const SEGMENT_BYTES = 64 * 1024;
const BODY_BYTES = 20_000;

/** A spool and its user: what was acknowledged, and what was delivered. */
class World {
  readonly clock = new VirtualClock(1_700_000_000_000);
  readonly disk: SimDisk;
  readonly acknowledged: number[] = [];
  readonly delivered: number[] = [];
  #spool: Spool | null = null;
  #count = 0;

  constructor(seed: number) {
    this.disk = new SimDisk(this.clock, seed);
  }

  open(): Spool {
    const env = { clock: this.clock, files: this.disk.files };
    const log = Log.silent();
    const options = { env, log, directory: '/spool', segmentBytes: SEGMENT_BYTES };
    this.#spool = new Spool({ ...options, maxBytes: () => 2 ** 30, onDamage: () => {} });
    return this.#spool;
  }

  async append(count: number): Promise<void> {
    const spool = this.#spool ?? this.open();
    const appended = Array.from({ length: count }, async () => {
      const number = ++this.#count;
      const body = new Uint8Array(BODY_BYTES).fill(number);
      const write = { kind: 'lines', arrivedMs: number, target: '/', headers: {}, body } as const;
      try {
        await spool.append(write);
        this.acknowledged.push(number);
      } catch (error) {
        if (!(error instanceof SpoolError)) throw error;
      }
    });
    await Promise.all(appended);
  }

  deliver(count: number): void {
    const spool = this.#spool ?? this.open();
    for (let left = count; left > 0; left--) {
      const head = spool.head();
      if (head === null) return;
      // The matchers compare such arrays a hundred times slower.
      expect(head.body.every((byte) => byte === head.arrivedMs)).toBe(true);
      expect(head.body).toHaveLength(BODY_BYTES);
      this.delivered.push(head.arrivedMs);
      spool.advance();
    }
  }

  async close(): Promise<void> {
    await this.#spool?.close();
    this.#spool = null;
  }

  lose(): void {
    this.#spool = null;
  }

  /** All that a gateway does with it. Each step may fail: the next is tried all the same. */
  async play(): Promise<void> {
    const steps = [
      () => this.append(3),
      () => this.append(1),
      async () => this.deliver(2),
      () => this.append(4),
      () => this.clock.advance(2_000),
      async () => this.deliver(3),
      () => this.close(),
      () => this.append(2),
      async () => this.deliver(1),
      () => this.append(1),
      async () => this.deliver(100),
      () => this.append(1),
    ];
    for (const step of steps) await step().catch(clear);
  }

  /** Another process finds it, on a disk that is well. */
  async check(): Promise<void> {
    // A read that failed for good would be passed over: none does here.
    this.deliver(1_000);
    const missing = this.acknowledged.filter((number) => !this.delivered.includes(number));
    expect(missing).toEqual([]);
    const inOrder = [...new Set(this.delivered)];
    expect(inOrder).toEqual([...inOrder].sort((a, b) => a - b));
    // The first may still be told of a segment that could not be synced; its sender comes again.
    await this.append(1);
    await this.append(1);
    expect(this.acknowledged.at(-1)).toBe(this.#count);
    this.deliver(1_000);
    expect(this.delivered.at(-1)).toBe(this.#count);
    await this.close();
    // What could not be removed is, at a start.
    this.open();
    await this.close();
    expect(this.disk.files.openPaths).toEqual([]);
    expect(this.disk.files.list('/spool').length).toBeLessThanOrEqual(2);
  }
}

/** What a disk may do to a step; anything else is a fault of the program. */
function clear(error: unknown): void {
  const isOfDisk = error instanceof Error && ('code' in error || error instanceof SpoolError);
  if (!isOfDisk) throw error;
}

describe('a spool', () => {
  it('gives all that it was given, in order, when nothing happens', async () => {
    const world = new World(1);
    await world.play();
    expect(world.acknowledged).toHaveLength(12);
    await world.check();
    expect(world.delivered).toEqual(Array.from({ length: 14 }, (_, index) => index + 1));
  });

  it.each(['none', 'some', 'all'] as const)(
    'has all that it acknowledged after a power cut at any operation, of which survives: %s',
    async (survives) => {
      const plain = new World(1);
      await plain.play();
      // Only what is left to chance has several outcomes.
      for (let seed = 1; seed <= (survives === 'some' ? 2 : 1); seed++) {
        for (let at = 1; at < plain.disk.operations; at++) {
          const world = new World(seed);
          world.disk.cutPowerAfter(at);
          await world.play();
          world.lose();
          world.disk.restart(survives);
          await world.check();
        }
      }
    },
  );

  it.each([
    ['EIO', 'once'],
    ['EIO', 'while'],
    ['ENOSPC', 'once'],
    ['ENOSPC', 'while'],
    ['EMFILE', 'while'],
  ] as const)('has all that it acknowledged when the disk fails by %s, %s', async (kind, lasts) => {
    const plain = new World(1);
    await plain.play();
    for (const { number: at, operation } of plain.disk.journal) {
      if (!canHit(kind, operation)) continue;
      const world = new World(at);
      world.disk.inject({ kind, from: at, to: lasts === 'once' ? at : at + 12 });
      await world.play();
      world.disk.heal();
      await world.check();
    }
  });

  it('refuses what is over its limit, and takes again when something was delivered', async () => {
    const world = new World(1);
    const env = { clock: world.clock, files: world.disk.files };
    const spool = new Spool({
      env,
      log: Log.silent(),
      directory: '/spool',
      maxBytes: () => 5_000,
      onDamage: () => {},
    });
    const body = new Uint8Array(2_000);
    const write = { kind: 'lines', arrivedMs: 5, target: '/', headers: {}, body } as const;
    await spool.append(write);
    await spool.append(write);
    await expect(spool.append(write)).rejects.toMatchObject({ reason: 'full' });
    expect(spool.queuedBytes).toBeGreaterThan(4_000);
    spool.head();
    expect(spool.oldestMs).toBe(5);
    spool.advance();
    await spool.append(write);
    await spool.close();
    await expect(spool.append(write)).rejects.toMatchObject({ reason: 'closed' });
  });
});
