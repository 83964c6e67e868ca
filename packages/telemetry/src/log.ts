export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogFormat = 'logfmt' | 'json';
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

const RANK: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

export type LogOptions = {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Wall clock in ms. */
  readonly now: () => number;
  /** Takes one line without its newline. */
  readonly write: (line: string) => void;
};

/** Structured log in the form of Prometheus 3: `time=… level=INFO msg="…" component=…`, or one JSON object a line. */
export class Log {
  readonly #options: LogOptions;
  readonly #fields: LogFields;

  constructor(options: LogOptions, fields: LogFields = {}) {
    this.#options = options;
    this.#fields = fields;
  }

  /** For tests that do not look at the log, and for what others tell of. */
  static silent(): Log {
    return new Log({ level: 'error', format: 'logfmt', now: () => 0, write: () => {} });
  }

  with(fields: LogFields): Log {
    return new Log(this.#options, { ...this.#fields, ...fields });
  }

  isEnabled(level: LogLevel): boolean {
    return RANK[level] >= RANK[this.#options.level];
  }

  debug(message: string, fields?: LogFields): void {
    this.#log('debug', message, fields);
  }

  info(message: string, fields?: LogFields): void {
    this.#log('info', message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.#log('warn', message, fields);
  }

  error(message: string, fields?: LogFields): void {
    this.#log('error', message, fields);
  }

  #log(level: LogLevel, message: string, fields: LogFields = {}): void {
    if (!this.isEnabled(level)) return;
    const record: LogFields = {
      time: new Date(this.#options.now()).toISOString(),
      level: level.toUpperCase(),
      msg: message,
      ...this.#fields,
      ...fields,
    };
    this.#options.write(this.#options.format === 'json' ? JSON.stringify(record) : logfmt(record));
  }
}

function logfmt(record: LogFields): string {
  const parts: string[] = [];
  for (const [name, value] of Object.entries(record)) {
    if (value === undefined) continue;
    const text = String(value);
    parts.push(`${name}=${/^[^\s"=\\\p{Cc}]+$/u.test(text) ? text : JSON.stringify(text)}`);
  }
  return parts.join(' ');
}
