import { Labels, Matcher } from '@pollux/model';
import { APPEND_OUTCOME } from '@pollux/storage';
import type { FsyncMode, Tsdb } from '@pollux/tsdb';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type FaultWorld, faultWorld } from './fault-world.ts';
import type { Offer } from './sample-ledger.ts';
import { contentsOf, expireBefore, openTsdb, T0 } from './tsdb-subject.ts';

const SERIES = 5;
const SYNC_INTERVAL_MS = 1_000;
const WINDOW_MS = 30_000;
const RETENTION_MS = 120_000;

/** One sample of a series, at an offset from the newest time of the story. */
type Sample = { readonly index: number; readonly offsetMs: number };
type Command =
  | { readonly kind: 'append'; readonly samples: readonly Sample[]; readonly isRepeated: boolean }
  | { readonly kind: 'advance'; readonly byMs: number }
  | {
      readonly kind: 'delete';
      readonly index: number;
      readonly fromMs: number;
      readonly lengthMs: number;
    }
  /** Maintenance: blocks from the head, log, compaction, retention; beside what follows, or waited for. */
  | { readonly kind: 'compact'; readonly isAwaited: boolean }
  | { readonly kind: 'clean tombstones' }
  | { readonly kind: 'snapshot'; readonly skipsHead: boolean }
  | { readonly kind: 'reload'; readonly windowMs: number; readonly retentionMs: number }
  | { readonly kind: 'restart' }
  /** The machine does so many more operations of its disk; `all` surviving is a killed process. */
  | { readonly kind: 'crash'; readonly after: number; readonly survives: 'none' | 'some' | 'all' }
  | { readonly kind: 'check' };

const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 20,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      // Mostly forward, sometimes late.
      samples: fc.uniqueArray(
        fc.record({
          index: fc.nat(SERIES - 1),
          offsetMs: fc.oneof(fc.nat(2_000), fc.integer({ min: -40_000, max: 2_000 })),
        }),
        { minLength: 1, maxLength: SERIES, selector: ({ index }) => index },
      ),
      isRepeated: fc.boolean(),
    }),
  },
  {
    weight: 10,
    arbitrary: fc.record({ kind: fc.constant('advance' as const), byMs: fc.nat(12_000) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('delete' as const),
      index: fc.nat(SERIES - 1),
      fromMs: fc.nat(200_000),
      lengthMs: fc.nat(40_000),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('compact' as const), isAwaited: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('clean tombstones' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('snapshot' as const), skipsHead: fc.boolean() }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('reload' as const),
      windowMs: fc.constantFrom(0, WINDOW_MS),
      retentionMs: fc.constantFrom(0, RETENTION_MS),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('crash' as const),
      after: fc.nat(60),
      survives: fc.constantFrom('none' as const, 'some' as const, 'all' as const),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('check' as const) }) },
);

/** A database beside the ledger of what it may answer. */
class Story {
  readonly #world: FaultWorld;
  readonly #fsync: FsyncMode;
  #db: Tsdb | null = null;
  #windowMs = WINDOW_MS;
  #retentionMs = 0;
  #nowMs = T0;
  #values = 0;
  readonly #used = new Set<string>();
  #background: Promise<void> = Promise.resolve();
  #survives: 'none' | 'some' | 'all' = 'all';

  constructor(seed: number, fsync: FsyncMode) {
    this.#world = faultWorld(seed);
    this.#fsync = fsync;
  }

  async play(commands: readonly Command[]): Promise<void> {
    await this.#open();
    for (const each of commands) await this.#perform(each);
    this.#world.disk.cutPowerAfter(Number.POSITIVE_INFINITY);
    await this.#perform({ kind: 'check' });
    await this.#perform({ kind: 'restart' });
    await this.#perform({ kind: 'check' });
    this.#survives = 'none';
    await this.#revive();
    await this.#perform({ kind: 'restart' });
    await this.#perform({ kind: 'check' });
    await this.#running.close();
  }

  get #running(): Tsdb {
    if (this.#db === null) throw new Error('the database is closed');
    return this.#db;
  }

  get #isSynced(): boolean {
    return this.#fsync === 'always';
  }

  async #open(): Promise<void> {
    this.#db = await openTsdb(this.#world, '/data', {
      fsync: this.#fsync,
      outOfOrderWindowMs: this.#windowMs,
      retentionMs: this.#retentionMs,
    });
  }

  /** Only the loss of power excuses a failure. */
  async #perform(each: Command): Promise<void> {
    const { disk } = this.#world;
    const isOver = await this.#attempt(each);
    if (disk.isPowered) return;
    await this.#revive();
    if (!isOver && each.kind === 'append' && each.isRepeated) await this.#attempt(each);
  }

  async #attempt(each: Command): Promise<boolean> {
    try {
      await this.#run(each);
      return true;
    } catch (error) {
      if (this.#world.disk.isPowered) throw error;
      return false;
    }
  }

  async #run(each: Command): Promise<void> {
    const { clock, disk, ledger } = this.#world;
    switch (each.kind) {
      case 'append':
        return await this.#append(each.samples);
      case 'advance':
        this.#nowMs += each.byMs;
        await clock.advance(each.byMs);
        // With an interval between syncs the promise for a loss of power begins with the next one.
        if (each.byMs >= SYNC_INTERVAL_MS && disk.isPowered) ledger.noteSync();
        return;
      case 'delete':
        return await this.#delete(each.index, T0 + each.fromMs, T0 + each.fromMs + each.lengthMs);
      case 'compact':
        await this.#background;
        this.#expire();
        this.#background = this.#running.tick();
        this.#background.catch(() => {});
        if (each.isAwaited) await this.#background;
        return;
      case 'clean tombstones':
        return await this.#running.cleanTombstones();
      case 'snapshot':
        return await this.#snapshot(each.skipsHead);
      case 'reload':
        this.#running.prepareOutOfOrderWindow(each.windowMs)();
        this.#running.retention = { ...this.#running.retention, timeMs: each.retentionMs };
        this.#windowMs = each.windowMs;
        this.#retentionMs = each.retentionMs;
        return;
      case 'restart':
        this.#expire();
        await this.#running.close();
        return await this.#open();
      case 'crash':
        disk.cutPowerAfter(disk.operations + each.after);
        this.#survives = each.survives;
        return;
      case 'check':
        this.#expire();
        expect(await this.#problems()).toEqual([]);
    }
  }

  async #append(samples: readonly Sample[]): Promise<void> {
    const { ledger } = this.#world;
    const offers = samples.map((sample) => this.#offerOf(sample));
    const appender = this.#running.appender();
    const outcomes = new Uint8Array(offers.length);
    const refs = Uint32Array.from(samples, ({ index }) => appender.series(labelsOf(index)));
    const times = Float64Array.from(offers, ({ timeMs }) => timeMs);
    const values = new Float64Array(offers.length);
    new BigUint64Array(values.buffer).set(offers.map(({ value }) => BigInt(`0x${value}`)));
    appender.appendFloats(refs, times, values, null, offers.length, outcomes);
    const taken = offers.filter((_, i) => outcomes[i] === APPEND_OUTCOME.ok);
    ledger.offer(taken);
    await appender.commit();
    ledger.acknowledge(taken, this.#isSynced);
  }

  /** Each time of a series comes once, so that its value is known: what wins a tie has tests of its own. */
  #offerOf({ index, offsetMs }: Sample): Offer {
    let timeMs = this.#nowMs + offsetMs;
    while (this.#used.has(`${index} ${timeMs}`)) timeMs++;
    this.#used.add(`${index} ${timeMs}`);
    const value = (BigInt(++this.#values) << 32n).toString(16);
    return { series: labelsOf(index).toString(), timeMs, value };
  }

  async #delete(index: number, minMs: number, maxMs: number): Promise<void> {
    const { ledger } = this.#world;
    const series = labelsOf(index).toString();
    const covers = (of: string, timeMs: number): boolean =>
      of === series && timeMs >= minMs && timeMs <= maxMs;
    ledger.offerDeletion(covers);
    await this.#running.deleteSamples({ minMs, maxMs }, [new Matcher('i', '=', String(index))]);
    ledger.acknowledgeDeletion(covers, this.#isSynced);
  }

  /** A copy of the database that answers as this one does. */
  async #snapshot(skipsHead: boolean): Promise<void> {
    await this.#background;
    const { env } = this.#world;
    const name = await this.#running.snapshot(skipsHead);
    const copy = await openTsdb(this.#world, `/data/snapshots/${name}`, { retentionMs: 0 });
    const copied = await contentsOf(copy);
    const own = await contentsOf(this.#running);
    await copy.close();
    if (!skipsHead) expect(copied).toEqual(own);
    for (const [series, samples] of copied.series) {
      expect(own.series.get(series)).toEqual(expect.arrayContaining([...samples]));
    }
    env.files.removeTree('/data/snapshots');
  }

  /** What the retention time does not cover may go with any round of maintenance. */
  #expire(): void {
    if (this.#retentionMs > 0) expireBefore(this.#world.ledger, this.#retentionMs);
  }

  async #problems(): Promise<string[]> {
    const contents = await contentsOf(this.#running);
    return [
      ...this.#world.ledger.check(contents),
      ...(contents.isPartial ? ['the answer is partial'] : []),
    ];
  }

  async #revive(): Promise<void> {
    const { ledger } = this.#world;
    this.#expire();
    this.#background = Promise.resolve();
    this.#db = null;
    this.#world.restart(this.#survives);
    if (this.#survives !== 'all') ledger.notePowerCut();
    await this.#open();
    expect(await this.#problems()).toEqual([]);
    ledger.settle(await contentsOf(this.#running), this.#survives !== 'all');
  }
}

function labelsOf(index: number): Labels {
  return Labels.from({ __name__: 'm', i: String(index) });
}

/** A series that has left the head and come back has two references, and completed chunks under the second. */
const CAME_BACK: Command[] = [
  append([0, -26_020], [2, 1_676], [3, 374], [1, -30_094]),
  { kind: 'advance', byMs: 14_179 },
  { kind: 'compact', isAwaited: false },
  { kind: 'advance', byMs: 19_266 },
  append([1, -26_163], [2, -30_137], [4, 1_726]),
  { kind: 'compact', isAwaited: false },
  { kind: 'advance', byMs: 4_819 },
  append([2, -19_317], [0, -1_961], [4, 1_852], [1, 120]),
  append([3, 1_953], [1, 1_933]),
];

/** All samples of the newest block are deleted, and the log still has them. */
const EMPTIED: Command[] = [
  { kind: 'advance', byMs: 5_412 },
  append([1, 1_890], [2, -24_624], [4, -22_073]),
  { kind: 'advance', byMs: 15_020 },
  { kind: 'restart' },
  { kind: 'advance', byMs: 23_403 },
  append([0, 202], [1, 1_413], [2, -11_930], [3, 877]),
  { kind: 'advance', byMs: 21_298 },
  append([4, 1_973]),
  { kind: 'compact', isAwaited: true },
  { kind: 'delete', index: 2, fromMs: 31_386, lengthMs: 37_580 },
  { kind: 'clean tombstones' },
];

function append(...samples: readonly (readonly [number, number])[]): Command {
  const offsets = samples.map(([index, offsetMs]) => ({ index, offsetMs }));
  return { kind: 'append', samples: offsets, isRepeated: false };
}

it('a database answers like a map of samples through any history of batches, deletions, maintenance, reloads, snapshots, restarts, kills and power cuts', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(),
      fc.constantFrom('always' as const, 'interval' as const),
      fc.array(command, { minLength: 20, maxLength: 200, size: 'max' }),
      async (seed, fsync, commands) => new Story(seed, fsync).play(commands),
    ),
    {
      examples: [
        [429_926_047, 'interval', CAME_BACK],
        [1_300_653_384, 'interval', EMPTIED],
      ],
      numRuns: Number(process.env.POLLUX_MODEL_RUNS ?? 6),
      endOnFailure: true,
    },
  );
});
