import type { Log } from '@pollux/telemetry';
import type { ActiveQuery, QueryObserver, QueryOrigin, QueryOutcome } from './query-life.ts';

/** Plans and queries beyond this are cut in the log. */
const MAX_TEXT_LENGTH = 4_096;

export type SlowQueryLogOptions = {
  readonly log: Log;
  /** Queries that take longer, their wait included, are told. */
  readonly thresholdMs: number;
  /** The plan of a query as text; asked for those only that are told. */
  readonly explain: (query: ActiveQuery) => string;
};

/** Tells slow queries with their plan in the program's log, whether they gave an answer or not. */
export class SlowQueryLog implements QueryObserver {
  readonly #options: SlowQueryLogOptions;

  constructor(options: SlowQueryLogOptions) {
    this.#options = options;
  }

  ended(query: ActiveQuery, { error, stats }: QueryOutcome): void {
    const { log, thresholdMs, explain } = this.#options;
    const totalMs = stats.queueMs + stats.prepareMs + stats.evalMs;
    if (totalMs < thresholdMs) return;
    log.warn('slow query', {
      query: cut(query.query),
      start_ms: query.startMs,
      end_ms: query.endMs,
      step_ms: query.stepMs,
      queue_ms: Math.round(stats.queueMs),
      exec_ms: Math.round(totalMs - stats.queueMs),
      samples: stats.totalQueryableSamples,
      peak_samples: stats.peakSamples,
      origin: originText(query.origin),
      ...(error === null ? {} : { err: cut(error) }),
      plan: cut(explain(query)),
    });
  }
}

function originText(origin: QueryOrigin): string {
  switch (origin.kind) {
    case 'http':
      return `${origin.method} ${origin.path} from ${origin.clientIp} ${cut(origin.userAgent)}`.trim();
    case 'rule':
      return `rule group ${origin.group} of ${origin.file}`;
    case 'internal':
      return 'internal';
  }
}

function cut(text: string): string {
  return text.length <= MAX_TEXT_LENGTH ? text : `${text.slice(0, MAX_TEXT_LENGTH)}…`;
}
