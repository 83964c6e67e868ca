import {
  ByteReader,
  ByteWriter,
  crc32c,
  DecodeError,
  errorText,
  type File,
  type Files,
} from '@pollux/base';
import { Labels } from '@pollux/model';
import type { Log } from '@pollux/telemetry';
import type { CoverageSubject, Interval } from './coverage.ts';
import type { CoverageJournal, CoverageLog } from './coverage-log.ts';
import type { HealedRun } from './healing.ts';
import { type IntervalSet, intersect, intervalSet } from './interval-set.ts';
import { RUN_STATES, type RunState, SubjectHistory } from './subject-history.ts';

const MAGIC = 0x50584356;
const VERSION = 4;
/** Lacks what came with versions 3 and 4. */
const READABLE_SINCE = 2;
const HEADER_BYTES = 5;
const RECORD_HEADER_BYTES = 8;
/** The file is written anew over this size, and over twice what it held when it was last written anew. */
const REWRITE_BYTES = 4 * 1024 * 1024;
const RECORD = { opened: 1, closed: 2, run: 3, alive: 4, healed: 5, seam: 6 } as const;

type PendingRun = { id: number; state: RunState; startMs: number; endMs: number };

/** What a coverage file held, cut back to `newestSampleMs`. */
export type RecoveredCoverage = {
  readonly alive: IntervalSet;
  readonly healed: readonly HealedRun[];
  readonly seams: IntervalSet;
  readonly histories: readonly SubjectHistory[];
};

/**
 * Reads the file at `path`; a missing one is an empty past, a torn tail ends it. Runs are cut so that none speaks of a
 * schedule after `newestSampleMs`, the newest sample that the log gave back.
 */
export function readCoverageFile(
  files: Files,
  path: string,
  newestSampleMs: number,
): RecoveredCoverage {
  const nothing = { alive: [], healed: [], seams: [], histories: [] };
  if (!files.exists(path)) return nothing;
  const reader = new ByteReader(files.readFile(path));
  if (reader.remaining < HEADER_BYTES || reader.u32() !== MAGIC) return nothing;
  const version = reader.u8();
  if (version < READABLE_SINCE || version > VERSION) return nothing;
  const past = new PastReader(newestSampleMs);
  while (reader.remaining >= RECORD_HEADER_BYTES) {
    const length = reader.u32();
    const check = reader.u32();
    if (length > reader.remaining) break;
    const payload = reader.raw(length);
    if (crc32c(payload) !== check) break;
    try {
      past.take(new ByteReader(payload));
    } catch (error) {
      if (error instanceof DecodeError) break;
      throw error;
    }
  }
  return past.result();
}

class PastReader {
  readonly #newestSampleMs: number;
  readonly #byId = new Map<number, SubjectHistory>();
  readonly #byKey = new Map<string, SubjectHistory>();
  readonly #alive: { startMs: number; endMs: number }[] = [];
  readonly #healed: HealedRun[] = [];
  readonly #seams: Interval[] = [];

  constructor(newestSampleMs: number) {
    this.#newestSampleMs = newestSampleMs;
  }

  take(reader: ByteReader): void {
    switch (reader.u8()) {
      case RECORD.opened:
        this.#opened(reader);
        return;
      case RECORD.closed:
        this.#byId.get(reader.uvarint())?.close(reader.varint());
        return;
      case RECORD.run:
        this.#run(reader);
        return;
      case RECORD.alive: {
        const startMs = reader.varint();
        this.#alive.push({ startMs, endMs: startMs + reader.uvarint() });
        return;
      }
      case RECORD.healed: {
        const startMs = reader.varint();
        const endMs = startMs + reader.uvarint();
        this.#healed.push({ startMs, endMs, twin: reader.uvarintText() });
        return;
      }
      case RECORD.seam: {
        const startMs = reader.varint();
        this.#seams.push({ startMs, endMs: startMs + reader.uvarint() });
        return;
      }
      default:
        throw new DecodeError('unknown coverage record', reader.offset);
    }
  }

  result(): RecoveredCoverage {
    const upTo = { startMs: Number.MIN_SAFE_INTEGER, endMs: this.#newestSampleMs + 1 };
    const alive = intersect(intervalSet(this.#alive), [upTo]);
    const healed = this.#healed.sort((a, b) => a.startMs - b.startMs);
    return { alive, healed, seams: intervalSet(this.#seams), histories: [...this.#byKey.values()] };
  }

  #opened(reader: ByteReader): void {
    const id = reader.uvarint();
    const kind = reader.u8() === 1 ? 'group' : 'target';
    const intervalMs = reader.uvarint();
    const fromMs = reader.varint();
    const key = reader.uvarintText();
    const pairs: [string, string][] = [];
    for (let left = reader.uvarint(); left > 0; left--)
      pairs.push([reader.uvarintText(), reader.uvarintText()]);
    const metricNames: string[] = [];
    for (let left = reader.uvarint(); left > 0; left--) metricNames.push(reader.uvarintText());
    const subject: CoverageSubject = { key, kind, labels: Labels.from(pairs), metricNames };
    let history = this.#byKey.get(key);
    if (history === undefined) {
      history = new SubjectHistory(subject, intervalMs);
      this.#byKey.set(key, history);
    }
    history.open(subject, fromMs, intervalMs);
    this.#byId.set(id, history);
  }

  #run(reader: ByteReader): void {
    const history = this.#byId.get(reader.uvarint());
    const state = RUN_STATES[reader.u8()];
    if (state === undefined) throw new DecodeError('unknown state of a run', reader.offset);
    const startMs = reader.varint();
    const endMs = startMs + reader.uvarint();
    if (history === undefined || startMs > this.#newestSampleMs) return;
    const isOwn = state === 'done' || state === 'failed';
    const mostMs = isOwn ? this.#newestSampleMs + history.intervalMs : endMs;
    history.addRun(state, startMs, Math.min(endMs, mostMs));
  }
}

/** Appends a log's changes; runs are gathered and written by `flush`, after the samples they speak of are in the WAL. */
export class CoverageFile implements CoverageJournal {
  readonly #files: Files;
  readonly #path: string;
  readonly #log: CoverageLog;
  readonly #report: Log;
  #ids = new Map<string, number>();
  readonly #pending = new Map<string, PendingRun>();
  readonly #buffer = new ByteWriter(4_096);
  #alive: { startMs: number; endMs: number } | null = null;
  #file: File | null = null;
  /** Under way; never rejects. */
  #syncing: Promise<void> | null = null;
  #isSynced = true;
  #size = 0;
  #rewriteAt = 0;

  /** Rewrites the file from `log`, which has been restored, and follows it from now on. */
  constructor(options: { files: Files; path: string; coverage: CoverageLog; log: Log }) {
    this.#files = options.files;
    this.#path = options.path;
    this.#log = options.coverage;
    this.#report = options.log;
    this.#rewrite();
    this.#log.journalTo(this);
  }

  opened(subject: CoverageSubject, fromMs: number, intervalMs: number): void {
    const id = this.#ids.get(subject.key) ?? this.#ids.size + 1;
    this.#ids.set(subject.key, id);
    this.#flushRuns();
    encodeOpened(this.#buffer, { id, subject, fromMs, intervalMs });
  }

  closed(key: string, atMs: number): void {
    const id = this.#ids.get(key);
    if (id === undefined) return;
    this.#flushRuns();
    record(this.#buffer, (out) => {
      out.u8(RECORD.closed);
      out.uvarint(id);
      out.varint(atMs);
    });
  }

  recorded(key: string, state: RunState, startMs: number, endMs: number): void {
    const id = this.#ids.get(key);
    if (id === undefined) return;
    const slot = `${id} ${state}`;
    const run = this.#pending.get(slot);
    if (run !== undefined && startMs >= run.startMs && startMs <= run.endMs)
      run.endMs = Math.max(run.endMs, endMs);
    else {
      if (run !== undefined) encodeRun(this.#buffer, run);
      this.#pending.set(slot, { id, state, startMs, endMs });
    }
  }

  alive(startMs: number, endMs: number): void {
    this.#alive = { startMs, endMs };
  }

  healed(run: HealedRun): void {
    encodeHealed(this.#buffer, run);
  }

  seam(startMs: number, endMs: number): void {
    encodeSeam(this.#buffer, startMs, endMs);
  }

  /**
   * Writes what has gathered. When that fails the error is logged and the next flush writes the file anew from memory: an
   * opening must not be lost, since a subject that the file does not know is asked for nothing after a restart.
   */
  flush(): void {
    this.#flushRuns();
    const run = this.#alive;
    if (run !== null) encodeAlive(this.#buffer, run.startMs, run.endMs);
    this.#alive = null;
    const bytes = this.#buffer.bytes();
    try {
      if (this.#file === null || this.#size + bytes.length > this.#rewriteAt) this.#rewrite();
      else if (bytes.length > 0) {
        this.#file.write(bytes, 0, bytes.length, this.#size);
        this.#size += bytes.length;
        this.#isSynced = false;
      }
    } catch (error) {
      this.#failed(error);
    }
    this.#buffer.reset();
  }

  /**
   * Begins to sync what was flushed, unless that is under way: without it a power loss would take what the system has not
   * written of its own accord, and the server would not claim samples that it has.
   */
  sync(): void {
    const file = this.#file;
    if (file === null || this.#isSynced || this.#syncing !== null) return;
    this.#isSynced = true;
    this.#syncing = file
      .datasync()
      .catch((error: unknown) => {
        if (file === this.#file) this.#failed(error);
      })
      .finally(() => {
        this.#syncing = null;
      });
  }

  close(): void {
    this.flush();
    this.#letGo();
  }

  #failed(error: unknown): void {
    this.#letGo();
    this.#report.error('writing the coverage file failed', {
      path: this.#path,
      err: errorText(error),
    });
  }

  /** A file that is being synced is closed behind that. */
  #letGo(): void {
    const file = this.#file;
    this.#file = null;
    if (file === null) return;
    if (this.#syncing === null) file.close();
    else void this.#syncing.then(() => file.close());
  }

  #flushRuns(): void {
    for (const run of this.#pending.values()) encodeRun(this.#buffer, run);
    this.#pending.clear();
  }

  #rewrite(): void {
    this.#letGo();
    const out = new ByteWriter(4_096);
    out.u32(MAGIC);
    out.u8(VERSION);
    for (const { startMs, endMs } of this.#log.aliveRuns()) encodeAlive(out, startMs, endMs);
    for (const run of this.#log.healedRuns) encodeHealed(out, run);
    for (const { startMs, endMs } of this.#log.seams) encodeSeam(out, startMs, endMs);
    const ids = new Map<string, number>();
    for (const history of this.#log.histories()) {
      const id = ids.size + 1;
      const { subject, intervalMs } = history;
      ids.set(subject.key, id);
      for (const { startMs, endMs } of history.lifetimes()) {
        encodeOpened(out, { id, subject, fromMs: startMs, intervalMs });
        if (endMs !== null) {
          record(out, (payload) => {
            payload.u8(RECORD.closed);
            payload.uvarint(id);
            payload.varint(endMs);
          });
        }
      }
      for (const state of RUN_STATES) {
        for (const { startMs, endMs } of history.runs(state))
          encodeRun(out, { id, state, startMs, endMs });
      }
    }
    this.#files.replaceFile(this.#path, out.bytes());
    this.#file = this.#files.open(this.#path, 'r+');
    this.#ids = ids;
    this.#size = out.size;
    this.#rewriteAt = Math.max(REWRITE_BYTES, 2 * out.size);
    this.#isSynced = true;
  }
}

function record(out: ByteWriter, write: (payload: ByteWriter) => void): void {
  const payload = new ByteWriter(64);
  write(payload);
  const bytes = payload.bytes();
  out.u32(bytes.length);
  out.u32(crc32c(bytes));
  out.raw(bytes);
}

function encodeOpened(
  out: ByteWriter,
  entry: { id: number; subject: CoverageSubject; fromMs: number; intervalMs: number },
): void {
  record(out, (payload) => {
    payload.u8(RECORD.opened);
    payload.uvarint(entry.id);
    payload.u8(entry.subject.kind === 'group' ? 1 : 0);
    payload.uvarint(entry.intervalMs);
    payload.varint(entry.fromMs);
    payload.uvarintText(entry.subject.key);
    payload.uvarint(entry.subject.labels.size);
    for (const [name, value] of entry.subject.labels) {
      payload.uvarintText(name);
      payload.uvarintText(value);
    }
    payload.uvarint(entry.subject.metricNames.length);
    for (const name of entry.subject.metricNames) payload.uvarintText(name);
  });
}

function encodeRun(out: ByteWriter, run: PendingRun): void {
  record(out, (payload) => {
    payload.u8(RECORD.run);
    payload.uvarint(run.id);
    payload.u8(RUN_STATES.indexOf(run.state));
    payload.varint(run.startMs);
    payload.uvarint(run.endMs - run.startMs);
  });
}

function encodeAlive(out: ByteWriter, startMs: number, endMs: number): void {
  record(out, (payload) => {
    payload.u8(RECORD.alive);
    payload.varint(startMs);
    payload.uvarint(endMs - startMs);
  });
}

function encodeHealed(out: ByteWriter, { startMs, endMs, twin }: HealedRun): void {
  record(out, (payload) => {
    payload.u8(RECORD.healed);
    payload.varint(startMs);
    payload.uvarint(endMs - startMs);
    payload.uvarintText(twin);
  });
}

function encodeSeam(out: ByteWriter, startMs: number, endMs: number): void {
  record(out, (payload) => {
    payload.u8(RECORD.seam);
    payload.varint(startMs);
    payload.uvarint(endMs - startMs);
  });
}
