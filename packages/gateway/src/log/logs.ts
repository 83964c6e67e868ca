import type { Env } from '@pollux/base';
import type { Log } from '@pollux/telemetry';
import type { Fault } from '../balance/fault.ts';
import type { ErrorLogConfig, LogConfig } from '../door/host-config.ts';
import { type AccessRecord, accessFormat } from './access-log.ts';
import { errorLine } from './error-log.ts';
import { LogFile } from './log-file.ts';

export type LogsOptions = {
  readonly env: Env;
  readonly log: Log;
  readonly pid: number;
  readonly errorLog: ErrorLogConfig | null;
  readonly onDropped: (count: number) => void;
};

/** The log files of one configuration; several hosts may write one. */
export class Logs {
  readonly #options: LogsOptions;
  readonly #files = new Map<string, LogFile>();
  readonly #errors: LogFile | null;

  constructor(options: LogsOptions) {
    this.#options = options;
    this.#errors = options.errorLog === null ? null : this.#file(options.errorLog.file);
  }

  /** Writes records of one access log. */
  format({ file, format }: LogConfig): (record: AccessRecord) => void {
    const written = this.#file(file);
    const line = accessFormat(format);
    return (record) => written.write(line(record));
  }

  fault(fault: Fault): void {
    const { env, pid, errorLog } = this.#options;
    if (this.#errors === null || (errorLog?.level === 'error' && fault.level === 'warn')) return;
    this.#errors.write(errorLine(fault, env.clock.now(), pid));
  }

  reopen(): void {
    for (const file of this.#files.values()) file.reopen();
  }

  close(): void {
    for (const file of this.#files.values()) file.close();
  }

  #file(path: string): LogFile {
    const known = this.#files.get(path);
    if (known !== undefined) return known;
    const { env, log, onDropped } = this.#options;
    const opened = new LogFile({ env, log, path, onDropped });
    this.#files.set(path, opened);
    return opened;
  }
}
