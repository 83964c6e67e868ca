import { type Clock, errorText, type File, type Files } from '@pollux/base';
import type { Log } from '@pollux/telemetry';
import type { ActiveQuery, QueryObserver } from './query-life.ts';

/** Bytes of one query, the comma behind it included. */
export const ENTRY_BYTES = 1_000;
/** A file that another release or setting has left may be longer than ours; more is not worth a line of the log. */
const MAX_READ_BYTES = 1024 * 1024;

export type ActiveQueryFileOptions = {
  readonly files: Files;
  readonly clock: Clock;
  readonly log: Log;
  /** `queries.active` in the database's directory, which is there. */
  readonly path: string;
  /** As many queries as run at a time. */
  readonly slots: number;
};

/**
 * The queries that run, in a file that outlives the process: what a crash leaves in it is told at the next start, for the
 * query at fault is most likely among them. Format in `queries-active.md`. The file is made whole at the start, so that a full
 * disk does not matter later; each write is one call into the page cache and is not synced, since only a crash of the
 * process is asked about. When the file cannot be written, queries go on without it.
 */
export class ActiveQueryFile implements QueryObserver {
  readonly #options: ActiveQueryFileOptions;
  /** Which query has each slot. Few: finding one takes less than a map, which besides leaves its old tables behind. */
  readonly #slots: (string | null)[];
  readonly #entry = new Uint8Array(ENTRY_BYTES);
  readonly #encoder = new TextEncoder();
  #file: File | null = null;

  constructor(options: ActiveQueryFileOptions) {
    this.#options = options;
    this.#slots = new Array<string | null>(options.slots).fill(null);
    this.#guarded(() => {
      this.#tellUnfinished();
      this.#file = this.#create();
    });
  }

  started(query: ActiveQuery): void {
    const slot = this.#slots.indexOf(null);
    if (slot < 0) return;
    this.#slots[slot] = query.id;
    const seconds = Math.floor(this.#options.clock.now() / 1_000);
    this.#entry.fill(0);
    this.#encoder.encodeInto(entryText(query.query, seconds), this.#entry);
    this.#entry[ENTRY_BYTES - 1] = COMMA;
    this.#write(slot);
  }

  ended({ id }: ActiveQuery): void {
    const slot = this.#slots.indexOf(id);
    if (slot < 0) return;
    this.#slots[slot] = null;
    this.#entry.fill(0);
    this.#write(slot);
  }

  close(): void {
    const file = this.#file;
    this.#file = null;
    file?.close();
  }

  #tellUnfinished(): void {
    const { files, path, log } = this.#options;
    const queries = files.exists(path) ? unfinishedQueries(readStart(files, path)) : null;
    if (queries !== null)
      log.info("These queries didn't finish in prometheus' last run:", { queries });
  }

  #create(): File {
    const { files, path, slots } = this.#options;
    const file = files.open(path, 'w');
    try {
      const content = new Uint8Array(1 + slots * ENTRY_BYTES);
      content[0] = OPENING_BRACKET;
      file.write(content, 0, content.length, 0);
      return file;
    } catch (error) {
      file.close();
      throw error;
    }
  }

  #write(slot: number): void {
    const file = this.#file;
    if (file === null) return;
    this.#guarded(() => file.write(this.#entry, 0, ENTRY_BYTES, 1 + slot * ENTRY_BYTES));
  }

  #guarded(act: () => void): void {
    try {
      act();
    } catch (error) {
      const { log, path } = this.#options;
      log.error('the log of active queries cannot be kept; queries go on without it', {
        file: path,
        err: errorText(error),
      });
      this.close();
    }
  }
}

const COMMA = 0x2c;
const OPENING_BRACKET = 0x5b;

/** The entries of a file that a process left, as a JSON array; null when all its queries had ended. */
export function unfinishedQueries(content: string): string | null {
  const text = content.replaceAll('\0', '');
  return text.length <= 1 ? null : `${text.slice(0, -1)}]`;
}

function readStart(files: Files, path: string): string {
  const file = files.open(path, 'r');
  try {
    const bytes = new Uint8Array(Math.min(file.size(), MAX_READ_BYTES));
    const count = file.read(bytes, 0, bytes.length, 0);
    return new TextDecoder().decode(bytes.subarray(0, count));
  } finally {
    file.close();
  }
}

/** Whole JSON of less than {@link ENTRY_BYTES}; the query is cut where it is too long, never inside a character. */
export function entryText(query: string, seconds: number): string {
  const room = ENTRY_BYTES - 1 - `{"query":"","timestamp_sec":${seconds}}`.length;
  // Each code unit takes a byte or more, escapes and all.
  let text = JSON.stringify(query.slice(0, room)).slice(1, -1);
  // Nor more than three.
  if (text.length * 3 <= room) return `{"query":"${text}","timestamp_sec":${seconds}}`;
  const encoder = new TextEncoder();
  if (encoder.encode(text).length > room || query.length > room) {
    let kept = '';
    let bytes = 0;
    for (const character of query.slice(0, room)) {
      const piece = JSON.stringify(character).slice(1, -1);
      bytes += encoder.encode(piece).length;
      if (bytes > room) break;
      kept += piece;
    }
    text = kept;
  }
  return `{"query":"${text}","timestamp_sec":${seconds}}`;
}
