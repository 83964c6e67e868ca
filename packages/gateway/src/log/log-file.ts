import { type Env, errorText, type File } from '@pollux/base';
import type { Log } from '@pollux/telemetry';

/** Lines are written together after this time, or when this many bytes wait. */
const FLUSH_MS = 200;
const FLUSH_BYTES = 64 * 1024;
/** What a disk that takes nothing may keep waiting; more lines are dropped and counted. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;

export type LogFileOptions = {
  readonly env: Env;
  /** Hears of a file that cannot be written; once, until it can again. */
  readonly log: Log;
  readonly path: string;
  /** Lines that could not be kept. */
  readonly onDropped: (count: number) => void;
};

/** A file that lines are appended to, and that an administrator moves away and has opened anew. */
export class LogFile {
  readonly path: string;
  readonly #options: LogFileOptions;
  #file: File;
  #waiting: string[] = [];
  #waitingBytes = 0;
  #timer: { cancel(): void } | null = null;
  #isFailing = false;
  #isClosed = false;

  /** Throws when the file cannot be opened. */
  constructor(options: LogFileOptions) {
    this.#options = options;
    this.path = options.path;
    this.#file = options.env.files.open(options.path, 'a');
  }

  /** `line` is without its end. */
  write(line: string): void {
    if (this.#isClosed || this.#waitingBytes + line.length > MAX_WAITING_BYTES) {
      this.#options.onDropped(1);
      return;
    }
    this.#waiting.push(line);
    this.#waitingBytes += line.length + 1;
    if (this.#waitingBytes >= FLUSH_BYTES) this.flush();
    else this.#timer ??= this.#options.env.clock.after(FLUSH_MS, () => this.flush());
  }

  flush(): void {
    this.#timer?.cancel();
    this.#timer = null;
    if (this.#waiting.length === 0) return;
    const bytes = new TextEncoder().encode(`${this.#waiting.join('\n')}\n`);
    const count = this.#waiting.length;
    this.#waiting = [];
    this.#waitingBytes = 0;
    try {
      this.#file.write(bytes, 0, bytes.length, null);
      this.#isFailing = false;
    } catch (error) {
      // A full disk must not end the service that the log is about.
      this.#options.onDropped(count);
      this.#complain(error);
    }
  }

  /** Goes on in a file of the same name; lines so far are in the old one. A name that cannot be opened leaves all as it is. */
  reopen(): void {
    this.flush();
    try {
      const opened = this.#options.env.files.open(this.path, 'a');
      this.#file.close();
      this.#file = opened;
    } catch (error) {
      this.#complain(error);
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.flush();
    this.#isClosed = true;
    this.#file.close();
  }

  #complain(error: unknown): void {
    if (this.#isFailing) return;
    this.#isFailing = true;
    this.#options.log.error('log file cannot be written', {
      file: this.path,
      err: errorText(error),
    });
  }
}
