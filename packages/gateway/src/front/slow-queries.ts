import type { Env } from '@pollux/base';
import type { ActiveQuery } from '@pollux/promql';
import type { Log } from '@pollux/telemetry';
import { LogFile } from '../log/log-file.ts';
import type { FrontConfig } from './front-config.ts';

/** Queries beyond this are cut. */
const MAX_TEXT_LENGTH = 4_096;

export type SlowQueriesOptions = {
  readonly env: Env;
  readonly log: Log;
  readonly config: NonNullable<FrontConfig['slow_log']>;
  readonly onDropped: (count: number) => void;
};

/** Who asked and what became of it. */
export type EndedQuery = {
  readonly user: string;
  /** The replicas that answered; empty when none did. */
  readonly replica: string;
  readonly status: number;
  readonly queueMs: number;
};

/** One line of JSON for each query over the threshold: in a file of its own, or the program's log. */
export class SlowQueries {
  readonly #options: SlowQueriesOptions;
  readonly #file: LogFile | null;

  /** Throws when the file cannot be opened. */
  constructor(options: SlowQueriesOptions) {
    this.#options = options;
    const { env, log, config, onDropped } = options;
    const { file: path } = config;
    this.#file = path === '' ? null : new LogFile({ env, log, path, onDropped });
  }

  ended(query: ActiveQuery, { user, replica, status, queueMs }: EndedQuery): void {
    const { env, log, config } = this.#options;
    if (query.ageMs < config.threshold) return;
    const { startMs, endMs, stepMs, origin } = query;
    const text = query.query;
    const line = {
      query: text.length <= MAX_TEXT_LENGTH ? text : `${text.slice(0, MAX_TEXT_LENGTH)}…`,
      start: startMs / 1_000,
      end: endMs / 1_000,
      step: stepMs / 1_000,
      user,
      client: origin.kind === 'http' ? origin.clientIp : '',
      replica,
      status,
      queue_ms: Math.round(queueMs),
      ms: Math.round(query.ageMs),
    };
    if (this.#file === null) log.warn('slow query', line);
    else {
      const time = new Date(env.clock.now()).toISOString();
      this.#file.write(JSON.stringify({ time, ...line }));
    }
  }

  reopen(): void {
    this.#file?.reopen();
  }

  close(): void {
    this.#file?.close();
  }
}
