import type { EncodedAnswer, Engine } from '@pollux/promql';
import type { Queryable } from '@pollux/storage';
import type { QueryPort, QueryPortAnswer, QueryPortRequest } from './ports.ts';

/** Runs queries on an engine, in this thread or in its workers. */
export class EngineQueryPort implements QueryPort {
  readonly #engine: Engine;
  readonly #queryable: Queryable;

  constructor(engine: Engine, queryable: Queryable) {
    this.#engine = engine;
    this.#queryable = queryable;
  }

  async run(request: QueryPortRequest): Promise<QueryPortAnswer> {
    const { body, annotations, isTruncated, stats } = await this.#evaluate(request);
    return { body, annotations, isTruncated, figures: stats };
  }

  #evaluate({
    query,
    times,
    lookbackMs,
    timeoutMs,
    limit,
    signal,
    origin,
    perStepStats,
    countsAll,
  }: QueryPortRequest): Promise<EncodedAnswer> {
    // Written out, since what is spread into an object of more members has a hidden class of its own for each request.
    const queryable = this.#queryable;
    const lookback = lookbackMs ?? undefined;
    const timeout = timeoutMs ?? undefined;
    return times.kind === 'instant'
      ? this.#engine.encoded({
          query,
          queryable,
          signal,
          origin,
          perStepStats,
          countsAll,
          limit,
          lookbackMs: lookback,
          timeoutMs: timeout,
          timeMs: times.timeMs,
        })
      : this.#engine.encoded({
          query,
          queryable,
          signal,
          origin,
          perStepStats,
          countsAll,
          limit,
          lookbackMs: lookback,
          timeoutMs: timeout,
          startMs: times.startMs,
          endMs: times.endMs,
          stepMs: times.stepMs,
        });
  }
}
