import { Closer, type Env, errorText, type Timer } from '@pollux/base';
import { compareText, type Matcher } from '@pollux/model';
import type {
  Appender,
  Engine,
  ExemplarQueryable,
  ExemplarSeries,
  NamesAnswer,
  ReadContext,
  SelectRequest,
  SeriesSource,
  TimeRange,
} from '@pollux/storage';
import type { Log, Registry } from '@pollux/telemetry';
import { ClosedError, DirectoryError, NotSupportedError } from './errors.ts';
import type { SampleColumns } from './format/wal-record.ts';
import { HeadAppender } from './head/appender.ts';
import { ExemplarRing } from './head/exemplar-ring.ts';
import { selectExemplars } from './head/exemplars.ts';
import { Head } from './head/head.ts';
import { HeadCursor, headLabelNames, headLabelValues } from './head/read.ts';
import { replayWal } from './head/replay.ts';
import { type HeadStats, headStats } from './head/stats.ts';
import { type TsdbMetrics, tsdbMetrics } from './metrics.ts';
import { DEFAULT_TSDB_OPTIONS, type TsdbOptions } from './options.ts';
import { MergeSelect } from './query/merge-select.ts';
import type { SeriesCursor } from './query/series-cursor.ts';
import { Wal, type WalTail } from './wal/wal.ts';

export type TsdbInit = {
  /** Data directory; made when missing. */
  readonly directory: string;
  readonly env: Env;
  readonly log: Log;
  readonly registry: Registry;
  readonly options?: Partial<TsdbOptions>;
};

type Parts = {
  readonly init: TsdbInit;
  readonly options: TsdbOptions;
  readonly metrics: TsdbMetrics;
  readonly head: Head;
  readonly wal: Wal;
  readonly unlock: () => void;
};

/** Version of what this engine adds to Prometheus' layout. */
const FORMAT_VERSION = 1;
const FORMAT_FILE = 'pollux.json';

/** A Prometheus-format database in one directory. */
export class Tsdb implements Engine, ExemplarQueryable {
  readonly semantics = 'append';
  /** For followers of the log: see README.md. */
  readonly walTail: WalTail;
  readonly #parts: Parts;
  readonly #spareColumns: SampleColumns[] = [];
  readonly #closer: Closer;
  #syncTimer: Timer | null = null;
  #isStarted = false;
  #isClosed = false;

  private constructor(parts: Parts) {
    this.#parts = parts;
    this.walTail = parts.wal;
    this.#closer = new Closer(parts.init.env.clock);
    this.#closer.defer('directory lock', parts.unlock);
    this.#closer.defer('write-ahead log', () => parts.wal.close());
  }

  /** Takes the directory, replays the log and opens the blocks. Throws DirectoryError, CorruptionError or a lock's error. */
  static async open(init: TsdbInit): Promise<Tsdb> {
    const { env, directory, registry, log } = init;
    const options: TsdbOptions = { ...DEFAULT_TSDB_OPTIONS, ...init.options };
    const metrics = tsdbMetrics(registry);
    const unlock = prepareDirectory(init, options);
    try {
      const startedMs = env.clock.monotonic();
      const head = new Head({
        chunkRangeMs: options.minBlockDurationMs,
        samplesPerChunk: options.samplesPerChunk,
        slabBytes: options.slabBytes,
        metrics,
        exemplars: new ExemplarRing(options.maxExemplars),
      });
      const walDirectory = `${directory}/wal`;
      const replay = { files: env.files, clock: env.clock, log, metrics, walDirectory, head };
      await replayWal({ ...replay, expiries: new Map() });
      metrics.replaySeconds.set((env.clock.monotonic() - startedMs) / 1000);
      const wal = new Wal({
        files: env.files,
        clock: env.clock,
        directory: walDirectory,
        segmentBytes: options.walSegmentBytes,
        compress: options.walCompression,
        metrics,
        onListenerError: (error) => log.error('log follower failed', { err: errorText(error) }),
      });
      return new Tsdb({ init, options, metrics, head, wal, unlock });
    } catch (error) {
      unlock();
      throw error;
    }
  }

  /** Begins syncing and maintenance. */
  start(): void {
    if (this.#isStarted || this.#isClosed) return;
    this.#isStarted = true;
    if (this.#parts.options.fsync === 'interval') this.#scheduleSync();
  }

  appender(): Appender {
    const { head, wal, metrics, options } = this.#parts;
    return new HeadAppender({
      head,
      wal,
      metrics,
      isSynced: options.fsync === 'always',
      maxSeries: options.maxSeries,
      spareColumns: this.#spareColumns,
      refusal: () => (this.#isClosed ? new ClosedError('the database') : null),
    });
  }

  select(request: SelectRequest, context: ReadContext): SeriesSource {
    this.#checkOpen();
    return new MergeSelect(this.#cursors(request.range, request.matchers), request, context);
  }

  async labelNames(
    range: TimeRange,
    matchers: readonly Matcher[],
    limit: number,
    _context: ReadContext,
  ): Promise<NamesAnswer> {
    this.#checkOpen();
    const { head } = this.#parts;
    const names = overlapsHead(head, range) ? headLabelNames(head, matchers) : new Set<string>();
    return namesAnswer(names, limit);
  }

  async labelValues(
    name: string,
    range: TimeRange,
    matchers: readonly Matcher[],
    limit: number,
    _context: ReadContext,
  ): Promise<NamesAnswer> {
    this.#checkOpen();
    const { head } = this.#parts;
    const values = overlapsHead(head, range)
      ? headLabelValues(head, name, matchers)
      : new Set<string>();
    return namesAnswer(values, limit);
  }

  async selectExemplars(
    range: TimeRange,
    matcherSets: readonly (readonly Matcher[])[],
    _context: ReadContext,
  ): Promise<readonly ExemplarSeries[]> {
    this.#checkOpen();
    return selectExemplars(this.#parts.head.options.exemplars, range, matcherSets);
  }

  async deleteSamples(_range: TimeRange, _matchers: readonly Matcher[]): Promise<void> {
    throw new NotSupportedError('deleting samples');
  }

  /** Figures for `/api/v1/status/tsdb`; `top` names a list. */
  headStats(top = 10): HeadStats {
    return headStats(this.#parts.head, top);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#syncTimer?.cancel();
    const failures = await this.#closer.close();
    for (const failure of failures) this.#parts.init.log.error('closing failed', { err: failure });
  }

  #cursors(range: TimeRange, matchers: readonly Matcher[]): SeriesCursor[] {
    const { head } = this.#parts;
    return overlapsHead(head, range) ? [new HeadCursor(head, range, matchers)] : [];
  }

  #scheduleSync(): void {
    const { init, options, wal } = this.#parts;
    this.#syncTimer = init.env.clock.after(options.fsyncIntervalMs, () => {
      wal
        .sync()
        .catch((error: unknown) => init.log.error('syncing failed', { err: errorText(error) }))
        .finally(() => {
          if (!this.#isClosed) this.#scheduleSync();
        });
    });
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new ClosedError('the database');
  }
}

function prepareDirectory(init: TsdbInit, options: TsdbOptions): () => void {
  const { directory, env } = init;
  const { files } = env;
  try {
    files.makeDirectory(`${directory}/wal`);
  } catch (cause) {
    throw new DirectoryError(directory, 'cannot be made or written; check owner and rights', {
      cause,
    });
  }
  const unlock = options.lockDirectory?.(directory) ?? (() => {});
  try {
    checkFormat(init);
  } catch (error) {
    unlock();
    throw error;
  }
  return unlock;
}

function checkFormat({ directory, env }: TsdbInit): void {
  const path = `${directory}/${FORMAT_FILE}`;
  if (!env.files.exists(path)) {
    try {
      env.files.replaceFile(path, `${JSON.stringify({ formatVersion: FORMAT_VERSION })}\n`);
    } catch (cause) {
      throw new DirectoryError(directory, 'cannot be written; check owner, rights and free space', {
        cause,
      });
    }
    return;
  }
  let version: unknown;
  try {
    const text = new TextDecoder().decode(env.files.readFile(path));
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === 'object' && parsed !== null && 'formatVersion' in parsed) {
      version = parsed.formatVersion;
    }
  } catch (cause) {
    throw new DirectoryError(directory, `${FORMAT_FILE} is damaged; remove it`, { cause });
  }
  if (version !== FORMAT_VERSION) {
    throw new DirectoryError(
      directory,
      `its format version is ${String(version)}, this program knows ${FORMAT_VERSION}; use the program that wrote it`,
    );
  }
}

function overlapsHead(head: Head, range: TimeRange): boolean {
  return !head.isEmpty && range.maxMs >= head.minMs && range.minMs <= head.maxMs;
}

function namesAnswer(names: Set<string>, limit: number): NamesAnswer {
  const values = [...names].sort(compareText);
  return { values: limit > 0 ? values.slice(0, limit) : values, warnings: [] };
}
