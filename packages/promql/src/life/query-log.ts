import { type Clock, errorText, type File, type Files } from '@pollux/base';
import type { Counter, Log, Registry } from '@pollux/telemetry';
import type { ActiveQuery, QueryObserver, QueryOrigin, QueryOutcome } from './query-life.ts';
import { statsJson } from './stats-json.ts';

export type QueryLogOptions = {
  readonly files: Files;
  readonly clock: Clock;
  readonly log: Log;
  readonly registry: Registry;
};

/**
 * `global.query_log_file`: a line of JSON for each query that ends, with the members that Prometheus 3 writes and, for what
 * was made for 2.x, its `ts`. A reload opens the file anew, as after it was rotated away. A line that cannot be written is
 * counted; the first is told in the program's own log.
 */
export class QueryLog implements QueryObserver {
  readonly #options: QueryLogOptions;
  readonly #failures: Counter;
  #file: File | null = null;
  #hasFailed = false;

  constructor(options: QueryLogOptions) {
    this.#options = options;
    const { registry } = options;
    registry.gaugeFrom('prometheus_engine_query_log_enabled', 'State of the query log.', () =>
      this.#file === null ? 0 : 1,
    );
    this.#failures = registry.counter(
      'prometheus_engine_query_log_failures_total',
      'The number of query log failures.',
    );
  }

  /** Opens the file, which may fail; the returned function puts it in the place of the one before. Empty for none. */
  prepare(path: string): () => void {
    const file = path === '' ? null : this.#options.files.open(path, 'a');
    return () => {
      this.close();
      this.#file = file;
      this.#hasFailed = false;
    };
  }

  ended(query: ActiveQuery, outcome: QueryOutcome): void {
    const file = this.#file;
    if (file === null) return;
    const line = `${JSON.stringify(record(query, outcome, this.#options.clock.now()))}\n`;
    const bytes = new TextEncoder().encode(line);
    try {
      file.write(bytes, 0, bytes.length, null);
    } catch (error) {
      this.#failures.inc();
      if (this.#hasFailed) return;
      this.#hasFailed = true;
      this.#options.log.error("can't log query", { err: errorText(error) });
    }
  }

  close(): void {
    const file = this.#file;
    this.#file = null;
    file?.close();
  }
}

function record(query: ActiveQuery, { error, stats }: QueryOutcome, nowMs: number): unknown {
  const time = timeText(nowMs);
  return {
    time,
    level: 'INFO',
    source: 'query-log',
    msg: 'promql query logged',
    params: {
      end: timeText(query.endMs),
      query: query.query,
      start: timeText(query.startMs),
      step: Math.trunc(query.stepMs / 1_000),
    },
    ...(error === null ? {} : { error }),
    stats: statsJson(stats),
    spanID: '0000000000000000',
    traceID: '00000000000000000000000000000000',
    ...originMember(query.origin),
    ts: time,
  };
}

function originMember(origin: QueryOrigin): Record<string, unknown> {
  switch (origin.kind) {
    case 'http':
      return {
        httpRequest: { clientIP: origin.clientIp, method: origin.method, path: origin.path },
      };
    case 'rule':
      return { ruleGroup: { file: origin.file, name: origin.group } };
    case 'internal':
      return {};
  }
}

const MAX_DATE_MS = 8.64e15;

/** UTC with milliseconds; a time that no calendar has is told in ms. */
function timeText(timeMs: number): string {
  return Math.abs(timeMs) <= MAX_DATE_MS ? new Date(timeMs).toISOString() : String(timeMs);
}
