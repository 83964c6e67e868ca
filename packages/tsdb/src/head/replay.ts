import {
  type Clock,
  DecodeError,
  defined,
  errorText,
  type Files,
  WorkerExitError,
  WorkerMemoryError,
  type Workers,
} from '@pollux/base';
import type { Log } from '@pollux/telemetry';
import { CorruptionError } from '../errors.ts';
import type { LoadedSnapshot } from '../head-snapshot/load-head-snapshot.ts';
import { type FilledSlot, OP } from '../log-feed/feed.protocol.ts';
import { FeedApplier } from '../log-feed/feed-applier.ts';
import { LogFeed } from '../log-feed/log-feed.ts';
import type { TsdbMetrics } from '../metrics.ts';
import { Slices } from '../slices.ts';
import type { Expiries } from '../wal/expiries.ts';
import { cutTorn, LogFile, type LogSource, logSources } from '../wal/log-sources.ts';
import { logNewestMs } from '../wal/newest-time.ts';
import { segmentName, type WalPosition } from '../wal/segment.ts';
import type { Damage } from '../wal/segment-reader.ts';
import { surveySeries } from '../wal/survey.ts';
import type { Zstd } from '../wal/zstd.ts';
import { LogApplier } from './apply-log.ts';
import type { FoundChunks } from './found-chunks.ts';
import type { Head } from './head.ts';
import { LogRefs } from './log-refs.ts';
import { LostTimes, type TimeSpan } from './lost-times.ts';
import type { ReplayGate } from './replay-gate.ts';
import type { Slot } from './series-table.ts';

export type ReplayOptions = {
  readonly files: Files;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: TsdbMetrics;
  readonly walDirectory: string;
  readonly head: Head;
  readonly zstd: Zstd;
  /** Chunks on the disk for the series that the log names; samples that they hold are passed over. */
  readonly found?: FoundChunks;
  /** What the head was filled with: the log is read from its position on. */
  readonly snapshot?: LoadedSnapshot | null;
  /** Takes the references that are not used any more but stand in records. */
  readonly expiries: Expiries;
  readonly signal: AbortSignal;
  /** Leaves the files as they are. */
  readonly isReadOnly?: boolean;
  /** Read the log that was found when it has so many bytes; without them this thread does. */
  readonly workers?: { readonly workers: Workers; readonly minBytes: number };
};

/** How far the log that was found is applied: the file by its number, and the end of a record in it. */
type Place = { readonly source: number; readonly offset: number };

/** What a replay does besides reading the log that it found. */
export type ReplayAround = {
  /** How far the log has been written that this process has begun behind the one that it found. */
  readonly position: () => WalPosition;
  readonly gate: ReplayGate;
  /** Called between the log that was found and what has been written since. */
  readonly onFoundRead: () => Promise<void>;
};

export type ReplayProgress = {
  /** Numbers of segments; all 0 while there is no log. */
  readonly firstSegment: number;
  readonly lastSegment: number;
  readonly currentSegment: number;
  /** 0 to 1, by bytes. */
  readonly fraction: number;
};

/** At most so often the log says how far the replay is. */
const PROGRESS_INTERVAL_MS = 5_000;

/**
 * Rebuilds the head from the newest checkpoint and the segments behind it, a page at a time. Damage is counted, logged and
 * passed over: what follows it is used. A torn end of the last segment is cut off.
 */
export class LogReplay {
  readonly #options: ReplayOptions;
  readonly #sources: readonly LogSource[];
  readonly #bytes: number;
  readonly #refs: LogRefs;
  /** Let go at the end: it has columns of a megabyte. */
  #applier: LogApplier | null;
  readonly #slices: Slices;
  /** The worker that reads the log, from its beginning to its end, which may both lie before the replay's: its slots are 5 MB. */
  #feed: LogFeed | null = null;
  /** The reading of {@link newestMs}, while it goes on. */
  #search: Promise<void> | null = null;
  /** The file that is being read, by its number, and how far. */
  #source = 0;
  #offset = 0;
  #lastDamage: Damage | null = null;
  readonly #lost = new LostTimes();
  #toldMs: number;

  /** Looks for the files; throws CorruptionError when a segment is missing. */
  constructor(options: ReplayOptions) {
    this.#options = options;
    const { snapshot = null } = options;
    this.#refs = snapshot?.refs ?? new LogRefs();
    this.#applier = new LogApplier({ ...options, refs: this.#refs, lost: this.#lost });
    this.#sources = logSources(options.files, options.walDirectory, snapshot?.position);
    this.#bytes = this.#sources.reduce((sum, { size, offset }) => sum + size - offset, 0);
    this.#slices = new Slices(options.clock, options.signal);
    this.#toldMs = options.clock.monotonic();
  }

  get progress(): ReplayProgress {
    const segments = this.#sources.filter(({ segment }) => segment >= 0);
    const before = this.#sources.slice(0, this.#source);
    const current = this.#sources[this.#source];
    const done = before.reduce((sum, { size, offset }) => sum + size - offset, 0);
    const inFile = current === undefined ? 0 : Math.max(0, this.#offset - current.offset);
    const firstSegment = segments[0]?.segment ?? 0;
    const lastSegment = segments.at(-1)?.segment ?? 0;
    return {
      firstSegment,
      lastSegment,
      currentSegment: Math.max(firstSegment, current?.segment ?? lastSegment),
      fraction: this.#bytes === 0 ? 1 : Math.min(1, (done + inFile) / this.#bytes),
    };
  }

  /** The slot of the series that a reference in the log stands for, −1 for none; valid until a series is removed or {@link runAndFollow} has ended. */
  slotOf(ref: number): Slot {
    return this.#refs.get(ref);
  }

  /** Times in which samples were lost to damage, as far as what stood around them tells. */
  get lostTimes(): readonly TimeSpan[] {
    return this.#lost.spans;
  }

  /**
   * Keeps the references that the log may use from being given to new series: to be awaited before any comes. A worker that is
   * to read the log begins meanwhile.
   */
  async reserveRefs(): Promise<void> {
    const { files, clock, zstd, signal, head, workers, snapshot } = this.#options;
    if (workers !== undefined && this.#bytes >= workers.minBytes) {
      this.#feed = new LogFeed(workers.workers, this.#sources, signal);
    }
    const survey = await surveySeries({ files, clock, zstd, signal, sources: this.#sources });
    head.table.reserveRef(survey.highestRef);
    // Behind a snapshot stand few series that it has not.
    if (snapshot === null || snapshot === undefined) head.table.expect(survey.seriesCount, 0);
  }

  /**
   * Time of the newest sample that the log that was found, or what the head was filled with, has. Reads all of the log, in a
   * part of the replay's time; the replay waits for it, since side by side both would end later. Call it once.
   */
  async newestMs(): Promise<number> {
    const { files, clock, zstd, signal, head, found } = this.#options;
    const knownMs = Math.max(head.maxMs, found?.newestMs ?? head.maxMs);
    const search = logNewestMs({ files, clock, zstd, signal, sources: this.#sources });
    const end = (): void => {
      this.#search = null;
    };
    this.#search = search.then(end, end);
    return Math.max(knownMs, await search);
  }

  /** Reads the log that was found. */
  async run(): Promise<void> {
    await this.#readFound();
    this.#running.finish(this.progress.lastSegment);
  }

  /**
   * Reads the log that was found and then follows the one that is being written. `onEnd` is called in the turn in which
   * nothing is left to read and no commit is open: from there on commits make themselves visible.
   */
  async runAndFollow(around: ReplayAround, onEnd: () => void): Promise<void> {
    const first = around.position().segment;
    await this.#readFound();
    await around.onFoundRead();
    await this.#follow(around, first, onEnd);
  }

  get #running(): LogApplier {
    return defined(this.#applier, 'BUG: the replay has ended');
  }

  async #readFound(): Promise<void> {
    const { workers } = this.#options;
    let from: Place = { source: 0, offset: this.#sources[0]?.offset ?? 0 };
    if (workers !== undefined && this.#bytes >= workers.minBytes) {
      from = await this.#readByWorker(workers.workers);
    }
    for (const [index, source] of this.#sources.entries()) {
      if (index < from.source) continue;
      await this.#replayFile(index, index === from.source ? { ...source, ...from } : source);
    }
  }

  /** Applies what a worker reads. Returns where to go on here: behind the last file, or where the worker was lost. */
  async #readByWorker(workers: Workers): Promise<Place> {
    const { log, head, signal } = this.#options;
    const feed = this.#feed ?? new LogFeed(workers, this.#sources, signal);
    const applier = new FeedApplier(this.#running, head.table.symbols);
    try {
      for (;;) {
        const filled = await feed.next();
        if (filled === null) break;
        await this.#applyFilled(feed, filled, applier);
        feed.release(filled);
      }
    } catch (error) {
      const isLost = error instanceof WorkerExitError || error instanceof WorkerMemoryError;
      if (!isLost) throw error;
      log.warn('the worker that reads the log was lost; it is read without', {
        err: errorText(error),
      });
    } finally {
      await feed.close();
      this.#feed = null;
    }
    return { source: this.#source, offset: this.#offset };
  }

  async #applyFilled(feed: LogFeed, filled: FilledSlot, applier: FeedApplier): Promise<void> {
    const slot = feed.slots[filled.slot]!;
    applier.begin(slot, filled);
    for (let i = 0; i < filled.opCount; i++) {
      const offset = slot.ops[i * OP.fields + OP.offset]!;
      const path = this.#sources[this.#source]?.path ?? '';
      try {
        const note = applier.apply(slot, filled, i, path);
        this.#offset = offset;
        if (note?.kind === 'file') this.#beginFile(note.source);
        else if (note?.kind === 'damage') this.#noteDamage(note.damage);
        else if (note?.kind === 'end') this.#endFile();
      } catch (error) {
        this.#passUndecodable(path, this.#offset, error);
        this.#offset = offset;
      }
      if (this.#slices.isOver) await this.#pause();
    }
  }

  async #replayFile(index: number, source: LogSource): Promise<void> {
    const { files, zstd } = this.#options;
    this.#beginFile(index);
    const file = new LogFile(files, source, zstd, (damage) => this.#noteDamage(damage));
    try {
      await this.#replayRecords(file, source.path, () => source.size);
    } finally {
      file.close();
    }
    this.#endFile();
  }

  #beginFile(index: number): void {
    this.#source = index;
    this.#offset = this.#sources[index]!.offset;
    this.#lastDamage = null;
  }

  #endFile(): void {
    const { size, segment } = this.#sources[this.#source]!;
    const isLast = this.#source === this.#sources.length - 1;
    this.#source++;
    this.#offset = 0;
    const torn = this.#lastDamage;
    if (torn === null || torn.endOffset < size || torn.isUnreadable) return;
    if (isLast && segment >= 0) this.#cutTorn(torn);
  }

  /** Applies records up to the limit, which is asked for again when it is reached. */
  async #replayRecords(file: LogFile, path: string, limit: () => number): Promise<void> {
    for (;;) {
      const { offset } = file;
      this.#offset = offset;
      const record = file.next(limit());
      if (record === null) return;
      if (record === 'load') {
        await file.loadZstd();
        continue;
      }
      try {
        this.#running.apply(record, path);
      } catch (error) {
        this.#passUndecodable(path, offset, error);
      }
      if (this.#slices.isOver) await this.#pause();
    }
  }

  async #pause(): Promise<void> {
    this.#tellProgress();
    await this.#slices.pause();
    // However it ended, who asked for it hears of it.
    if (this.#search !== null) await this.#search;
  }

  async #follow(around: ReplayAround, first: number, onEnd: () => void): Promise<void> {
    const { files, walDirectory, zstd } = this.#options;
    for (let segment = first; ; segment++) {
      const path = `${walDirectory}/${segmentName(segment)}`;
      const file = new LogFile(files, path, zstd, (damage) => this.#noteDamage(damage));
      try {
        for (;;) {
          const { segment: newest, offset } = around.position();
          const isFinished = segment < newest;
          const end = isFinished ? files.stat(path).size : offset;
          await this.#replayRecords(file, path, () => end);
          if (isFinished) break;
          const now = around.position();
          if (now.segment !== segment || now.offset !== end) continue;
          if (around.gate.isAwaited) {
            await this.#slices.pause();
            continue;
          }
          // Nothing has been written since, and until these calls are over nothing can be.
          this.#running.finish(segment);
          this.#applier = null;
          this.#refs.clear();
          onEnd();
          return;
        }
      } finally {
        file.close();
      }
    }
  }

  #noteDamage(damage: Damage): void {
    const { log, metrics } = this.#options;
    this.#lastDamage = damage;
    this.#lost.passDamage();
    metrics.walCorruptions.inc();
    metrics.walLostBytes.inc(damage.endOffset - damage.offset);
    log.warn('damage in the log was passed over', {
      file: damage.place,
      offset: damage.offset,
      bytes: damage.endOffset - damage.offset,
      err: damage.reason,
    });
  }

  /** Other errors than those of a record go on. */
  #passUndecodable(path: string, offset: number, error: unknown): void {
    if (!(error instanceof CorruptionError || error instanceof DecodeError)) throw error;
    const { log, metrics } = this.#options;
    this.#lost.passDamage();
    metrics.walCorruptions.inc();
    metrics.walLostRecords.inc();
    log.warn('a record of the log cannot be decoded and was left out', {
      file: path,
      offset,
      err: errorText(error),
    });
  }

  /** What a kill or a power loss left of the last write. */
  #cutTorn(torn: Damage): void {
    const { files, log, isReadOnly } = this.#options;
    if (isReadOnly === true) return;
    log.warn('the log is torn; what follows the last whole record is cut off', {
      file: torn.place,
      offset: torn.offset,
    });
    cutTorn(files, torn);
  }

  #tellProgress(): void {
    const { clock, log } = this.#options;
    const nowMs = clock.monotonic();
    if (nowMs - this.#toldMs < PROGRESS_INTERVAL_MS) return;
    this.#toldMs = nowMs;
    const { currentSegment, lastSegment, fraction } = this.progress;
    log.info('replaying the log', {
      segment: currentSegment,
      maxSegment: lastSegment,
      percent: Math.round(fraction * 100),
    });
  }
}
