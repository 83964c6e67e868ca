import {
  ByteReader,
  ByteWriter,
  DecodeError,
  type Env,
  errorText,
  type File,
  Slices,
  type Timer,
} from '@pollux/base';
import type { Log } from '@pollux/telemetry';
import {
  FILE_HEAD_BYTES,
  type FileKind,
  fileHead,
  frameOf,
  hasFileHead,
  scanFrames,
} from '../frames/frames.ts';
import type { DurableMetrics, DurableOperation } from './durable-metrics.ts';

/** How long written bytes may lie in the system's cache: what a power cut can cost, ms. */
const SYNC_MS = 1_000;
/** A file that could not be written is tried again after so long, ms. */
const RETRY_MS = 5_000;
/** As RETRY_MS, where only the writing anew failed and the file goes on, ms. */
const REWRITE_RETRY_MS = 60_000;
/** More than so many bytes are not gathered before they are written. */
const MAX_PENDING_BYTES = 256 * 1024;
/** A file below this is never written anew for its size. */
const MIN_REWRITE_BYTES = 16 * 1024 * 1024;

export type RecordLogOptions = {
  readonly env: Pick<Env, 'clock' | 'files'>;
  readonly log: Log;
  readonly metrics: DurableMetrics;
  readonly directory: string;
  /** The file's name. */
  readonly name: string;
  readonly kind: FileKind;
  /** Takes one record; a DecodeError passes over the rest of its frame. */
  readonly take: (record: ByteReader) => void;
  /** Writes all that is still needed, one record (or a few) a step; changes between steps are appended after it. */
  readonly state: (writer: ByteWriter) => Iterator<void, void>;
  /** What is known to be still needed, bytes: a file that holds hardly more is not written anew for its size. */
  readonly neededBytes?: () => number;
};

/**
 * An append-only file of records that remembers a state in memory: changes are appended, and when they have grown past
 * the state, the file is written anew beside the old one and takes its place.
 *
 * What is appended is written before the next task of the event loop, that is before any answer that was computed after
 * it: a killed process has lost nothing it confirmed. Syncs follow within a second, so a power cut costs at most that. A
 * disk that fails costs memory of the past, never work: it is counted, logged and tried again with the whole state.
 */
export class RecordLog {
  readonly #options: RecordLogOptions;
  readonly #path: string;
  readonly #pending = new ByteWriter(4096);
  readonly #stop = new AbortController();
  #file: File | null = null;
  #sizeBytes = 0;
  /** Size after the file was last written anew. */
  #baseBytes = 0;
  #isFlushDue = false;
  #isUnsynced = false;
  /** The new file, while it is written. */
  #next: NextFile | null = null;
  /** A rewriting that failed is not tried again before, ms of the monotonic clock. */
  #rewriteNotBeforeMs = 0;
  #rewriting: Promise<void> | null = null;
  #syncTimer: Timer | null = null;
  #retryTimer: Timer | null = null;
  #isClosed = false;

  constructor(options: RecordLogOptions) {
    this.#options = options;
    this.#path = `${options.directory}/${options.name}`;
    options.metrics.introduce(options.name, () => this.#sizeBytes);
  }

  /** Reads the file and goes on with it. Never throws for what the disk or the file does. */
  open(): void {
    const { env, kind } = this.#options;
    let data: Uint8Array | null = null;
    try {
      env.files.remove(this.#nextPath);
      if (env.files.exists(this.#path)) data = env.files.readFile(this.#path);
    } catch (error) {
      this.#failed('read', error);
      this.#putAside();
    }
    if (data !== null && hasFileHead(data, kind)) {
      this.#continue(data);
      return;
    }
    // A file that died with its first bytes is no damage.
    if (data !== null && data.length > FILE_HEAD_BYTES) {
      this.#noteDamage(data.length, `${this.#path}.damaged`);
      this.#putAside();
    }
    this.#begin();
  }

  /** Appends one record and returns its size; `write` must write at least a byte. */
  append(write: (writer: ByteWriter) => void): number {
    if (this.#isClosed) return 0;
    const before = this.#pending.size;
    write(this.#pending);
    const { size } = this.#pending;
    if (size >= MAX_PENDING_BYTES) {
      this.#flush();
    } else if (!this.#isFlushDue) {
      this.#isFlushDue = true;
      queueMicrotask(() => this.#flush());
    }
    return size - before;
  }

  /** Resolves when no rewriting is under way. */
  async idle(): Promise<void> {
    await this.#rewriting;
  }

  /** Writes and syncs what is there. Idempotent. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#flush();
    this.#isClosed = true;
    this.#stop.abort();
    this.#syncTimer?.cancel();
    this.#retryTimer?.cancel();
    await this.#rewriting;
    try {
      if (this.#isUnsynced) this.#file?.sync();
    } catch (error) {
      this.#failed('sync', error);
    }
    this.#drop();
  }

  get #nextPath(): string {
    return `${this.#path}.next`;
  }

  #putAside(): void {
    const { files } = this.#options.env;
    try {
      if (files.exists(this.#path)) files.rename(this.#path, `${this.#path}.damaged`);
    } catch (error) {
      this.#failed('read', error);
    }
  }

  #noteDamage(bytes: number, file: string): void {
    const { metrics, log, name } = this.#options;
    metrics.damagedBytes.with(name).inc(bytes);
    log.error('A file of own state is damaged; what could be read of it is used', { file, bytes });
  }

  #continue(data: Uint8Array): void {
    const { payloads, goodBytes, damagedBytes } = scanFrames(data);
    let passedOver = damagedBytes;
    for (const payload of payloads) passedOver += this.#takeAll(payload);
    try {
      const file = this.#options.env.files.open(this.#path, 'r+');
      this.#file = file;
      this.#sizeBytes = goodBytes;
      this.#baseBytes = goodBytes;
      if (data.length > goodBytes) file.truncate(goodBytes);
    } catch (error) {
      this.#broken('write', error);
      return;
    }
    if (passedOver === 0) return;
    this.#noteDamage(passedOver, this.#path);
    this.#rewriteSoon();
  }

  /** How many bytes could not be taken. */
  #takeAll(payload: Uint8Array): number {
    const reader = new ByteReader(payload);
    try {
      while (reader.remaining > 0) this.#options.take(reader);
      return 0;
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      return Math.max(1, reader.remaining);
    }
  }

  /** An empty file with its head. */
  #begin(): void {
    const { env, kind, directory } = this.#options;
    try {
      const file = env.files.open(this.#path, 'w');
      this.#file = file;
      file.write(fileHead(kind), 0, FILE_HEAD_BYTES, 0);
      this.#sizeBytes = FILE_HEAD_BYTES;
      this.#baseBytes = FILE_HEAD_BYTES;
      env.files.syncDirectory(directory);
      this.#unsynced();
    } catch (error) {
      this.#broken('write', error);
    }
  }

  #flush(): void {
    this.#isFlushDue = false;
    if (this.#pending.size === 0 || this.#isClosed) return;
    const frame = frameOf(this.#pending.bytes());
    this.#pending.reset();
    const next = this.#next;
    if (next !== null) this.#writeNext(next, frame);
    const file = this.#file;
    if (file === null) return;
    try {
      file.write(frame, 0, frame.length, this.#sizeBytes);
      this.#sizeBytes += frame.length;
    } catch (error) {
      this.#broken('write', error);
      return;
    }
    this.#unsynced();
    if (this.#isOutgrown) this.#rewriteSoon();
  }

  /** The state may have grown as much as the file: then the file would be no smaller anew. */
  get #isOutgrown(): boolean {
    const neededBytes = this.#options.neededBytes?.() ?? 0;
    return this.#sizeBytes > Math.max(MIN_REWRITE_BYTES, 3 * this.#baseBytes, 2 * neededBytes);
  }

  #unsynced(): void {
    this.#isUnsynced = true;
    this.#syncTimer ??= this.#options.env.clock.after(SYNC_MS, () => {
      this.#syncTimer = null;
      const file = this.#file;
      if (file === null || !this.#isUnsynced) return;
      this.#isUnsynced = false;
      file.datasync().catch((error: unknown) => {
        if (this.#file === file && !this.#isClosed) this.#broken('sync', error);
      });
    });
  }

  /** Nothing is known any more of what the file holds: a new one takes its place when the disk lets it. */
  #broken(operation: DurableOperation, error: unknown): void {
    this.#failed(operation, error);
    this.#drop();
    this.#retryLater();
  }

  #retryLater(): void {
    this.#retryTimer ??= this.#options.env.clock.after(RETRY_MS, () => {
      this.#retryTimer = null;
      this.#rewriteSoon();
    });
  }

  #drop(): void {
    try {
      this.#file?.close();
    } catch (error) {
      this.#failed('write', error);
    }
    this.#file = null;
    this.#isUnsynced = false;
  }

  #failed(operation: DurableOperation, error: unknown): void {
    const { metrics, log, name } = this.#options;
    metrics.failures.with(name, operation).inc();
    log.error('A file of own state failed; what happens now may be forgotten by a restart', {
      file: this.#path,
      operation,
      err: errorText(error),
    });
  }

  #rewriteSoon(): void {
    const { clock } = this.#options.env;
    if (this.#rewriting !== null || this.#isClosed) return;
    if (this.#file !== null && clock.monotonic() < this.#rewriteNotBeforeMs) return;
    this.#rewriting = this.#rewrite()
      .catch((error: unknown) => {
        if (this.#stop.signal.aborted) return;
        this.#failed('rewrite', error);
        this.#rewriteNotBeforeMs = clock.monotonic() + REWRITE_RETRY_MS;
        if (this.#file === null) this.#retryLater();
      })
      .finally(() => {
        this.#rewriting = null;
      });
  }

  /** The old file goes on to be appended to until the new one, which has all the same changes, is whole and synced. */
  async #rewrite(): Promise<void> {
    const { env, kind, directory, name, metrics } = this.#options;
    const file = env.files.open(this.#nextPath, 'w');
    const next: NextFile = { file, sizeBytes: FILE_HEAD_BYTES, error: null };
    try {
      file.write(fileHead(kind), 0, FILE_HEAD_BYTES, 0);
      this.#next = next;
      await this.#writeState(next);
      await file.datasync();
      if (next.error !== null) throw next.error;
      this.#stop.signal.throwIfAborted();
      env.files.rename(this.#nextPath, this.#path);
    } catch (error) {
      discard(env, file, this.#nextPath);
      throw error;
    } finally {
      this.#next = null;
    }
    this.#drop();
    this.#file = file;
    this.#sizeBytes = next.sizeBytes;
    this.#baseBytes = next.sizeBytes;
    metrics.rewrites.with(name).inc();
    this.#unsynced();
    env.files.syncDirectory(directory);
  }

  async #writeState(next: NextFile): Promise<void> {
    const slices = new Slices(this.#options.env.clock, this.#stop.signal);
    const writer = new ByteWriter(MAX_PENDING_BYTES);
    const steps = this.#options.state(writer);
    const put = (): void => {
      if (writer.size === 0) return;
      const frame = frameOf(writer.bytes());
      writer.reset();
      next.file.write(frame, 0, frame.length, next.sizeBytes);
      next.sizeBytes += frame.length;
    };
    while (steps.next().done !== true) {
      if (writer.size >= MAX_PENDING_BYTES) put();
      if (!slices.isOver) continue;
      // What happens in the pause stands behind what was so before it.
      put();
      await slices.pause();
    }
    put();
  }

  #writeNext(next: NextFile, frame: Uint8Array): void {
    if (next.error !== null) return;
    try {
      next.file.write(frame, 0, frame.length, next.sizeBytes);
      next.sizeBytes += frame.length;
    } catch (error) {
      // The rewriting sees it at its end and gives up.
      next.error = error;
    }
  }
}

type NextFile = { readonly file: File; sizeBytes: number; error: unknown };

function discard({ files }: Pick<Env, 'files'>, file: File, path: string): void {
  try {
    file.close();
    files.remove(path);
  } catch {
    // The failure that led here is the one that is told; the next attempt begins with an empty file.
  }
}
