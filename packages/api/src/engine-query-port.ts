import { type Engine, type QueryAnswer, type QueryResult, writeResultJson } from '@pollux/promql';
import type { Queryable } from '@pollux/storage';
import type { QueryPort, QueryPortAnswer, QueryPortRequest } from './ports.ts';

/** Runs queries on an engine in this thread. */
export class EngineQueryPort implements QueryPort {
  readonly #engine: Engine;
  readonly #queryable: Queryable;

  constructor(engine: Engine, queryable: Queryable) {
    this.#engine = engine;
    this.#queryable = queryable;
  }

  async run(request: QueryPortRequest): Promise<QueryPortAnswer> {
    const answer = await this.#evaluate(request);
    const { result, isTruncated } = truncate(answer.result, request.limit);
    const pieces: string[] = [];
    writeResultJson(result, { write: (piece) => pieces.push(piece) });
    return { pieces, annotations: answer.annotations, isTruncated, figures: answer.stats };
  }

  #evaluate({
    query,
    times,
    lookbackMs,
    timeoutMs,
    signal,
    origin,
    perStepStats,
  }: QueryPortRequest): Promise<QueryAnswer> {
    const common = {
      query,
      queryable: this.#queryable,
      signal,
      origin,
      perStepStats,
      ...(lookbackMs === null ? {} : { lookbackMs }),
      ...(timeoutMs === null ? {} : { timeoutMs }),
    };
    return times.kind === 'instant'
      ? this.#engine.instant({ ...common, timeMs: times.timeMs })
      : this.#engine.range({ ...common, ...times });
  }
}

function truncate(
  result: QueryResult,
  limit: number,
): { readonly result: QueryResult; readonly isTruncated: boolean } {
  if (limit > 0 && result.kind === 'vector' && result.labels.length > limit) {
    return { result: { ...result, labels: result.labels.slice(0, limit) }, isTruncated: true };
  }
  if (limit > 0 && result.kind === 'matrix' && result.series.length > limit) {
    return { result: { ...result, series: result.series.slice(0, limit) }, isTruncated: true };
  }
  return { result, isTruncated: false };
}
