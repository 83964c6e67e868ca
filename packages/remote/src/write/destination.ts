import {
  CanceledError,
  type Env,
  errorText,
  OperatingError,
  sleep,
  type Timer,
} from '@pollux/base';
import type { Variables } from '@pollux/http';
import type { Labels } from '@pollux/model';
import type { Log } from '@pollux/telemetry';
import type { Batch } from './batch.ts';
import type { RemoteWriteConfig } from './config.ts';
import { CursorFile } from './cursor-file.ts';
import { desiredShards, RateAverage } from './desired-shards.ts';
import { LogFeed } from './log-feed.ts';
import { MetadataSender, type MetadataSource } from './metadata-sender.ts';
import type { DestinationMetrics, DropReason, Kind, RemoteWriteMetrics } from './metrics.ts';
import { PinnedLog } from './pinned-log.ts';
import type { RingExtra } from './sample-ring.ts';
import { SeriesTable } from './series-table.ts';
import { Shard } from './shard.ts';
import { comparePositions, type WalPort, type WalPosition, type WalRecord } from './wal-port.ts';
import { WriteClient } from './write-client.ts';

/** How often the cursor is saved, links are made and the bound is checked, ms. */
const UPKEEP_MS = 2_000;
const RESHARD_MS = 10_000;
/** Longest pause of reading while shards are emptied for another number of them, ms. */
const RESHARD_DRAIN_MS = 60_000;
/** Records handled before other work gets its turn. */
const TURN_RECORDS = 64;
/** Longest sleep at the end of the log, should a notice get lost, ms. */
const IDLE_MS = 1_000;
/** What closing may take to send the rest; what is left is sent from the cursor at the next start. */
const CLOSE_MS = 2_000;

/** What all destinations of a role have in common. */
export type Surroundings = {
  readonly env: Env;
  readonly wal: WalPort;
  readonly log: Log;
  readonly metrics: RemoteWriteMetrics;
  readonly externalLabels: Labels;
  readonly userAgent: string;
  readonly resolvePath: (name: string) => string;
  readonly variables: Variables;
  readonly metadata: MetadataSource | null;
  /** Most bytes that one destination's links may keep alone. */
  readonly maxPinnedBytes: () => number;
  /** Told what was read where, so that what comes in is counted once, however many destinations read it. */
  readonly onRead: (
    at: WalPosition,
    counts: Readonly<Record<Kind, number>>,
    highestMs: number,
  ) => void;
};

/**
 * One remote write endpoint: reads the log from its cursor, shares the samples out to shards, and moves the cursor behind
 * what the endpoint has acknowledged. Nothing it waits for is waited for by anyone else.
 */
export class Destination {
  readonly config: RemoteWriteConfig;
  readonly #around: Surroundings;
  readonly #log: Log;
  readonly #metrics: DestinationMetrics;
  readonly #cursorFile: CursorFile;
  readonly #pinned: PinnedLog;
  readonly #table: SeriesTable;
  readonly #client: WriteClient;
  readonly #metadataSender: MetadataSender | null;
  readonly #stop = new AbortController();
  readonly #rates = {
    in: new RateAverage(),
    out: new RateAverage(),
    dropped: new RateAverage(),
    seconds: new RateAverage(),
  };
  #feed: LogFeed | null = null;
  #shards: Shard[] = [];
  #wantedShards: number;
  #saved: WalPosition | null = null;
  /** Positions behind records whose samples are not all settled, oldest first. */
  #open: { readonly sequence: number; readonly end: WalPosition }[] = [];
  #openHead = 0;
  #sequence = 0;
  #settled: WalPosition = { segment: 0, offset: 0 };
  /** Everything before this segment is given up. */
  #dropBefore = -1;
  #lastSentMs = Number.NEGATIVE_INFINITY;
  #highestSentMs = 0;
  #highestReadMs = 0;
  #wake: (() => void) | null = null;
  #running: Promise<void> | null = null;
  readonly #timers = new Set<Timer>();
  readonly #unsubscribe: (() => void)[] = [];

  constructor(config: RemoteWriteConfig, directory: string, around: Surroundings) {
    this.config = config;
    this.#around = around;
    this.#log = around.log.with({ component: 'remote', remote_name: config.name });
    this.#metrics = around.metrics.of(config.name, config.url);
    this.#cursorFile = new CursorFile(around.env.files, `${directory}/cursor.json`);
    this.#pinned = new PinnedLog(around.env.files, around.wal, `${directory}/wal`);
    this.#table = new SeriesTable(around.externalLabels, config.writeRelabelSteps);
    this.#client = new WriteClient(around.env, config, around);
    this.#wantedShards = config.queue.minShards;
    this.#metadataSender =
      config.metadata.send && around.metadata !== null
        ? new MetadataSender(around.env.clock, this.#client, config, {
            source: around.metadata,
            metrics: this.#metrics,
            log: this.#log,
          })
        : null;
    const { queue } = config;
    this.#metrics.shardsMax.set(queue.maxShards);
    this.#metrics.shardsMin.set(queue.minShards);
    this.#metrics.shardCapacity.set(queue.capacity);
    this.#metrics.maxSamplesPerSend.set(queue.maxSamplesPerSend);
    this.#metrics.shardsDesired.set(queue.minShards);
  }

  /** Pins the log at once (so nothing is lost from here on), then reads and sends in the background. */
  start(): void {
    if (this.#running !== null) return;
    const { wal } = this.#around;
    this.#unsubscribe.push(
      wal.beforeDelete(() => this.#guarded('pinning the log', () => this.#pinned.link())),
      wal.onAppend(() => this.#wakeUp()),
    );
    const start = this.#startPosition();
    this.#pinned.link();
    this.#settled = start;
    this.#feed = new LogFeed(
      {
        wal,
        pinned: this.#pinned,
        table: this.#table,
        log: this.#log,
        onDamage: () => this.#metrics.walFailures.inc(),
      },
      start,
    );
    this.#startShards();
    this.#every(UPKEEP_MS, () => this.#upkeep());
    this.#every(RESHARD_MS, () => this.#reconsiderShards());
    this.#metadataSender?.start();
    this.#running = this.#run(this.#feed).catch((error: unknown) => {
      if (this.#stop.signal.aborted) return;
      this.#log.error('remote write stopped', { err: errorText(error) });
    });
  }

  /** Sends what it can in two seconds, saves the cursor and stops. */
  async close(): Promise<void> {
    if (this.#stop.signal.aborted) {
      await this.#running;
      return;
    }
    for (const end of this.#unsubscribe) end();
    for (const timer of this.#timers) timer.cancel();
    this.#stop.abort();
    this.#wakeUp();
    await this.#running;
    await Promise.all([
      this.#metadataSender?.close(),
      ...this.#shards.map((shard) => shard.close(CLOSE_MS)),
    ]);
    this.#feed?.close();
    this.#guarded('saving the cursor', () => this.#saveCursor());
  }

  /** Behind everything that was acknowledged or given up. */
  get cursor(): WalPosition {
    return this.#settled;
  }

  /** Samples in memory, for status pages. */
  get pendingCount(): number {
    return this.#shards.reduce((sum, shard) => sum + shard.size, 0);
  }

  get shardCount(): number {
    return this.#shards.length;
  }

  get highestSentMs(): number {
    return this.#highestSentMs;
  }

  #startPosition(): WalPosition {
    const tail = this.#around.wal.tail();
    const saved = this.#cursorFile.load();
    if (saved === null) {
      // A new destination gets what is collected from now on, as with Prometheus.
      this.#pinned.clear();
      this.#cursorFile.save(tail);
      return tail;
    }
    if (comparePositions(saved, tail) <= 0) return saved;
    this.#log.warn('the log ends before the saved cursor; going on from its end', {
      segment: saved.segment,
      offset: saved.offset,
    });
    this.#pinned.clear();
    this.#cursorFile.save(tail);
    return tail;
  }

  async #run(feed: LogFeed): Promise<void> {
    const { clock } = this.#around.env;
    const signal = this.#stop.signal;
    for (const _ of feed.load()) await sleep(clock, 0, signal);
    for (let turn = 1; !signal.aborted; turn++) {
      if (feed.isReconcileDue) {
        for (const _ of feed.reconcile()) await sleep(clock, 0, signal);
      }
      if (this.#wantedShards !== this.#shards.length) await this.#reshard();
      const record = feed.next();
      this.#metrics.walSegment.set(feed.position.segment);
      if (record === null) {
        this.#moveCursor();
        await this.#waiting(IDLE_MS);
        continue;
      }
      await this.#take(record, feed.position);
      if (turn % TURN_RECORDS === 0) await sleep(clock, 0, signal);
    }
  }

  async #take(record: WalRecord, end: WalPosition): Promise<void> {
    const sequence = ++this.#sequence;
    this.#open.push({ sequence, end });
    this.#metrics.walRecords(record.kind).inc();
    const counts = { samples: 0, histograms: 0, exemplars: 0 };
    switch (record.kind) {
      case 'samples':
        counts.samples = record.count;
        this.#note(end, counts, highest(record.timestampsMs, record.count));
        for (let i = 0; i < record.count; i++) {
          const words = { low: record.valueWords[i * 2]!, high: record.valueWords[i * 2 + 1]! };
          const item = this.#admit('samples', record.refs[i]!, sequence);
          if (item !== null && !this.#push(item, record.timestampsMs[i]!, words, null)) {
            await this.#pushSlowly('samples', item, record.timestampsMs[i]!, words, null);
          }
        }
        return;
      case 'histograms':
        counts.histograms = record.histograms.length;
        this.#note(
          end,
          counts,
          record.histograms.reduce((newest, { timestampMs }) => Math.max(newest, timestampMs), 0),
        );
        if (!this.config.sendNativeHistograms) return;
        for (const { ref, timestampMs, histogram } of record.histograms) {
          const item = this.#admit('histograms', ref, sequence);
          if (item === null) continue;
          await this.#pushSlowly('histograms', item, timestampMs, NO_WORDS, {
            kind: 'histogram',
            histogram,
          });
        }
        return;
      case 'exemplars':
        counts.exemplars = record.exemplars.length;
        this.#note(end, counts, 0);
        if (!this.config.sendExemplars) return;
        for (const { ref, exemplar } of record.exemplars) {
          const item = this.#admit('exemplars', ref, sequence);
          if (item === null) continue;
          await this.#pushSlowly('exemplars', item, exemplar.timestampMs ?? 0, NO_WORDS, {
            kind: 'exemplar',
            exemplar,
          });
        }
        return;
      case 'series':
      case 'other':
        return;
    }
  }

  #note(end: WalPosition, counts: Readonly<Record<Kind, number>>, highestMs: number): void {
    this.#rates.in.add(counts.samples + counts.histograms + counts.exemplars);
    if (highestMs > this.#highestReadMs) {
      this.#highestReadMs = highestMs;
      this.#metrics.highestReadSeconds.set(highestMs / 1_000);
    }
    this.#around.onRead(end, counts, highestMs);
  }

  #admit(kind: Kind, ref: number, sequence: number): Item | null {
    const labelFields = this.#table.labelFields(ref);
    if (this.#isGivenUp()) this.#drop(kind, 'queue_full');
    else if (labelFields === undefined) this.#drop(kind, 'unintentionally_dropped_series');
    else if (labelFields === null) this.#drop(kind, 'dropped_series');
    else return { ref, labelFields, sequence };
    return null;
  }

  #push(item: Item, timestampMs: number, words: Words, extra: RingExtra | null): boolean {
    const shard = this.#shards[item.ref % this.#shards.length];
    return shard?.push(item, timestampMs, words, extra) ?? false;
  }

  /** Waits for room in the shard; other shards go on sending meanwhile. */
  async #pushSlowly(
    kind: Kind,
    item: Item,
    timestampMs: number,
    words: Words,
    extra: RingExtra | null,
  ): Promise<void> {
    while (!this.#push(item, timestampMs, words, extra)) {
      this.#metrics.enqueueRetries.inc();
      await this.#waiting(IDLE_MS);
      if (this.#stop.signal.aborted) throw new CanceledError('remote write is closing');
      if (this.#isGivenUp()) return this.#drop(kind, 'queue_full');
    }
  }

  #isGivenUp(): boolean {
    return this.#feed !== null && this.#feed.position.segment < this.#dropBefore;
  }

  #drop(kind: Kind, reason: DropReason): void {
    this.#rates.dropped.add(1);
    this.#metrics.dropped(kind, reason).inc();
  }

  #onSettled(batch: Batch, sent: boolean, durationMs: number): void {
    const count = batch.counts.samples + batch.counts.histograms + batch.counts.exemplars;
    this.#rates.out.add(count);
    this.#rates.seconds.add(durationMs / 1_000);
    if (sent) {
      this.#lastSentMs = this.#around.env.clock.monotonic();
      if (batch.highestTimestampMs > this.#highestSentMs) {
        this.#highestSentMs = batch.highestTimestampMs;
        this.#metrics.highestSentSeconds.set(batch.highestTimestampMs / 1_000);
      }
    }
    this.#moveCursor();
    this.#wakeUp();
  }

  /** The cursor stands behind the last record before the oldest sample that is still in a shard. */
  #moveCursor(): void {
    let oldest = this.#sequence + 1;
    for (const shard of this.#shards) oldest = Math.min(oldest, shard.oldestSequence);
    while (this.#openHead < this.#open.length && this.#open[this.#openHead]!.sequence < oldest) {
      this.#settled = this.#open[this.#openHead]!.end;
      this.#openHead++;
    }
    if (this.#openHead > 1_024 && this.#openHead * 2 > this.#open.length) {
      this.#open = this.#open.slice(this.#openHead);
      this.#openHead = 0;
    }
  }

  #upkeep(): void {
    this.#pinned.link();
    this.#saveCursor();
    this.#keepBound();
    this.#metrics.pinnedBytes.set(this.#pinned.exclusiveBytes());
    let pending = 0;
    for (const shard of this.#shards) pending += shard.size;
    this.#metrics.pending.samples.set(pending);
  }

  #saveCursor(): void {
    if (this.#saved !== null && comparePositions(this.#saved, this.#settled) === 0) return;
    this.#cursorFile.save(this.#settled);
    this.#saved = this.#settled;
    this.#pinned.release(this.#settled.segment);
  }

  /** Gives up the oldest part of the log when keeping it would take more disk than allowed. */
  #keepBound(): void {
    const limitBytes = this.#around.maxPinnedBytes();
    if (this.#pinned.exclusiveBytes() <= limitBytes) return;
    const bases = this.#pinned.checkpoints.filter((index) => index >= this.#settled.segment);
    const base =
      bases.find((index) => this.#pinned.exclusiveBytes(index) <= limitBytes) ?? bases.at(-1);
    if (base === undefined || base + 1 <= this.#dropBefore) return;
    this.#log.error('destination is away for too long: the oldest samples are given up', {
      fromSegment: this.#settled.segment,
      toSegment: base,
      limitBytes,
      remedy: 'bring the destination back or raise --storage.remote.max-pinned-bytes',
    });
    this.#dropBefore = base + 1;
    this.#wakeUp();
  }

  #reconsiderShards(): void {
    const rates = this.#rates;
    const period = RESHARD_MS / 1_000;
    for (const rate of Object.values(rates)) rate.tick(period);
    const { clock } = this.#around.env;
    const sendDeadlineMs = this.config.queue.batchSendDeadlineMs;
    // A destination that takes nothing would not take more from more shards.
    if (clock.monotonic() - this.#lastSentMs > 2 * RESHARD_MS + sendDeadlineMs) return;
    const inRate = rates.in.rate;
    const newestMs = Math.max(this.#highestReadMs, this.#isBehind() ? clock.now() : 0);
    const { desired, run } = desiredShards(
      this.#shards.length,
      {
        inRate,
        outRate: rates.out.rate,
        keptRatio: inRate > 0 ? Math.max(0, 1 - rates.dropped.rate / inRate) : 1,
        sendSecondsRate: rates.seconds.rate,
        delaySeconds: Math.max(0, newestMs - this.#highestSentMs) / 1_000,
      },
      { min: this.config.queue.minShards, max: this.config.queue.maxShards },
    );
    this.#metrics.shardsDesired.set(desired);
    this.#wantedShards = run;
    if (run !== this.#shards.length) this.#wakeUp();
  }

  #isBehind(): boolean {
    const position = this.#feed?.position;
    return position !== undefined && comparePositions(position, this.#around.wal.tail()) < 0;
  }

  /** A series must not be in two shards at once, so all are emptied first. */
  async #reshard(): Promise<void> {
    const wanted = this.#wantedShards;
    const before = this.#shards;
    const { clock } = this.#around.env;
    const untilMs = clock.monotonic() + RESHARD_DRAIN_MS;
    while (before.some((shard) => shard.size > 0)) {
      if (clock.monotonic() > untilMs || this.#dropBefore > (this.#feed?.position.segment ?? 0)) {
        this.#wantedShards = before.length;
        return;
      }
      await this.#waiting(IDLE_MS);
      if (this.#stop.signal.aborted) throw new CanceledError('remote write is closing');
    }
    await Promise.all(before.map((shard) => shard.close(CLOSE_MS)));
    this.#log.info('Remote storage resharding', { from: before.length, to: wanted });
    this.#startShards();
  }

  #startShards(): void {
    const shards: Shard[] = [];
    for (let i = 0; i < this.#wantedShards; i++) {
      const shard = new Shard({
        clock: this.#around.env.clock,
        queue: this.config.queue,
        metrics: this.#metrics,
        log: this.#log,
        send: (body, attempt, signal) => this.#client.send(body, attempt, signal),
        onSettled: (batch, sent, durationMs) => this.#onSettled(batch, sent, durationMs),
      });
      shard.start();
      shards.push(shard);
    }
    this.#shards = shards;
    this.#metrics.shards.set(shards.length);
  }

  #every(periodMs: number, work: () => void): void {
    const { clock } = this.#around.env;
    const arm = (): void => {
      const timer = clock.after(periodMs, () => {
        this.#timers.delete(timer);
        if (this.#stop.signal.aborted) return;
        this.#guarded('upkeep', work);
        arm();
      });
      this.#timers.add(timer);
    };
    arm();
  }

  /** A full disk or a lost file is logged and tried again; sending goes on. */
  #guarded(what: string, work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!OperatingError.is(error) && !(error instanceof Error && 'syscall' in error)) throw error;
      this.#log.error(`${what} failed`, { err: errorText(error) });
    }
  }

  #waiting(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.#stop.signal.aborted) {
        resolve();
        return;
      }
      const timer = this.#around.env.clock.after(delayMs, () => this.#wakeUp());
      this.#wake = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }
}

type Item = {
  readonly ref: number;
  readonly labelFields: Uint8Array;
  readonly sequence: number;
};

type Words = { readonly low: number; readonly high: number };
const NO_WORDS: Words = { low: 0, high: 0 };

function highest(timestampsMs: Float64Array, count: number): number {
  let newest = 0;
  for (let i = 0; i < count; i++) if (timestampsMs[i]! > newest) newest = timestampsMs[i]!;
  return newest;
}
